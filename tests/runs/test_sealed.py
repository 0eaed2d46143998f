"""A sealed task: what travels to a job holds no test row, and no module but the user's own goes by
value.
"""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset

from tests.small_tasks import wine_net
from workbench.data.rows import Rows
from workbench.runs.sealed import _is_users, open_sealed, open_task, seal, travelling
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
    assert not _is_users(mine, tmp_path)  # not, or no longer, what this name imports
    monkeypatch.setitem(sys.modules, "my_layers", mine)
    assert _is_users(mine, tmp_path)
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path / "python"))
    mine.__file__ = str(tmp_path / "python" / "lib" / "my_layers.py")
    assert not _is_users(mine, tmp_path)


def test_the_standard_library_never_goes_by_value_when_it_lies_below_the_notebook(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "base_prefix", "/elsewhere")
    monkeypatch.setattr(sys, "prefix", "/elsewhere")
    assert not _is_users(json, Path(json.__file__).parents[2])
