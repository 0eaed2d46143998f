"""Folds of train rows for cross-validation: stratified, by groups, or in order of time.

Held-out rows `#` of 4 folds; a row of time never trains for one before it:

    seed    ##......  ..##....  ....##..  ......##
    times   ..#       ..,#      ...,#     ....,#    (`,` and `.` train)
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.data.cut import strata_of
from workbench.data.notices import notice
from workbench.data.overlap import copies_are_natural, row_hashes
from workbench.data.rows import AnyRows, Rows
from workbench.errors import DataError, SettingsError, shown

if TYPE_CHECKING:
    from workbench.data.labels import Kind

__all__ = ["Fold", "fold_indices"]

Fold = tuple[np.ndarray, np.ndarray]

ONE_HOLD_OUT = 5  # a single hold-out is one of so many parts
UNEVEN = 2  # a fold with twice its share of the rows, or half of it, is far from it


def fold_indices(
    rows: AnyRows,
    kind: Kind,
    n_folds: int,
    *,
    seed: int = 0,
    repeats: int = 1,
) -> list[Fold]:
    """Row numbers `(train, held)` of each fold; every row is held out once a repeat.

    Folds of classes and labels are stratified. Identical rows, and rows of one group, are in one
    fold. Rows with `times` are cut in their order: the rows of a fold train
    before those that it holds out, and rows of one time are never parted. `n_folds=1` is one
    hold-out of a fifth. Raises SettingsError for numbers that are not allowed, DataError for rows
    that do not give so many folds, with the largest number that they do give.
    """
    _check_numbers(n_folds, repeats)
    if len(rows) < 2:
        raise DataError(f"Folds need at least 2 rows, got {len(rows)}.")
    if rows.times is not None:
        if rows.groups is not None:
            raise SettingsError(
                "Rows with `times` are cut in their order, so `groups` has no effect: leave it out."
            )
        folds = _in_time(np.asarray(rows.times), n_folds, repeats)
        _refuse_one_class(folds, rows, kind, "times")
        return folds
    groups = None if rows.groups is None else _numbered(rows.groups)
    splitting = _Splitting.of(
        rows, kind, n_folds, seed=seed, are_groups=groups is not None, repeats=repeats
    )
    folds = _kept_together(splitting, rows, groups)
    _refuse_one_class(folds, rows, kind, "groups")
    return folds


def _check_numbers(n_folds: Any, repeats: Any) -> None:
    for name, value in (("n_folds", n_folds), ("repeats", repeats)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise SettingsError(f"`{name}` must be a whole number from 1 on, got {shown(value)}.")


def _in_time(times: np.ndarray, n_folds: int, repeats: int) -> list[Fold]:
    """Folds in order of time; each trains on all times before those that it holds out."""
    if repeats > 1:
        raise SettingsError(
            f"`repeats` must be 1 for rows with `times`, which are cut in one way, got {repeats}."
        )
    labels, numbers = np.unique(times, return_inverse=True)
    n_times = len(labels)
    if n_times <= n_folds:
        raise DataError(
            f"`times` has {n_times:,} different values, and {n_folds} folds in order of time need "
            f"{n_folds + 1} at least: {_at_most(n_times - 1)}."
        )
    return [
        (np.flatnonzero(numbers < start), np.flatnonzero((numbers >= start) & (numbers < end)))
        for start, end in _spans_of_time(n_times, n_folds)
    ]


def _spans_of_time(n_times: int, n_folds: int) -> Iterator[tuple[int, int]]:
    """The numbers of the first time that each fold holds out, and of the one after its last."""
    from sklearn.model_selection import TimeSeriesSplit

    if n_folds == 1:
        yield n_times - max(1, n_times // ONE_HOLD_OUT), n_times
        return
    for _, held in TimeSeriesSplit(n_splits=n_folds).split(np.arange(n_times)):
        yield int(held[0]), int(held[-1]) + 1


def _numbered(values: np.ndarray) -> np.ndarray:
    """Equal values as equal numbers `(rows,)`, counted from 0 in the order of the rows."""
    _, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    return np.unique(first[inverse], return_inverse=True)[1]


@dataclass(frozen=True)
class _Splitting:
    """How rows are split by a seed; `strata` `(rows,)` are None where they are not stratified.

    `are_classes` says that each stratum is a class, of which every fold needs a row.
    """

    strata: np.ndarray | None
    are_classes: bool
    are_groups: bool
    n_folds: int
    seed: int
    repeats: int
    classes: np.ndarray | None = None  # the class of each stratum

    @classmethod
    def of(
        cls,
        rows: AnyRows,
        kind: Kind,
        n_folds: int,
        *,
        seed: int,
        are_groups: bool,
        repeats: int,
    ) -> _Splitting:
        """Stratified by classes, or by the rarest label of each row, where the kind has them."""
        targets = np.asarray(rows.targets)
        if targets.ndim == 2 and targets.shape[1] == 1:
            targets = targets[:, 0]
        are_classes = kind in ("classification", "binary") and targets.ndim == 1
        strata, classes = None, None
        if are_classes or kind == "multilabel":
            classes, strata, counts = np.unique(
                strata_of(targets, kind), return_inverse=True, return_counts=True
            )
            if not are_classes:  # rare strata become one: no label is needed in every fold
                strata = np.where(counts[strata] < n_folds, len(counts), strata)
        return cls(strata, are_classes, are_groups, n_folds, seed, repeats, classes)

    def folds(self, units: np.ndarray) -> list[Fold]:
        """Folds of rows, none of which parts a unit `(rows,)`; raises DataError for too few."""
        n_parts = self._n_parts(units)
        folds: list[Fold] = []
        for repeat in range(self.repeats):
            state = int(np.random.SeedSequence([self.seed, repeat]).generate_state(1)[0])
            for held in self._held_parts(units, n_parts, state)[: self.n_folds]:
                is_held = np.zeros(len(units), bool)
                is_held[held] = True
                folds.append((np.flatnonzero(~is_held), np.flatnonzero(is_held)))
        return folds

    def _n_parts(self, units: np.ndarray) -> int:
        """The number of parts to split into; raises DataError where rows do not give so many."""
        _, first = np.unique(units, return_index=True)
        least = max(2, self.n_folds)
        needed = f"{_folds_text(self.n_folds)} need {least} at least"
        if len(first) < least:
            subject = "`groups` has" if self.are_groups else "train has"
            noun = "values" if self.are_groups else "rows"
            raise DataError(
                f"{subject} {len(first):,} different {noun}, and {needed}: {_at_most(len(first))}."
            )
        largest = len(first)
        if self.strata is not None and self.are_classes:
            counts = np.bincount(self.strata if self.are_groups else self.strata[first])
            largest = min(largest, int(counts.min()))
            if largest < least:
                noun = "row" if largest == 1 else "different rows"
                name = counts.argmin() if self.classes is None else self.classes[counts.argmin()]
                raise DataError(
                    f"Class number {name} has {largest} {noun}, and {needed}: "
                    f"{_at_most(largest)}, or leave rare classes out."
                )
        return self.n_folds if self.n_folds > 1 else min(ONE_HOLD_OUT, largest)

    def _held_parts(self, units: np.ndarray, n_parts: int, state: int) -> list[np.ndarray]:
        """Row numbers of each of the parts in which scikit-learn splits the rows."""
        from sklearn.model_selection import (
            GroupKFold,
            KFold,
            StratifiedGroupKFold,
            StratifiedKFold,
        )

        chosen: dict[str, Any] = {"n_splits": n_parts, "shuffle": True, "random_state": state}
        strata = self.strata
        with warnings.catch_warnings():
            # The merged rare strata of several labels a row may still have fewer rows than folds.
            warnings.filterwarnings("ignore", message="The least populated class")
            if self.are_groups:
                splitter = GroupKFold if strata is None else StratifiedGroupKFold
                y = np.zeros(len(units)) if strata is None else strata
                return [held for _, held in splitter(**chosen).split(units, y, units)]
            # One row for each unit, whose copies have the same class: fast for many rows.
            names, first = np.unique(units, return_index=True)
            if strata is None or np.ptp(strata[first]) == 0:
                splits = KFold(**chosen).split(first)
            else:
                splits = StratifiedKFold(**chosen).split(first, strata[first])
            return [np.flatnonzero(np.isin(units, names[held])) for _, held in splits]


def _kept_together(splitting: _Splitting, rows: AnyRows, groups: np.ndarray | None) -> list[Fold]:
    """Folds by the seed, with copies and groups kept together.

    Rows of few different values have too many copies for that. They are cut without regard to
    copies, as `cut` does, with a warning.
    """
    units = _with_copies(rows, groups)
    try:
        folds = splitting.folds(units)
    except DataError:
        if not copies_are_natural(rows):
            raise
        folds = []
    is_even = bool(folds) and (groups is not None or _is_even(folds, len(rows), splitting.n_folds))
    if is_even or not copies_are_natural(rows):
        return folds
    alone = splitting.folds(np.arange(len(rows)) if groups is None else groups)
    notice(
        f"train has {len(np.unique(row_hashes(rows.take(slice(None))))):,} different rows among "
        f"{len(rows):,}, which cannot be cut into even folds with all copies kept together: copies "
        "of a row are in several folds. The scores say little about rows that were never seen."
    )
    return alone


def _with_copies(rows: AnyRows, groups: np.ndarray | None) -> np.ndarray:
    """The number of the rows that stay together with each row `(rows,)`, counted from 0.

    These are its copies and its group, with their copies and groups. Rows of a torch dataset are
    not compared with one another.
    """
    if not isinstance(rows, Rows):
        return np.arange(len(rows)) if groups is None else groups
    copies = _numbered(row_hashes(rows))
    if groups is None:
        return copies
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n_groups, n_different = int(groups.max()) + 1, int(copies.max()) + 1
    edges = (np.ones(len(rows)), (groups, n_groups + copies))
    n_all = n_groups + n_different
    _, parts = connected_components(coo_array(edges, shape=(n_all, n_all)), directed=False)
    return _numbered(parts[groups])


def _folds_text(n_folds: int) -> str:
    return "1 hold-out and its train rows" if n_folds == 1 else f"{n_folds} folds"


def _at_most(largest: int) -> str:
    """The way out for too many folds."""
    if largest < 2:
        return "give more rows"
    return f"use at most {largest} folds, or give more rows"


def _is_even(folds: list[Fold], n_rows: int, n_folds: int) -> bool:
    """Whether every fold is near its share of the rows; a single hold-out counts as even."""
    share = n_rows / n_folds
    return n_folds == 1 or all(share / UNEVEN < len(held) < share * UNEVEN for _, held in folds)


def _refuse_one_class(folds: list[Fold], rows: AnyRows, kind: Kind, cause: str) -> None:
    """Raise DataError for a fold whose train or held-out rows are all of one class."""
    targets = np.asarray(rows.targets)
    if kind not in ("classification", "binary") or targets.size != len(targets):
        return
    targets = targets.reshape(len(targets))
    if len(np.unique(targets)) < 2:
        raise DataError(
            f"All {len(targets):,} train rows are of one class: give rows of other classes too."
        )
    for number, fold in enumerate(folds, 1):
        for part, index in zip(("trains on", "holds out"), fold, strict=True):
            classes = np.unique(targets[index])
            if len(classes) < 2:
                raise DataError(
                    f"Fold {number} of {len(folds)} {part} {len(index):,} rows of one class, "
                    f"number {classes[0]:g}: use fewer folds, or other `{cause}`."
                )
