"""Numbers that give the target exactly, with another factor for each value of a category.

So a mass of emitted gas is the litres burnt times a factor that depends on the fuel. Alone the
number explains most of the target at best, as rows of all categories lie over one another.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from workbench.measure.leakage.evidence import explained_by_others
from workbench.measure.leakage.findings import Finding
from workbench.measure.leakage.strength import explained, squared_rank_correlation
from workbench.measure.leakage.view import Aim, Column, View, codes_of
from workbench.system.wording import percent

__all__ = ["exact_within_categories"]

EXACT = 0.995  # share of amounts that is explained
MUCH = 0.8  # of it, which the other columns together explain at most
MOST_VALUES = 30  # of a category
ROWS_A_VALUE = 20  # in train, at least
LEAST_KNOWN = 0.95  # share of valid rows of values that are frequent enough
MOST_NUMBERS = 60  # columns that are tried


def exact_within_categories(view: View) -> Iterator[Finding]:
    """A finding for each number and category that together give an amount by straight lines."""
    if not view.are_columns:
        return
    numbers = [c for c in view.columns if c.type == "number"]
    for aim in view.aims:
        if aim.kind != "amount":
            continue
        ranked = sorted(numbers, key=lambda c: -squared_rank_correlation(c, aim))[:MOST_NUMBERS]
        coded = [(c, codes) for c in view.columns if (codes := _categories(c)) is not None]
        for column in ranked:
            found = _best(column, coded, aim)
            if found is None:
                continue
            category, share, alone = found
            rest = explained_by_others(view.columns, aim, column.name)
            if rest <= MUCH * share:
                yield _finding(column, category, aim, share, alone, rest)


def _best(
    column: Column, coded: list[tuple[Column, tuple[np.ndarray, np.ndarray]]], aim: Aim
) -> tuple[Column, float, float] | None:
    """The category within whose values the column is exact, the share, and that of one line."""
    x = column.numbers("train"), column.numbers("valid")
    y = aim.labels.astype(np.float64), aim.valid_labels.astype(np.float64)
    known = np.isfinite(x[0]), np.isfinite(x[1])
    if known[0].mean() < LEAST_KNOWN or known[1].mean() < LEAST_KNOWN:
        return None
    x, y = (x[0][known[0]], x[1][known[1]]), (y[0][known[0]], y[1][known[1]])
    zeros = np.zeros(len(x[0]), np.int64), np.zeros(len(x[1]), np.int64)
    alone = _by_lines(x, y, zeros)
    if alone > EXACT:
        return None  # a copy of the target, which is found as a column
    shares = [
        (category, _by_lines(x, y, (codes[0][known[0]], codes[1][known[1]])))
        for category, codes in coded
        if category is not column
    ]
    best = max(shares, key=lambda s: s[1], default=None)
    return None if best is None or best[1] < EXACT else (*best, alone)


def _by_lines(
    x: tuple[np.ndarray, np.ndarray],
    y: tuple[np.ndarray, np.ndarray],
    codes: tuple[np.ndarray, np.ndarray],
) -> float:
    """The share of valid that straight lines explain, one for each code, fitted on train.

    Rows of a code that is rare in train get the mean.
    """
    mean = y[0].mean()
    predicted = np.full(len(y[1]), mean)
    n_known = 0
    for code in range(int(codes[0].max(initial=0)) + 1):
        own, asked = codes[0] == code, codes[1] == code
        if own.sum() < ROWS_A_VALUE or np.ptp(x[0][own]) == 0:
            continue
        n_known += int(asked.sum())
        slope, constant = np.polyfit(x[0][own], y[0][own], 1)
        predicted[asked] = slope * x[1][asked] + constant
    if n_known < LEAST_KNOWN * len(y[1]):
        return 0.0
    return explained(predicted[:, None], y[1][:, None], np.array([mean]))


def _categories(column: Column) -> tuple[np.ndarray, np.ndarray] | None:
    """The values of a column of few values as numbers, by split; None for other columns."""
    if column.type not in ("category", "number"):
        return None
    train, valid = column.train, column.values["valid"]
    if len(np.unique(train[:1000].astype(str))) > MOST_VALUES:
        return None
    (train, valid), n = codes_of(train, valid)
    return (train, valid) if 2 <= n <= 2 * MOST_VALUES else None


def _finding(
    column: Column, category: Column, aim: Aim, share: float, alone: float, rest: float
) -> Finding:
    return Finding(
        "combines_to_target",
        (column.name, category.name),
        f"Within each value of `{category.name}`, the {aim.name} is a straight line of "
        f"`{column.name}`: these lines explain {percent(share, 2)} of it on valid, one line for "
        f"all rows {percent(max(0.0, alone), None)}, all other columns together "
        f"{percent(rest, None)}.",
        f"Ask when `{column.name}` is known. If it is computed from the target, or measured after "
        "it, leave it out.",
        numbers={"value": share, "chance": 0.0, "others": rest},
    )
