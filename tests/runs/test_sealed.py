"""A sealed task: what travels to a job holds no test row, and no module but the user's own goes by
value.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset

from tests.small_tasks import wine_net
from workbench.data.rows import Rows
from workbench.errors import RunError
from workbench.runs.sealed import _is_users, find_modules, open_sealed, open_task, seal, travelling
from workbench.tasks.make import make_task

N = 200


class Held(Dataset):
    """A dataset of the user's own that holds all rows in one array."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.int64]:
        return self.x[index], self.y[index]


def marked() -> tuple[np.ndarray, np.ndarray]:
    """Rows of random numbers, so that the bytes of each are found again."""
    return np.random.default_rng(0).normal(size=(N, 13)).astype(np.float32), np.arange(
        N, dtype=np.int64
    ) % 3


def _tensors(x: np.ndarray, y: np.ndarray) -> TensorDataset:
    return TensorDataset(torch.from_numpy(x), torch.from_numpy(y))


@pytest.mark.parametrize(
    "door",
    [
        lambda x, y: _tensors(x, y),
        lambda x, y: Subset(_tensors(x, y), range(N)),
        lambda x, y: Held(x, y),
        lambda x, y: DataLoader(Held(x, y), batch_size=16),
        lambda x, y: list(zip(x, y, strict=True)),
        lambda x, y: list(zip(torch.from_numpy(x), torch.from_numpy(y), strict=True)),
        lambda x, y: (torch.from_numpy(x), torch.from_numpy(y)),
    ],
    ids=[
        "TensorDataset",
        "Subset",
        "Dataset",
        "DataLoader",
        "samples",
        "samples of tensors",
        "tensors",
    ],
)
def test_sealed_task_holds_no_test_row_and_all_others(door: object, tmp_path: Path) -> None:
    task = make_task("marked", model=wine_net, train=door(*marked()))
    test, train = (rows.take(slice(None)) for rows in (task.data.test, task.data.train))
    seal(task, tmp_path / "private")
    blob = (tmp_path / "private" / "task.pkl").read_bytes()
    assert not [i for i, row in enumerate(test.inputs["x"]) if row.tobytes() in blob]
    opened = open_task(tmp_path / "private").data
    assert opened.test is None
    assert opened.train.take(slice(None)).digest == train.digest
    assert open_sealed(tmp_path / "private").take(slice(None)).digest == test.digest


def test_sealed_task_holds_no_test_targets(tmp_path: Path) -> None:
    x, _ = marked()
    y = np.random.default_rng(1).normal(size=N)
    task = make_task("marked", model=lambda: torch.nn.Linear(13, 1), train=Held(x, y))
    seal(task, tmp_path / "private")
    blob = (tmp_path / "private" / "task.pkl").read_bytes()
    assert not [value for value in task.data.test.targets if value.tobytes() in blob]


def test_slices_given_as_splits_carry_nothing_of_what_they_were_cut_from(tmp_path: Path) -> None:
    x, y = map(torch.from_numpy, marked())
    train, test = TensorDataset(x[:150], y[:150]), TensorDataset(x[150:], y[150:])
    seal(make_task("marked", model=wine_net, train=train, test=test), tmp_path / "private")
    blob = (tmp_path / "private" / "task.pkl").read_bytes()
    assert not [i for i in range(150, N) if x[i].numpy().tobytes() in blob]


def test_splits_of_other_datasets_than_tests_stay_datasets(tmp_path: Path) -> None:
    x, y = marked()
    task = make_task(
        "marked", model=wine_net, train=Held(x[:150], y[:150]), test=Held(x[150:], y[150:])
    )
    seal(task, tmp_path / "private")
    assert not isinstance(open_task(tmp_path / "private").data.train, Rows)


def test_a_travelling_network_answers_as_before() -> None:
    net, x = wine_net(), torch.from_numpy(marked()[0])
    assert torch.equal(pickle.loads(travelling(net))(x), net(x))


def test_only_modules_of_the_users_own_go_by_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = ModuleType("my_layers")
    mine.__file__ = str(tmp_path / "my_layers.py")
    assert not _is_users(mine)  # not, or no longer, what this name imports
    monkeypatch.setitem(sys.modules, "my_layers", mine)
    assert _is_users(mine)
    mine.__file__ = str(tmp_path / "lib" / "site-packages" / "my_layers.py")
    assert not _is_users(mine)
    mine.__file__ = str(Path(json.__file__).parent / "my_layers.py")
    assert not _is_users(mine)


def test_the_standard_library_and_installed_packages_never_go_by_value() -> None:
    assert not any(map(_is_users, (json, np, torch, pytest)))


def _write_module(folder: Path, width: int) -> None:
    (folder / "layers_of_mine.py").write_text(
        "from torch import nn\n"
        f"WIDTH = {width}\n"
        "def net():\n    return nn.Sequential(nn.Linear(13, WIDTH), nn.Linear(WIDTH, 3))\n"
    )


def _opened_elsewhere(folder: Path, line: str) -> str:
    """What another process prints about a sealed task, started in another folder."""
    code = (
        "from pathlib import Path\n"
        "from workbench.runs.sealed import find_modules, open_task\n"
        f"folder = Path({str(folder)!r})\n"
        "find_modules(folder)\n"
        f"task = open_task(folder)\n{line}\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder.parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_module_that_only_sys_path_finds_travels_as_it_is_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "src"
    source.mkdir()
    _write_module(source, 8)
    monkeypatch.syspath_prepend(str(source))
    import layers_of_mine

    layers_of_mine.WIDTH = 5  # changed after the import, as in a notebook
    task = make_task("marked", model=layers_of_mine.net, train=marked())
    seal(task, tmp_path / "private")
    line = "print(task.build('net')[0].out_features)"
    assert _opened_elsewhere(tmp_path / "private", line) == "5"
    del sys.modules["layers_of_mine"]


def test_a_module_with_a_lock_is_imported_by_the_other_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "src"
    source.mkdir()
    (source / "locked_layers.py").write_text(
        "import threading\nfrom torch import nn\nLOCK = threading.Lock()\n"
        "def net():\n    with LOCK:\n        return nn.Linear(13, 3)\n"
    )
    monkeypatch.syspath_prepend(str(source))
    import locked_layers

    seal(make_task("marked", model=locked_layers.net, train=marked()), tmp_path / "private")
    line = "print(task.build('net').out_features)"
    assert _opened_elsewhere(tmp_path / "private", line) == "3"
    del sys.modules["locked_layers"]


def test_folders_that_nobody_signed_are_not_searched(tmp_path: Path) -> None:
    seal(None, tmp_path / "private")
    (tmp_path / "private" / "path.json").write_text(json.dumps([str(tmp_path)]))
    before = list(sys.path)
    find_modules(tmp_path / "private")
    assert sys.path == before


def test_an_object_that_cannot_travel_is_named_by_its_place(tmp_path: Path) -> None:
    task = make_task("marked", model=wine_net, train=marked())
    guarded = replace(task, augment=Guarded())
    with pytest.raises(RunError, match=r"`augment\.guard` \(lock\)"):
        seal(guarded, tmp_path / "private")


class Guarded:
    """An augmentation with a lock."""

    def __init__(self) -> None:
        self.guard = threading.Lock()

    def __call__(self, inputs: dict, generator: object) -> dict:
        return inputs
