"""The wheel: installed outside the clone, the tour runs and the notebooks are there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CLONE = Path(__file__).parents[1]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    """A folder with the installed wheel, an empty working folder, and the environment to run from
    there.
    """
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    built = subprocess.run(
        [*pip, "wheel", "--no-deps", "-w", str(folder / "dist"), str(CLONE)],
        capture_output=True,
        text=True,
    )
    if "No matching distribution found for hatchling" in built.stderr:
        pytest.skip(
            "pip cannot fetch hatchling, the build backend, here: no package index is reachable"
        )
    assert built.returncode == 0, built.stderr
    (wheel,) = (folder / "dist").glob("*.whl")
    subprocess.run(
        [*pip, "install", "--no-deps", "--target", str(folder / "site"), str(wheel)], check=True
    )
    working = folder / "working"
    working.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(folder / "site")}
    environment.pop("WORKBENCH_RUNS", None)
    return folder / "site", working, environment


def _python(outside, *arguments, timeout=900):
    _, working, environment = outside
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=working,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def test_package_notebooks_and_data_come_from_the_wheel(outside):
    code = (
        "import workbench; from workbench.lessons.notebooks import notebooks_folder; from "
        "workbench.data.sets.fashion import FILES;from workbench.models.reference import WEIGHTS; "
        "from workbench.widgets.livechart import LiveChart;print(workbench.__file__, "
        "notebooks_folder(), FILES, WEIGHTS, sep='\\n'); assert WEIGHTS.exists(); LiveChart(); "
        "assert workbench.prepared_ledger('02_pruning').rows; from workbench.runs import "
        "estimates; assert estimates._table().durations"
    )
    done = _python(outside, "-c", code)
    assert done.returncode == 0, done.stderr
    assert all(line.startswith(str(outside[0])) for line in done.stdout.split()), done.stdout


def test_lab_copies_the_notebooks_and_never_over_a_changed_one(outside):
    first = _python(outside, "-m", "workbench.cli", "lab", "--version")
    assert first.returncode == 0, first.stderr
    copied = outside[1] / "notebooks" / "00_start_here.ipynb"
    assert copied.read_bytes() == (CLONE / "notebooks" / "00_start_here.ipynb").read_bytes()
    copied.write_text("mine", encoding="utf-8")
    assert _python(outside, "-m", "workbench.cli", "lab", "--version").returncode == 0
    assert copied.read_text(encoding="utf-8") == "mine"


@pytest.mark.timeout(1200)
def test_tour_leaves_notebook_report_and_model(outside):
    done = _python(outside, "-m", "workbench.cli", "tour")
    assert done.returncode == 0, done.stderr
    assert "quantization" in done.stdout
    assert "Test: resnet20-pruned-int8" in done.stdout
    (folder,) = (outside[1] / "runs").glob("tour-*")
    assert {p.name for p in folder.iterdir()} >= {
        "00_start_here.ipynb",
        "report.html",
        "model.onnx",
    }
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert len(report) < 8_000_000
    assert "Plotly.react(" in report
    assert "Change by each step" in report
    import onnxruntime

    onnxruntime.InferenceSession(folder / "model.onnx")
