"""Folds of train rows: stratified, by groups, in order of time, copies kept together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from workbench.data.folds import fold_indices
from workbench.data.labels import Kind
from workbench.data.notices import WorkbenchWarning
from workbench.data.rows import DatasetRows, Rows
from workbench.errors import DataError, SettingsError


def _rows(n: int = 60, n_classes: int = 3, **changes: Any) -> Rows:
    x = np.random.default_rng(0).normal(size=(n, 4))
    return Rows(**{"inputs": {"x": x}, "targets": np.arange(n) % n_classes, **changes})


def _held(folds: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    return np.concatenate([held for _, held in folds])


@pytest.mark.parametrize("kind", ["classification", "regression", "custom"])
def test_every_row_is_held_out_once_a_repeat_and_never_trains_then(kind: Kind) -> None:
    folds = fold_indices(_rows(), kind, 4, repeats=2)
    assert len(folds) == 8
    for repeat in (folds[:4], folds[4:]):
        assert sorted(_held(repeat)) == list(range(60))
    for rest, held in folds:
        assert sorted([*rest, *held]) == list(range(60))
    assert not np.array_equal(folds[0][1], folds[4][1])


def test_folds_depend_on_the_seed_alone() -> None:
    first, same, other = (
        _held(fold_indices(_rows(), "classification", 3, seed=s)) for s in (1, 1, 2)
    )
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)
    assert len(fold_indices(_rows(), "classification", 3, seed=2**32 - 1)) == 3


def test_classes_have_the_same_share_in_every_fold() -> None:
    targets = np.r_[np.zeros(50, int), np.ones(10, int)]
    for rest, held in fold_indices(_rows(targets=targets), "binary", 5):
        assert targets[held].sum() == 2
        assert targets[rest].sum() == 8


def test_rarest_label_of_a_row_stratifies_and_a_label_may_be_rarer_than_the_folds() -> None:
    targets = np.zeros((60, 3), int)
    targets[:10, 1] = 1
    targets[50:52, 2] = 1
    for _, held in fold_indices(_rows(targets=targets), "multilabel", 5):
        assert targets[held, 1].sum() == 2


def test_copies_of_a_row_are_in_one_fold() -> None:
    x = np.random.default_rng(0).normal(size=(40, 4))
    copied = np.r_[x, x, x[:20]]
    targets = np.r_[np.arange(40), np.arange(40), np.arange(20)] % 2
    folds = fold_indices(Rows({"x": copied}, targets), "binary", 5)
    numbers = np.r_[np.arange(40), np.arange(40), np.arange(20)]
    for rest, held in folds:
        assert not set(numbers[rest]) & set(numbers[held])
        assert abs(targets[held].mean() - 0.5) < 0.15


def test_rows_of_few_different_values_are_cut_at_random_with_a_warning() -> None:
    x = np.random.default_rng(0).integers(0, 2, (200, 1))
    rows = Rows({"x": x}, x[:, 0])
    with pytest.warns(WorkbenchWarning, match="train has 2 different rows among 200"):
        folds = fold_indices(rows, "binary", 5)
    assert [len(held) for _, held in folds] == [40] * 5


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_rows_of_a_group_are_in_one_fold(kind: Kind) -> None:
    groups = np.array([f"patient {i // 5}" for i in range(60)], dtype=object)
    for rest, held in fold_indices(replace(_rows(), groups=groups), kind, 4):
        assert not set(groups[rest]) & set(groups[held])
        assert len(held) == 15


def test_groups_that_share_a_copy_are_in_one_fold() -> None:
    rows = _rows()
    x = rows.inputs["x"].copy()
    x[33], groups = x[0], np.arange(60) // 3
    rows = Rows({"x": x}, rows.targets)
    for rest, held in fold_indices(replace(rows, groups=groups), "classification", 5):
        assert (0 in held) == (33 in held)
        assert not set(groups[rest]) & set(groups[held])


def test_no_row_trains_for_an_earlier_one_and_rows_of_one_time_are_together() -> None:
    times = np.random.default_rng(3).permutation(np.arange(60) // 4)
    folds = fold_indices(_rows(times=times), "classification", 4)
    assert len(folds) == 4
    for rest, held in folds:
        assert times[rest].max() < times[held].min()
    held_times = [set(times[held]) for _, held in folds]
    assert len(set.union(*held_times)) == sum(map(len, held_times))


def test_one_fold_is_a_hold_out_of_a_fifth() -> None:
    ((rest, held),) = fold_indices(_rows(), "classification", 1)
    assert (len(rest), len(held)) == (48, 12)
    ((rest, held),) = fold_indices(_rows(times=np.arange(60)), "classification", 1)
    assert (rest.max(), held.min()) == (47, 48)
    assert len(fold_indices(_rows(), "classification", 1, repeats=3)) == 3


def test_rows_of_a_torch_dataset_give_folds_too() -> None:
    dataset = TensorDataset(torch.randn(30, 4), torch.arange(30) % 2)
    folds = fold_indices(DatasetRows(dataset, ("x",)), "binary", 3)
    assert sorted(_held(folds)) == list(range(30))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_folds": 0}, "`n_folds` must be a whole number from 1 on, got 0."),
        ({"n_folds": True}, "`n_folds` must be a whole number from 1 on, got True."),
        ({"n_folds": 2, "repeats": 0}, "`repeats` must be a whole number from 1 on, got 0."),
        ({"n_folds": 2, "times": 1, "repeats": 2}, "`repeats` must be 1 for rows with `times`"),
        ({"n_folds": 2, "times": 1, "groups": np.arange(60)}, "`groups` has no effect"),
    ],
)
def test_options_that_are_not_allowed_are_refused(options: dict[str, Any], message: str) -> None:
    times = np.arange(60) if options.pop("times", None) else None
    rows = replace(_rows(times=times), groups=options.pop("groups", None))
    with pytest.raises(SettingsError) as error:
        fold_indices(rows, "classification", **options)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        (
            {"targets": np.r_[np.zeros(56, int), np.ones(4, int)]},
            {},
            "Class number 1 has 4 different rows, and 5 folds need 5 at least: use at most 4 "
            "folds, or give more rows, or leave rare classes out.",
        ),
        (
            {"targets": np.r_[np.zeros(59, int), 1]},
            {"n_folds": 1},
            "Class number 1 has 1 row, and 1 hold-out and its train rows need 2 at least: "
            "give more rows, or leave rare classes out.",
        ),
        (
            {},
            {"n_folds": 61, "kind": "regression"},
            "train has 60 different rows, and 61 folds need 61 at least: use at most 60 folds",
        ),
        (
            {"groups": np.arange(60) % 3},
            {},
            "`groups` has 3 different values, and 5 folds need 5 at least: use at most 3 folds",
        ),
        (
            {"times": np.arange(60) // 15},
            {},
            "`times` has 4 different values, and 5 folds in order of time need 6 at least: use at "
            "most 3 folds",
        ),
        (
            {"times": np.arange(60), "targets": np.r_[np.zeros(30, int), np.ones(30, int)]},
            {},
            "Fold 1 of 5 trains on 10 rows of one class, number 0: use fewer folds, or "
            "other `times`.",
        ),
        ({"targets": np.zeros(60, int)}, {}, "All 60 train rows are of one class"),
    ],
)
def test_rows_that_do_not_give_the_folds_are_refused_with_the_largest_number(
    changes: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError) as error:
        fold_indices(_rows(**changes), **{"kind": "classification", "n_folds": 5, **options})
    assert message in str(error.value)


def test_groups_of_one_class_each_are_refused_where_a_fold_has_one_class() -> None:
    groups = np.arange(60) % 2
    with pytest.raises(DataError, match=r"Fold 1 of 2 trains on 30 rows of one class"):
        fold_indices(replace(_rows(n_classes=2), groups=groups), "binary", 2)
    with pytest.raises(DataError, match="at least 2 rows, got 1"):
        fold_indices(_rows(1, 1), "regression", 2)
