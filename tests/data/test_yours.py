"""A user's own data: each supported form gives the same rows; others are refused with a way out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from tests.small_tasks import iris, wine, wine_net
from workbench.data.prepare import Columns
from workbench.data.rows import Rows
from workbench.errors import DataError, TaskError
from workbench.runtimes.outputs import outputs_of
from workbench.tasks.make import make_task
from workbench.training import FitSettings, fit

SPLITS = ("train", "valid", "calibration", "test")


class DictSamples(Dataset):
    """A dataset whose samples are mappings, as tokenized texts are."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self.x = x
        self.y = y

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> dict[str, object]:
        return {"features": self.x[index], "labels": self.y[index]}


class Stream(IterableDataset):
    def __iter__(self) -> Iterator[tuple[np.ndarray, np.int64]]:
        yield from zip(*wine(), strict=True)


@pytest.mark.parametrize(
    "door",
    [
        lambda x, y: (x, y),
        lambda x, y: (torch.from_numpy(x), torch.from_numpy(y)),
        lambda x, y: ({"x": x}, y),
        lambda x, y: {"x": x, "labels": y},
        lambda x, y: Rows({"x": x}, y),
        lambda x, y: TensorDataset(torch.from_numpy(x), torch.from_numpy(y)),
        lambda x, y: list(zip(x, y, strict=True)),
        lambda x, y: DataLoader(
            TensorDataset(torch.from_numpy(x), torch.from_numpy(y)), batch_size=32, shuffle=True
        ),
        lambda x, y: DataLoader(Stream(), batch_size=50),
        lambda x, y: Stream(),
    ],
    ids=[
        "arrays",
        "tensors",
        "dict",
        "mapping",
        "Rows",
        "Dataset",
        "samples",
        "DataLoader",
        "iterable loader",
        "iterable",
    ],
)
def test_make_task_holds_the_same_rows_whatever_the_door(door: object) -> None:
    x, y = wine()
    task = make_task("wine", model=wine_net, train=door(x, y))
    parts = [getattr(task.data, split).take(slice(None)) for split in SPLITS]
    held = np.concatenate([np.column_stack([rows.inputs["x"], rows.targets]) for rows in parts])
    expected = np.column_stack([x, y]).astype(held.dtype)
    assert task.kind == "classification"
    assert np.array_equal(held[np.lexsort(held.T)], expected[np.lexsort(expected.T)])


def test_make_task_takes_batches_that_are_mappings_and_calls_the_model_by_these_names() -> None:
    x, y = wine()
    task = make_task("wine", model=wine_net, train=DataLoader(DictSamples(x, y), batch_size=16))
    assert set(task.example(2)) == {"features"}
    fitted = fit(task.build("wine_net"), task, FitSettings(epochs=2, precision="fp32"))
    assert fitted.history[-1]["train_loss"] < fitted.history[0]["train_loss"]


def test_make_task_uses_the_loaders_collate_function() -> None:
    x, y = wine()

    def doubled(samples: list[tuple[np.ndarray, int]]) -> tuple[torch.Tensor, torch.Tensor]:
        return 2 * torch.stack([torch.as_tensor(s[0]) for s in samples]), torch.tensor(
            [int(s[1]) for s in samples]
        )

    rows = list(zip(x, y, strict=True))
    task = make_task("wine", train=DataLoader(rows, batch_size=8, collate_fn=doubled))
    first, _ = task.data.train.dataset[0]
    assert np.allclose(task.data.train.take(slice(0, 1)).inputs["x"][0], 2 * first)


def test_make_task_prepares_a_dataframe_by_columns_fitted_on_train_only() -> None:
    task = make_task("iris", model=lambda n_in: nn.Linear(n_in, 3), train=iris(), target="species")
    assert task.classes == ("setosa", "versicolor", "virginica")
    assert task.prepare == Columns.fitted(task.data.train)
    assert outputs_of(task.candidate()[0], task.example(5)).shape == (5, 3)


def test_make_task_prepares_a_table_given_beside_its_targets_too() -> None:
    frame = iris()
    task = make_task(
        "iris",
        model=lambda n: nn.Linear(n, 3),
        train=(frame.drop(columns="species"), frame["species"]),
    )
    assert task.prepare == Columns.fitted(task.data.train)
    assert task.classes == ("setosa", "versicolor", "virginica")


def test_make_task_keeps_missing_numbers_of_a_dataframe_and_fills_them_by_the_median() -> None:
    frame = iris().astype({"petal width (cm)": "Float64"})
    frame.loc[::9, "petal width (cm)"] = pd.NA
    task = make_task("iris", model=lambda n_in: nn.Linear(n_in, 3), train=frame, target="species")
    column = task.data.train.inputs["petal width (cm)"]
    assert column.dtype == np.float64
    assert np.isnan(column).any()
    assert np.isfinite(task.example(80)["x"]).all()


def test_make_task_reads_several_target_columns_as_labels() -> None:
    frame = iris()
    frame = frame.assign(
        big=(frame["petal length (cm)"] > 4).astype(int),
        wide=(frame["sepal width (cm)"] > 3).astype(int),
    )
    task = make_task(
        "iris",
        model=lambda n: nn.Linear(n, 2),
        train=frame.drop(columns="species"),
        target=["big", "wide"],
    )
    assert (task.kind, task.classes, task.metric.name) == (
        "multilabel",
        ("big", "wide"),
        "label_accuracy",
    )
    assert task.data.test.targets.shape[1] == 2


@pytest.mark.parametrize(
    ("train", "options", "message"),
    [
        (
            (np.zeros((10, 2)), np.zeros(9, int)),
            {},
            r"`train`: Arrays of unequal length: \{'x': 10, 'targets': 9\}",
        ),
        (np.zeros((10, 2)), {}, "ndarray holds no targets: give a tuple"),
        (iris(), {}, "a DataFrame needs `target=`, the name of a column among sepal length"),
        (iris(), {"target": "specie"}, "Unknown column `specie`. Did you mean `species`"),
        (
            wine(),
            {"times": "date"},
            "`times='date'` names a column, and the data are not a DataFrame",
        ),
        (wine(), {"times": np.arange(3)}, "`times` has 3 values for 178 train rows"),
        ((np.zeros((0, 2)), np.zeros(0, int)), {}, "`train` is empty"),
        (
            (np.eye(9), np.arange(9) // 3 % 3),
            {},
            "class number 0 has 3 rows with 3 different rows cannot be cut",
        ),
        (
            (np.eye(100), np.arange(100)),
            {},
            "100 different values in 100 rows: say `kind='regression'`",
        ),
        (
            (np.eye(4), np.asarray(["a", None, "b", "a"], object)),
            {},
            "1 target of train is missing, the first in row 1: drop this row",
        ),
        (
            (np.eye(40), np.tile(["a", "b"], 20)),
            {"classes": ["a", "c"]},
            r"not among \['a', 'c'\]: b",
        ),
        (
            (np.eye(40), np.arange(40) % 3),
            {"classes": ["a", "b"]},
            r"must be 0 to 1, and \d+ are not \(2.*give `classes=` with the label",
        ),
        (
            (np.eye(40), np.zeros((40, 3, 3))),
            {},
            "kind `custom` needs `metric=`, and `loss=` or `train_step=`",
        ),
    ],
)
def test_make_task_refuses_data_it_cannot_use_and_names_the_way_out(
    train: object, options: dict, message: str
) -> None:
    with pytest.raises((DataError, TaskError), match=message):
        make_task("bad", train=train, **options)


def test_make_task_tells_the_problems_of_all_splits_at_once() -> None:
    short = (np.zeros((5, 2)), np.zeros(4, int))
    with pytest.raises(DataError, match=r"(?s)2 problems.*`valid`: Arrays.*`test`: Arrays"):
        make_task("bad", train=(np.eye(40), np.arange(40) % 2), valid=short, test=short)


@pytest.mark.parametrize(("label", "name"), [(object(), "a object"), ([1], r"\[1\]")])
def test_objects_among_the_labels_of_a_split_are_refused(label, name):
    labels = np.empty(40, object)
    labels.fill(label)
    rows = np.random.default_rng(0).normal(size=(160, 3))
    with pytest.raises(DataError, match=rf"`valid` has labels that are not among .*: {name}\."):
        make_task("t", train=(rows[40:], np.arange(120) % 2 + 1), valid=(rows[:40], labels))
