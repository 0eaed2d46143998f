import os
import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).parents[1]
HEAVY = (
    "torch",
    "pandas",
    "plotly",
    "numpy",
    "pydantic",
    "sklearn",
    "mlflow",
    "onnx",
    "onnxruntime",
    "ipywidgets",
    "scipy",
)


def _loaded(code: str) -> set[str]:
    """The heavy libraries that a fresh interpreter holds after some code."""
    line = f"import sys; sys.path.insert(0, {str(HOME)!r}); {code}; print(*sys.modules)"
    out = subprocess.run(
        [sys.executable, "-c", line], capture_output=True, text=True, check=True
    ).stdout
    return {m.split(".")[0] for m in out.split()} & set(HEAVY)


def test_import_workbench_loads_nothing_heavy():
    assert _loaded("import workbench") == set()


def test_looking_at_the_shelf_loads_nothing_heavy():
    assert _loaded("import workbench; dir(workbench); workbench.__version__") == set()


def test_store_waits_with_mlflow_and_torch():
    assert not _loaded("import workbench.store.index") & {"mlflow", "torch", "pandas", "sklearn"}


def test_unknown_name_is_refused_with_the_nearest():
    import workbench

    with pytest.raises(AttributeError, match=r"Did you mean `fit`\?"):
        _ = workbench.fitt


@pytest.mark.parametrize(("own", "expected"), [(None, "1000"), ("7", "7")])
def test_idle_threads_soon_sleep_also_in_a_notebook_unless_its_user_said_else(own, expected):
    """It is set before torch is loaded, in a process that nobody started with our variables."""
    ask = "import os, sys, workbench; print('torch' in sys.modules, os.environ['GOMP_SPINCOUNT'])"
    environment = {k: v for k, v in os.environ.items() if k != "GOMP_SPINCOUNT"}
    environment |= {"GOMP_SPINCOUNT": own} if own else {}
    done = subprocess.run(
        [sys.executable, "-c", ask], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", expected]
