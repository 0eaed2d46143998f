"""Overlap: rows in two splits are found by their content or by their number in one dataset."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch.utils.data import Subset, TensorDataset

from tests.small_tasks import digits_task, with_split
from workbench.data.overlap import copies_are_natural, overlap_is_natural, row_hashes
from workbench.data.rows import DatasetRows, Rows, Splits
from workbench.errors import DataError
from workbench.tasks import load_task
from workbench.tasks.checks import check_task

SPLITS = ("train", "valid", "calibration", "test")


@pytest.mark.parametrize("split", ["train", "valid", "calibration"])
def test_check_task_refuses_a_split_cut_out_of_test(split: str) -> None:
    task = digits_task()
    with pytest.raises(
        DataError, match=rf"200 of 350 test rows are in {split} too, the first is row 0 of test"
    ):
        check_task(with_split(task, **{split: task.data.test.take(slice(0, 200))}))


def test_check_task_refuses_a_small_calibration_cut_out_of_a_large_test() -> None:
    fashion = load_task("fashion")
    with pytest.raises(
        DataError, match="50 of 10,000 test rows are in calibration too"
    ):  # 0.5 % of test, all of calibration
        check_task(with_split(fashion, calibration=fashion.data.test.take(slice(0, 50))))


def test_check_task_only_warns_of_a_few_rows_that_occur_twice() -> None:
    task = digits_task()
    twice = np.r_[0:999, 1449:1452]
    everything = {
        n: np.concatenate([getattr(task.data, s).inputs["x"] for s in SPLITS]) for n in ("x",)
    }
    targets = np.concatenate([getattr(task.data, s).targets for s in SPLITS])
    warnings = check_task(with_split(task, train=Rows(everything, targets).take(twice)))
    assert warnings == ["3 of 350 test rows are in train too, the first is row 2 of test."]


def test_check_task_warns_of_train_rows_in_valid() -> None:
    task = digits_task()
    (warning,) = check_task(with_split(task, valid=task.data.train.take(slice(0, 300))))
    assert warning.startswith("300 of 300 valid rows are in train too")


def test_check_task_finds_shared_rows_of_one_dataset_by_their_indices() -> None:
    raw = load_digits()
    dataset = TensorDataset(torch.from_numpy(raw.data).float(), torch.from_numpy(raw.target).long())
    parts = {
        "train": range(1000),
        "valid": range(1000, 1300),
        "calibration": range(1300, 1400),
        "test": range(1400, 1797),
    }
    rows = {n: DatasetRows(Subset(dataset, list(i)), ()) for n, i in parts.items()}
    task = digits_task(data=Splits(**rows))
    assert check_task(task) == []
    nested = DatasetRows(Subset(Subset(dataset, list(range(500, 1797))), list(range(1000))), ())
    with pytest.raises(DataError, match="100 of 397 test rows are in train too"):
        check_task(with_split(task, train=nested))


def test_row_hashes_differ_by_inputs_and_by_targets() -> None:
    rows = Rows(
        {"a": np.array([1.0, 1.0, 1.0, np.nan]), "b": np.array(["u", "u", "v", "u"], object)},
        np.array([0, 0, 0, 0]),
    )
    hashes = row_hashes(rows)
    assert hashes[0] == hashes[1]
    assert len(set(hashes.tolist())) == 3
    other = row_hashes(replace(rows, targets=np.array([0, 1, 0, 0])))
    assert other[0] != other[1]


def test_row_hashes_take_missing_values_as_equal() -> None:
    hashes = row_hashes(Rows({"a": np.array([np.nan, np.nan, 1.0])}, np.array([0, 0, 0])))
    assert hashes[0] == hashes[1] != hashes[2]


# Copies that random draws make, and copies that are leaks


def _codes(n: int, n_columns: int, n_values: int, seed: int = 0) -> Rows:
    z = np.random.default_rng(seed).integers(0, n_values, (n, n_columns))
    return Rows({"x": z.astype(np.float32)}, (z.sum(1) > n_values).astype(int))


def _copied(rows: Rows, times: int) -> Rows:
    return rows.take(np.tile(np.arange(len(rows)), times))


@pytest.mark.parametrize(
    ("rows", "natural"),
    [
        (_codes(2000, 2, 4), True),
        (_codes(3000, 8, 3), True),
        (Rows({"x": np.arange(3000)[:, None] % 100}, np.arange(3000) % 2), True),
        (Rows({"x": np.array(["a", "b", "c"] * 20, object)}, np.arange(60) % 2), True),
        (_copied(_codes(400, 40, 4), 3), False),
        (_codes(400, 40, 4), False),
        (
            Rows(
                {"x": np.tile(np.random.default_rng(0).normal(size=(99, 1)), (3, 1))}, np.ones(297)
            ),
            False,
        ),
        (DatasetRows([(1.0, 0)] * 9, ()), False),
    ],
    ids=[
        "2 columns",
        "8 columns",
        "one column",
        "texts",
        "copied",
        "no copies",
        "floats",
        "dataset",
    ],
)
def test_copies_are_natural_where_rows_have_few_different_values(rows: Rows, natural: bool) -> None:
    assert copies_are_natural(rows) is natural


def test_check_task_warns_of_an_overlap_that_random_draws_make() -> None:
    rows = _codes(2000, 3, 4)
    parts = np.split(np.random.default_rng(1).permutation(2000), [1200, 1600, 1700])
    data = Splits(**{s: rows.take(i) for s, i in zip(SPLITS, parts, strict=True)})
    test, valid = check_task(digits_task(data=data, start=None, classes=(), kind="binary"))
    assert (
        "300 of 300 test rows are in train, valid, calibration too. Rows of few different" in test
    )
    assert "400 of 400 valid rows are in train too" in valid


def test_check_task_refuses_an_overlap_larger_than_random_draws_make() -> None:
    rows = _codes(3000, 8, 3)  # 6,561 different rows: a third of the rows has a copy
    train, other = rows.take(np.arange(2000)), rows.take(np.arange(2000, 3000))
    keys = {n: row_hashes(r) for n, r in {"train": train, "other": other}.items()}
    assert overlap_is_natural(train, keys["other"], keys["train"])
    assert not overlap_is_natural(train, keys["train"][:500], keys["train"])


def test_check_task_refuses_rows_that_were_copied_before_the_cut() -> None:
    task = digits_task()
    copied = _copied(task.data.train, 3)
    order = np.random.default_rng(0).permutation(len(copied))
    parts = {"train": copied.take(order[:2000]), "test": copied.take(order[2000:])}
    with pytest.raises(DataError, match="test rows are in train too"):
        check_task(with_split(task, **parts))
