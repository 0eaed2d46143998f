"""Columns of mean targets of few rows, in which the row itself counts.

The rows of a group have the mean of their own targets exactly, which a mean of other rows hits by
chance only. For shares such as 0, 1/2 or 2/3 the mean target of the rows with a share is the share
itself: its slope is 1. A share of few other rows is a poor estimate, and its slope is the part of
its variance that is between groups.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from workbench.measure.leakage.findings import Finding
from workbench.measure.leakage.view import Aim, Column, View, codes_of
from workbench.system.wording import percent

__all__ = ["own_means"]

FEW = 1_000  # rows that are looked at first
MOST_OF_SHARE = 10  # rows of a group whose shares are told from other numbers
SHARES = 0.9  # of the values that are such shares
LEAST_SHARES = 4  # different values
SLOPE = 0.85  # least slope
ABOVE = 3.0  # deviations above `HONEST`
HONEST = 0.6  # slope of a share of few other rows, at most
BELOW = 4.0  # deviations within 1
EDGE_ROWS = 20  # of another target that rows with the share 0 or 1 would have, by its share of all,
EXCEPTIONS = 0.01  # and of which they have at most this share of the rows
ROWS_A_GROUP = 60  # at most
LEAST_GROUPS = 10  # groups of several rows with different targets
EQUAL = 0.2  # share of such groups whose column is their mean exactly,
TIMES_CHANCE = 5  # and so many times as much as for permuted targets
MOST_OWNERS = 20  # columns that are taken as groups
ROWS_A_OWNER = 1.3  # at least


def own_means(view: View) -> Iterator[Finding]:
    """A finding for each column of mean targets of groups that hold the row itself."""
    if not view.are_columns or not view.aims:
        return
    owners: list[tuple[str, np.ndarray, int]] | None = None
    for column in view.columns:
        if column.type != "number" or column.train.dtype.kind != "f" or not _may_be_means(column):
            continue
        owners = _owners(view) if owners is None else owners
        for aim in view.aims:
            finding = _of_column(view, column, aim, owners)
            if finding is not None:
                yield finding
                break


def _may_be_means(column: Column) -> bool:
    """Whether values repeat, and have decimals."""
    few = column.train[:FEW]
    few = few[np.isfinite(few)]
    if len(few) < 40 or not (few % 1 != 0).any():
        return False
    whole = column.train[np.isfinite(column.train)]
    return bool(len(np.unique(few)) < 0.95 * len(few) or len(np.unique(whole)) < 0.9 * len(whole))


def _of_column(
    view: View, column: Column, aim: Aim, owners: list[tuple[str, np.ndarray, int]]
) -> Finding | None:
    values = np.concatenate([column.numbers("train"), column.numbers("valid")])
    for targets in _targets(aim):
        found = _slope(values, targets) if aim.kind == "classes" else None
        if found is not None:
            return _of_shares(column, aim, *found)
        own = _values_as_groups(values)
        for name, codes, n in ([("", *own)] if own else []) + owners:
            if name == column.name:
                continue
            share = _equal(values, codes, n, targets)
            if share is not None:
                return _of_groups(column, aim, name, *share)
    return None


def _targets(aim: Aim) -> Iterator[np.ndarray]:
    """The amounts, the class numbers, and whether each row is of a class, of train and valid."""
    labels = np.concatenate([aim.labels, aim.valid_labels]).astype(np.float64)
    if aim.kind == "amount":
        yield labels
        return
    for i in range(min(10, aim.train.shape[1])):
        yield np.concatenate([aim.train[:, i], aim.valid[:, i]])
    if aim.train.shape[1] > 1:
        yield labels


def _slope(values: np.ndarray, targets: np.ndarray) -> tuple[float, float, int] | None:
    """The slope of targets on shares of few rows, its deviation, and the number of shares."""
    known = np.isfinite(values)
    x, y = values[known], targets[known]
    if len(x) < 60 or x.min() < 0 or x.max() > 1:
        return None
    different, codes = np.unique(x, return_inverse=True)
    if len(different) < LEAST_SHARES or not _are_shares(different)[codes].mean() > SHARES:
        return None
    inside = (x > 0) & (x < 1)
    if inside.mean() < 0.05:
        return None
    # Rows of one group are alike: residuals within a value count, and few rows a group.
    line = np.polyfit(x, y, 1)
    rest = y - np.polyval(line, x)
    spread = ((x - x.mean()) ** 2).sum()
    deviation = float(np.sqrt((rest**2 * (x - x.mean()) ** 2).sum()) / spread)
    slope = float(line[0])
    others = {0.0: y.mean(), 1.0: 1 - y.mean()}
    edges = [
        np.abs(y[x == e] - e).mean()
        for e, share in others.items()
        if (x == e).sum() * share >= EDGE_ROWS
    ]
    are_pure = bool(edges) and max(edges) < EXCEPTIONS
    if slope < SLOPE or slope - ABOVE * deviation < HONEST:
        return None
    if abs(slope - 1) > max(BELOW * deviation, 0.05) or not are_pure:
        return None
    return slope, deviation, len(different)


def _are_shares(values: np.ndarray) -> np.ndarray:
    """Whether each value is a share k/n of at most `MOST_OF_SHARE` rows, to its decimals."""
    sizes = np.arange(1, MOST_OF_SHARE + 1)
    counted = values[:, None] * sizes
    rounded = np.round(counted) / sizes
    tolerance = min(0.005, _half_unit(values)) + 1e-6
    return np.asarray((np.abs(rounded - values[:, None]) <= tolerance).any(axis=1))


def _values_as_groups(values: np.ndarray) -> tuple[np.ndarray, int] | None:
    """The values themselves as groups, -1 where missing; None where few are different."""
    known = np.isfinite(values)
    different, codes = np.unique(values[known], return_inverse=True)
    if len(different) < LEAST_GROUPS or len(different) * ROWS_A_GROUP < len(codes):
        return None
    whole = np.full(len(values), -1)
    whole[known] = codes
    return whole, len(different)


def _owners(view: View) -> list[tuple[str, np.ndarray, int]]:
    """Columns that have several rows a value, as groups of train and valid rows."""
    found = []
    for column in view.columns:
        if column.type not in ("category", "number"):
            continue
        few = column.train[:FEW]
        if column.type == "number" and few.dtype.kind == "f" and (few % 1 != 0).any():
            continue
        if len(set(few.tolist())) < LEAST_GROUPS:
            continue
        (train, valid), n = codes_of(column.train, column.values["valid"])
        size = (len(train) + len(valid)) / n
        if ROWS_A_OWNER <= size <= ROWS_A_GROUP:
            found.append((column.name, np.concatenate([train, valid]), n))
    return found[:MOST_OWNERS]


def _equal(
    values: np.ndarray, codes: np.ndarray, n: int, targets: np.ndarray
) -> tuple[float, float, int] | None:
    """The share of groups whose value is their mean target, that of permuted targets, and groups.

    Groups of several rows with different targets and one value count.
    """
    known = (codes >= 0) & np.isfinite(values)
    codes, values, targets = codes[known], values[known], targets[known]
    counts = np.bincount(codes, minlength=n)
    of_group = np.zeros(n)
    of_group[codes] = values
    is_constant = np.ones(n, bool)
    np.logical_and.at(is_constant, codes, np.isclose(of_group[codes], values, rtol=1e-9))
    tolerance = _half_unit(values)
    shares = []
    for y in (targets, np.random.default_rng(0).permutation(targets)):
        sums = np.bincount(codes, weights=y, minlength=n)
        squares = np.bincount(codes, weights=y**2, minlength=n)
        mean = sums / np.maximum(counts, 1)
        spread = squares / np.maximum(counts, 1) - mean**2
        usable = (counts > 1) & is_constant & (spread > 1e-9 * np.maximum(1e-12, squares))
        equal = np.abs(mean - of_group) <= tolerance + 1e-9 * np.abs(mean)
        shares.append((int((equal & usable).sum()), int(usable.sum())))
    (n_equal, n_usable), (by_chance, of_permuted) = shares
    if n_usable < LEAST_GROUPS or n_equal < LEAST_GROUPS:
        return None
    share, chance = n_equal / n_usable, by_chance / max(1, of_permuted)
    deviation = np.sqrt(max(chance, 1 / n_usable) / n_usable)
    if share < max(EQUAL, TIMES_CHANCE * chance, chance + 6 * deviation):
        return None
    return share, chance, n_usable


def _half_unit(values: np.ndarray) -> float:
    """Half of the last decimal that the values have."""
    some = values[: min(len(values), 500)]
    for digits in range(7):
        if np.allclose(some, np.round(some, digits), rtol=0, atol=1e-9):
            return 0.5 * 10.0**-digits
    return 1e-9


def _of_shares(column: Column, aim: Aim, slope: float, deviation: float, n: int) -> Finding:
    return Finding(
        "encoded_with_targets",
        (column.name,),
        f"`{column.name}` has {n} different shares of few rows, such as 0, 1/3 or 1/2, and the "
        f"mean {aim.name} of the rows with a share is the share itself: the slope is {slope:.2f} "
        f"with a deviation of {deviation:.2f}. For a share of other rows it would be below "
        f"{HONEST:g}.",
        _advice(column),
        numbers={"value": slope, "chance": HONEST},
    )


def _of_groups(column: Column, aim: Aim, name: str, share: float, chance: float, n: int) -> Finding:
    groups = f"groups of `{name}`" if name else "groups of rows with one value"
    return Finding(
        "encoded_with_targets",
        (column.name,),
        f"`{column.name}` is the mean {aim.name} of the row's own group: in {percent(share, None)} "
        f"of {n:,} {groups} of several train and valid rows it is their mean exactly "
        f"({percent(chance, None)} for permuted targets).",
        _advice(column),
        numbers={"value": share, "chance": chance},
    )


def _advice(column: Column) -> str:
    return (
        f"Compute `{column.name}` inside the folds, for each row without its own target "
        "(scikit-learn's TargetEncoder in the pipeline): now it holds the target of the row to "
        "predict."
    )
