"""The cut into splits: decided by the seed, stratified, in order of time, no row in two splits."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from tests.small_tasks import iris, wine
from workbench.data.cut import hold_out
from workbench.data.notices import WorkbenchWarning
from workbench.data.overlap import row_hashes
from workbench.data.rows import Rows
from workbench.errors import DataError
from workbench.tasks.make import make_task

SPLITS = ("train", "valid", "calibration", "test")


def test_splits_are_the_same_for_the_same_seed_and_others_for_another() -> None:
    digests = [
        [getattr(make_task("wine", train=wine(), seed=seed).data, split).digest for split in SPLITS]
        for seed in (0, 0, 1)
    ]
    assert digests[0] == digests[1]
    assert digests[0] != digests[2]


def test_splits_are_disjoint_stratified_and_of_the_documented_shares() -> None:
    raw = load_digits()
    task = make_task("digits", train=(raw.data, raw.target))
    sizes = task.data.sizes()
    shares = {n: size / len(raw.target) for n, size in sizes.items()}
    assert sum(sizes.values()) == len(raw.target)
    assert shares == pytest.approx(
        {"train": 0.6, "valid": 0.2, "calibration": 0.05, "test": 0.15}, abs=0.005
    )
    hashes = [set(row_hashes(getattr(task.data, s)).tolist()) for s in SPLITS]
    assert len(set.union(*hashes)) == sum(map(len, hashes))
    for split in SPLITS:
        counts = np.bincount(getattr(task.data, split).targets, minlength=10)
        assert counts.max() - counts.min() <= max(2, 0.1 * counts.max())


def test_copies_of_a_row_land_in_one_split() -> None:
    x, y = wine()
    task = make_task("wine", train=(np.tile(x, (3, 1)), np.tile(y, 3)))
    hashes = [set(row_hashes(getattr(task.data, s)).tolist()) for s in SPLITS]
    assert sum(map(len, hashes)) == len(set.union(*hashes)) == len(x)


def test_splits_given_are_never_touched() -> None:
    x, y = wine()
    order = np.random.default_rng(0).permutation(len(y))
    valid, test, train = order[:40], order[40:80], order[80:]
    task = make_task(
        "wine", train=(x[train], y[train]), valid=(x[valid], y[valid]), test=(x[test], y[test])
    )
    assert np.array_equal(task.data.test.inputs["x"], x[test])
    assert np.array_equal(task.data.valid.targets, y[valid])
    assert len(task.data.train) + len(task.data.calibration) == len(train)


def test_splits_follow_time_and_part_no_day_when_times_are_given() -> None:
    frame = iris().sample(frac=1, random_state=0).reset_index(drop=True)
    frame["day"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(
        np.random.default_rng(1).integers(0, 30, len(frame)), "D"
    )
    task = make_task("iris", train=frame, target="species", times="day")
    spans = [(getattr(task.data, s).times.min(), getattr(task.data, s).times.max()) for s in SPLITS]
    assert "day" not in task.data.train.inputs
    assert all(before[1] < after[0] for before, after in pairwise(spans))
    assert all((np.diff(getattr(task.data, s).times).astype(int) >= 0).all() for s in SPLITS)


def test_times_of_a_torch_dataset_are_refused_and_not_dropped() -> None:
    x, y = wine()
    with pytest.raises(
        DataError, match="`times` needs rows in memory, .*: give arrays, a DataFrame or `Rows`"
    ):
        make_task("wine", train=list(zip(x, y, strict=True)), times=np.arange(len(y)))


def test_splits_follow_an_array_of_times() -> None:
    x, y = wine()
    shuffled = np.random.default_rng(0).permutation(len(y))
    task = make_task("wine", train=(x[shuffled], y[shuffled]), times=np.arange(len(y)))
    assert np.array_equal(task.data.train.times, np.arange(len(task.data.train)))
    assert task.data.test.times[-1] == len(y) - 1


def _categories(n: int, n_columns: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    z = np.random.default_rng(seed).integers(0, 4, (n, n_columns))
    return z.astype(np.float32), (z.sum(1) > 1.5 * n_columns).astype(int)


def test_rows_of_few_different_values_are_cut_at_random_with_a_warning() -> None:
    with pytest.warns(WorkbenchWarning) as warned:
        task = make_task("t", train=_categories(2000, 2))
    texts = [str(w.message) for w in warned]
    assert "16 different rows among 2,000" in texts[0]
    assert "to keep rows apart, give the splits" in texts[0]
    assert "300 of 300 test rows are in train, valid, calibration too" in texts[1]
    assert {w.filename for w in warned} == {__file__}, "the warning is about the user's line"
    shares = {n: size / 2000 for n, size in task.data.sizes().items()}
    assert shares == pytest.approx(
        {"train": 0.6, "valid": 0.2, "calibration": 0.05, "test": 0.15}, abs=0.005
    )
    with pytest.warns(WorkbenchWarning):
        again = make_task("t", train=_categories(2000, 2))
    assert again.data.test.digest == task.data.test.digest


def test_copies_of_rows_stay_together_where_enough_rows_differ() -> None:
    task = make_task("t", train=_categories(2000, 5))
    hashes = [set(row_hashes(getattr(task.data, s)).tolist()) for s in SPLITS]
    assert sum(map(len, hashes)) == len(set.union(*hashes))


def test_copies_of_a_few_continuous_rows_are_still_refused() -> None:
    x = np.random.default_rng(0).normal(size=(6, 3))
    with pytest.raises(DataError, match="with 3 different rows cannot be cut"):
        make_task("t", train=(np.tile(x, (9, 1)), np.tile([0, 1], 27)))


def _numbers(n: int = 100, **changes: object) -> Rows:
    x = np.random.default_rng(0).normal(size=(n, 3))
    return Rows(**{"inputs": {"x": x}, "targets": np.arange(n) % 4, **changes})


def test_share_that_is_held_out_is_stratified_and_decided_by_the_seed() -> None:
    rows = _numbers()
    rest, held = hold_out(rows, "classification", 0.2, seed=1)
    assert sorted([*rest, *held]) == list(range(100))
    assert np.bincount(rows.targets[held]).tolist() == [5] * 4
    assert np.array_equal(hold_out(rows, "classification", 0.2, seed=1)[1], held)
    assert not np.array_equal(hold_out(rows, "classification", 0.2, seed=2)[1], held)


def test_share_that_is_held_out_keeps_groups_and_the_order_of_time() -> None:
    groups = np.array([f"g{i // 5}" for i in range(100)])
    rest, held = hold_out(replace(_numbers(), groups=groups), "classification", 0.2)
    assert not set(groups[rest]) & set(groups[held])
    assert len(held) == 20
    rest, held = hold_out(_numbers(times=np.arange(100) // 4), "classification", 0.2)
    assert held.tolist() == list(range(80, 100))


def test_class_with_one_row_does_not_prevent_a_hold_out() -> None:
    targets = np.r_[np.zeros(99, int), 1]
    rest, held = hold_out(_numbers(targets=targets), "binary", 0.15)
    assert (len(rest), len(held)) == (85, 15)
