"""Values that tell one class: flags of a class, filled gaps, and the words of a code.

A value is compared with all other rows by its odds ratio. The strongest honest causes have odds
ratios of about 20 (smoking and lung cancer). A value is reported where the number of its exceptions
would be too small for an odds ratio of 20, by the binomial distribution, corrected for the number
of values and classes tried. For a number that repeats unusually often, as one does that fills gaps,
the odds ratio is 10: which rows have a gap goes with the class by less. A value of which at least
half of the rows are of one class needs an odds ratio of 200.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workbench.measure.leakage.view import Aim, Column, View, codes_of

__all__ = ["Counts", "Telling", "class_names", "counts_of", "telling_values"]

ODDS_RATIO = 20.0  # of an honest cause, at most
GAP_ODDS_RATIO = 10.0  # of honest gaps that were filled with one value, at most
ALPHA = 0.001  # for all values and classes together
PURE = 0.98  # share of one class among the rows of a value on train,
PURE_ON_VALID = 0.9  # and on valid
HALF_PURE, HALF_ON_VALID = 0.5, 0.4  # the same, of a value that stands for a class less strictly,
TIMES_ODDS = 10  # with an odds ratio so many times as large
LEAST_VALID = 3  # rows of the value
PART_OF_CLASS = 0.2  # of the rows of the class that a value has, at least
LEAST_ROWS = 10  # of a value
MOST_VALUES = 30  # of a column of few values
MOST_FREQUENT = 300  # values of a category of many that are looked at, the most frequent ones
LEAST_ZERO = 0.1  # share of rows that are 0, from which 0 is compared with all others
LEAST_ATOM = 0.02  # share of rows with one number that repeats,
TIMES_USUAL = 10  # as often as other numbers
MOST_ATOMS = 3  # of a column
EACH = 0.05  # probability of each of several values that count together


@dataclass(frozen=True, eq=False)
class Counts:
    """Rows of each value and class `(values, classes)` on train and valid.

    `names` are the values; `is_whole` says whether they are all values of the column; `total` and
    `valid_total` are the rows of each class; `of_zero` says that the values are 0 and all others.
    """

    column: Column
    names: tuple[str, ...]
    train: np.ndarray
    valid: np.ndarray
    total: np.ndarray
    valid_total: np.ndarray
    is_whole: bool
    of_zero: bool = False

    @property
    def odds_ratio(self) -> float:
        """The odds ratio of an honest cause, at most."""
        return GAP_ODDS_RATIO if self.are_gaps else ODDS_RATIO

    @property
    def are_gaps(self) -> bool:
        """Whether the values are numbers that repeat, as those do that fill gaps."""
        return self.column.type == "number" and not (self.is_whole or self.of_zero)


@dataclass(frozen=True, eq=False)
class Telling:
    """Values of one column that go with one class each: `(value, class, rows, share)`.

    `is_sure` is false for 0 against all other numbers, and where a good part are exceptions.
    """

    column: Column
    values: tuple[tuple[str, int, int, float], ...]
    p: float
    odds_ratio: float
    is_sure: bool


def class_names(view: View, aim: Aim) -> list[str]:
    """The names of the classes of an aim, in the order of their numbers."""
    numbers = np.unique(aim.labels)
    named = view.task.classes if view.task.kind in ("binary", "classification") else ()
    return [str(named[int(v)]) if 0 <= v < len(named) else f"{v:g}" for v in numbers.tolist()]


def counts_of(columns: Sequence[Column], aim: Aim) -> list[Counts]:
    """The counts of the columns that have few values, or numbers that repeat unusually often.

    Numbers of which many are 0 are counted once more, as 0 and others: a count of events after the
    target is 0 in all rows of one class.
    """
    classes, labels = np.unique(aim.labels, return_inverse=True)
    places = np.searchsorted(classes, aim.valid_labels).clip(0, len(classes) - 1)
    is_class = classes[places] == aim.valid_labels
    found = []
    for column in columns:
        for of_zero, coded in ((False, _coded(column)), (True, _coded_zero(column))):
            if coded is None:
                continue
            train, valid, names, is_whole = coded
            found.append(
                Counts(
                    column,
                    names,
                    _crossed(train, labels, len(names), len(classes)),
                    _crossed(valid[is_class], places[is_class], len(names), len(classes)),
                    np.bincount(labels, minlength=len(classes)),
                    np.bincount(places[is_class], minlength=len(classes)),
                    is_whole,
                    of_zero,
                )
            )
    return found


def _crossed(values: np.ndarray, labels: np.ndarray, n: int, k: int) -> np.ndarray:
    usable = values >= 0
    return np.bincount(values[usable] * k + labels[usable], minlength=n * k).reshape(n, k)


def _coded(column: Column) -> tuple[np.ndarray, np.ndarray, tuple[str, ...], bool] | None:
    """Values as numbers from 0, -1 for all others, by split; their names; whether all are there."""
    if column.type == "number":
        return _coded_numbers(column)
    if column.type != "category":
        return None
    (train, valid), n = codes_of(column.train, column.values["valid"])
    is_whole = n <= 2 * MOST_VALUES
    if not is_whole:  # the values of enough rows
        counts = np.bincount(train, minlength=n)
        frequent = np.argsort(-counts, kind="stable")[:MOST_FREQUENT]
        frequent = frequent[counts[frequent] >= LEAST_ROWS]
        if not len(frequent):
            return None
        place = np.full(n, -1)
        place[frequent] = np.arange(len(frequent))
        train, valid, n = place[train], place[valid], len(frequent)
    names = np.full(n, "", object)
    for split, codes in (("valid", valid), ("train", train)):
        at, first = np.unique(codes, return_index=True)
        at, first = at[at >= 0], first[at >= 0]
        names[at] = [str(v) for v in column.values[split][first].tolist()]
    parts = [np.where(column.missing(s), -1, c) for s, c in (("train", train), ("valid", valid))]
    return parts[0], parts[1], tuple(names.tolist()), is_whole


def _coded_numbers(column: Column) -> tuple[np.ndarray, np.ndarray, tuple[str, ...], bool] | None:
    train, valid = column.numbers("train"), column.numbers("valid")
    values, counts = np.unique(train[np.isfinite(train)], return_counts=True)
    is_whole = len(values) <= MOST_VALUES
    if not is_whole:
        usual = TIMES_USUAL * np.median(counts)
        is_atom = counts >= max(LEAST_ROWS, LEAST_ATOM * len(train), usual)
        if not is_atom.any():
            return None
        values, counts = values[is_atom], counts[is_atom]
        values = np.sort(values[np.argsort(-counts)[:MOST_ATOMS]])
    if not len(values):
        return None
    parts = []
    for numbers in (train, valid):
        places = np.searchsorted(values, numbers).clip(0, len(values) - 1)
        parts.append(np.where(values[places] == numbers, places, -1))
    return parts[0], parts[1], tuple(f"{v:g}" for v in values.tolist()), is_whole


def _coded_zero(column: Column) -> tuple[np.ndarray, np.ndarray, tuple[str, ...], bool] | None:
    """0 and all other numbers as the values 0 and 1; None for flags and where few or most are 0."""
    if column.type != "number":
        return None
    train, valid = column.numbers("train"), column.numbers("valid")
    is_zero = train[np.isfinite(train)] == 0
    if not LEAST_ZERO <= is_zero.sum() / max(1, len(train)) <= 1 - LEAST_ATOM:
        return None
    if len(np.unique(train[np.isfinite(train)])) <= 2:
        return None
    parts = [np.where(np.isfinite(v), (v != 0).astype(np.int64), -1) for v in (train, valid)]
    return parts[0], parts[1], ("0", "another value than 0"), False


def telling_values(counts: Sequence[Counts]) -> list[Telling]:
    """The values that go with one class more than an honest cause would."""
    # Numbers in order, such as counts, are left out: a few of them are far out by nature.
    tried = [
        c for c in counts if not (c.is_whole and c.column.type == "number" and len(c.names) > 2)
    ]
    n_tried = max(1, sum(c.train.size for c in tried))
    found = []
    for one in tried:
        telling = _of_column(one, ALPHA / n_tried)
        if telling is not None:
            found.append(telling)
    return found


def _of_column(counts: Counts, alpha: float) -> Telling | None:
    from scipy.stats import chi2

    p, share = _probabilities(counts)
    best = p.argmin(axis=1)
    rows = np.arange(len(best))
    least = p[rows, best]
    sure = np.flatnonzero(least < alpha)
    together = float(least[sure].min()) if len(sure) else 1.0
    if counts.are_gaps:  # values that filled gaps: by Fisher's method
        several = np.flatnonzero(least < EACH)
        statistic = -2 * np.log(np.maximum(least[several], 1e-300)).sum()
        combined = float(chi2.sf(statistic, 2 * len(several))) if len(several) else 1.0
        if combined < alpha and len(several) > len(sure):
            sure, together = several, combined
    if not len(sure):
        return None
    values = tuple(
        (counts.names[i], int(best[i]), int(counts.train[i].sum()), float(share[i, best[i]]))
        for i in sure[np.argsort(-counts.train[sure].sum(axis=1))].tolist()
    )
    is_pure = values[0][3] >= PURE
    ratio = counts.odds_ratio * (1 if is_pure else TIMES_ODDS)
    return Telling(counts.column, values, together, ratio, is_pure and not counts.of_zero)


def _probabilities(counts: Counts) -> tuple[np.ndarray, np.ndarray]:
    """For each value and class, the probability of so few exceptions; and the share of the class.

    It is 1 where the value has too few rows, is not pure, or has a small part of the class.
    """
    from scipy.stats import binom

    inside, n = counts.train.astype(np.float64), counts.total.sum()
    of_value = inside.sum(axis=1, keepdims=True)
    share = inside / np.maximum(of_value, 1)
    of_valid = counts.valid.sum(axis=1, keepdims=True)
    enough = (
        (of_value >= LEAST_ROWS)
        & (of_value < n)
        & (inside >= PART_OF_CLASS * counts.total)
        & (of_valid >= LEAST_VALID)
    )
    is_pure = share >= PURE
    usable = enough & is_pure & (counts.valid >= PURE_ON_VALID * of_valid)
    usable |= enough & ~is_pure & (share >= HALF_PURE) & (counts.valid >= HALF_ON_VALID * of_valid)
    p = np.ones_like(share)
    if usable.any():
        outside = counts.total - inside
        odds = (outside + 0.5) / (n - of_value - outside + 0.5)
        odds = odds * counts.odds_ratio * np.where(is_pure, 1, TIMES_ODDS)
        honest = odds / (1 + odds)
        exceptions = np.broadcast_to(of_value, share.shape) - inside
        rows = np.broadcast_to(of_value, share.shape)
        p[usable] = binom.cdf(exceptions[usable], rows[usable], 1 - honest[usable])
    return p, share
