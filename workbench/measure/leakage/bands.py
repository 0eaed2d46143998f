"""Columns that hold bands of an amount: each value has a range of targets of its own.

The ranges of an honest column overlap, as other causes and chance move the targets across each
boundary. Where a column is nearly a function with few results, the ranges lie apart with gaps
between them. A column that was cut from the target has neither: the targets go on evenly across
each boundary, and no value crosses it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from workbench.measure.leakage.findings import Finding
from workbench.measure.leakage.view import Aim, Column, View, codes_of, is_time_name
from workbench.system.wording import percent

__all__ = ["bands_of_target"]

MOST_VALUES = 40
FEW = 1_000  # rows that are looked at first
LEAST_ROWS = 60  # of train
ROWS_A_VALUE = 8  # of a value, else it is not looked at
ROWS_OF_TWO = 40  # of each value where there are two
OUT_OF_PLACE = 0.005  # share of train rows
OUT_OF_PLACE_ON_VALID = 0.02
AROUND = 10  # targets on each side with which the gap at a boundary is compared
TIMES_GAP = 1.5  # the gap is at most so much larger than the largest one around
EVEN = 0.5  # share of the boundaries without a gap
TRIM = 0.01  # of the rows of a value at each end, in the first look


@dataclass(frozen=True, eq=False)
class Bands:
    """Values in ascending order of their targets, and the limits between them."""

    order: np.ndarray
    limits: np.ndarray
    out_of_place: int
    n: int


def bands_of_target(view: View) -> Iterator[Finding]:
    """A finding for each column whose values have ranges of the target without an overlap."""
    if not view.are_columns:
        return
    for aim in view.aims:
        if aim.kind != "amount" or len(aim.labels) < LEAST_ROWS:
            continue
        order = np.argsort(aim.labels, kind="stable")
        amounts = aim.labels[order].astype(np.float64)
        for column in view.columns:
            finding = _of_column(view, column, aim, order, amounts)
            if finding is not None:
                yield finding


def _of_column(
    view: View, column: Column, aim: Aim, order: np.ndarray, amounts: np.ndarray
) -> Finding | None:
    if column.type not in ("number", "category"):
        return None
    if len(set(column.train[:FEW].tolist())) > MOST_VALUES:
        return None
    (train, valid), n = codes_of(column.train, column.values["valid"])
    if n > MOST_VALUES + 2 or _follows_time(view, column, train):
        return None
    is_known = ~column.missing("train")[order]
    codes, amounts = train[order][is_known], amounts[is_known]
    bands = _bands(codes, amounts, n)
    if bands is None or bands.out_of_place > OUT_OF_PLACE * bands.n:
        return None
    is_known = ~column.missing("valid")
    wrong = _out_of_place(bands, valid[is_known], aim.valid_labels[is_known].astype(np.float64))
    if wrong > OUT_OF_PLACE_ON_VALID:
        return None
    inside = 1 - bands.out_of_place / bands.n
    usual = float(np.bincount(codes, minlength=n).max() / len(codes))
    return Finding(
        "bands_of_target",
        (column.name,),
        f"Each of {len(bands.order)} values of `{column.name}` has a range of the {aim.name} of "
        f"its own: {percent(inside, 1)} of train and {percent(1 - wrong, 1)} of valid rows lie in "
        f"the range of their value (the most frequent value has {percent(usual, None)}), and there "
        "is no gap between the ranges.",
        f"Leave `{column.name}` out: it was cut from the {aim.name}, and is not known when the "
        "model predicts.",
        numbers={"value": inside, "chance": usual},
    )


def _follows_time(view: View, column: Column, codes: np.ndarray) -> bool:
    """Whether a column grows with the time of the rows, as the year beside a trend does."""
    if is_time_name(column.name):
        return True
    if not view.in_time:
        return False
    numbers = np.asarray(codes, np.float64)
    return bool((np.diff(numbers) >= 0).mean() > 0.99)


def _bands(codes: np.ndarray, amounts: np.ndarray, n: int) -> Bands | None:
    """The bands of codes `(rows,)` in ascending order of the amounts; None where there are none."""
    counts = np.bincount(codes, minlength=n)
    grouped = np.argsort(codes, kind="stable")
    starts = np.cumsum(counts) - counts
    used = np.flatnonzero(counts >= ROWS_A_VALUE)
    if len(used) < 2 or counts[used].sum() < 0.97 * len(codes):
        return None
    if len(used) == 2 and counts[used].min() < ROWS_OF_TWO:
        return None
    cut = (TRIM * counts[used]).astype(int)
    low = grouped[starts[used] + cut]
    high = grouped[starts[used] + counts[used] - 1 - cut]
    by_low = np.argsort(low)
    used, low, high = used[by_low], low[by_low], high[by_low]
    if (high[:-1] > low[1:]).any():
        return None
    limits, wrong, even = [], 0, 0
    for one, other in pairwise(used.tolist()):
        lower = amounts[grouped[starts[one] : starts[one] + counts[one]]]
        upper = amounts[grouped[starts[other] : starts[other] + counts[other]]]
        limit, errors = _limit(lower, upper)
        limits.append(limit)
        wrong += errors
        even += _is_even(amounts, limit)
    if np.diff(limits).min(initial=1.0) <= 0 or even < EVEN * len(limits):
        return None
    ranges = len(np.unique(amounts))
    if ranges < 2 * len(used):
        return None
    return Bands(used, np.array(limits), wrong, int(counts[used].sum()))


def _limit(lower: np.ndarray, upper: np.ndarray) -> tuple[float, int]:
    """The limit between two sorted groups of amounts with the fewest rows on the wrong side."""
    tries = np.unique(np.concatenate([lower[-50:], upper[:50]]))
    edges = (tries[:-1] + tries[1:]) / 2
    if not len(edges):
        return float(tries[0]), min(len(lower), len(upper))
    above = len(lower) - np.searchsorted(lower, edges)
    below = np.searchsorted(upper, edges)
    best = int((above + below).argmin())
    return float(edges[best]), int(above[best] + below[best])


def _is_even(amounts: np.ndarray, limit: float) -> bool:
    """Whether the gap at a limit is no larger than the gaps around it."""
    values = np.unique(amounts)
    at = int(np.searchsorted(values, limit))
    around = values[max(0, at - AROUND) : at + AROUND]
    gaps = np.diff(around)
    place = at - max(0, at - AROUND) - 1
    if not 0 <= place < len(gaps) or len(gaps) < 3:
        return False
    others = np.delete(gaps, place)
    return bool(gaps[place] <= TIMES_GAP * others.max())


def _out_of_place(bands: Bands, codes: np.ndarray, amounts: np.ndarray) -> float:
    """The share of rows whose amount is not in the band of their value."""
    is_used = np.isin(codes, bands.order)
    if not is_used.any():
        return 0.0
    expected = bands.order[np.searchsorted(bands.limits, amounts[is_used])]
    return float((expected != codes[is_used]).mean())
