"""The number of rows that would decide a comparison which these rows cannot decide."""

from __future__ import annotations

import math

from workbench.measure.statistics.verdict import Verdict

__all__ = ["rows_needed", "rows_needed_for_limit"]

MOST_ROWS = 1e9  # more than this says that the two cannot be told apart


def rows_needed(verdict: Verdict) -> int | None:
    """The number of rows that decides in four of five cases, to two significant digits.

    The width of an interval shrinks with 1 / sqrt(rows). `verdict.smallest` is the difference that
    `n` rows show in four of five cases, so a distance `d` needs `n (smallest / d)^2` rows. The
    distance is the larger one of two: from 0 (better or worse), and from the difference to the
    margin (equivalent). It is taken for granted that the true difference is the measured one. None
    for a decided verdict, and where no number of rows is enough.
    """
    if verdict.decision != "undecided":
        return None
    difference = abs(verdict.difference)
    return _needed(verdict, max(difference, verdict.margin - difference))


def rows_needed_for_limit(verdict: Verdict, at_most_lost: float) -> int | None:
    """The number of rows that decides whether at most `at_most_lost` was lost; see `rows_needed`.

    The distance is that from the measured loss to the limit.
    """
    return _needed(verdict, abs(at_most_lost - verdict.loss[0]))


def _needed(verdict: Verdict, distance: float) -> int | None:
    if not distance or verdict.n * (verdict.smallest / distance) ** 2 > MOST_ROWS:
        return None
    needed = max(verdict.n + 1, verdict.n * (verdict.smallest / distance) ** 2)
    return _rounded_up(needed)


def _rounded_up(number: float) -> int:
    """The number rounded up to two significant digits: 4,130 becomes 4,200."""
    step = 1
    while number / step >= 100:
        step *= 10
    return math.ceil(number / step) * step
