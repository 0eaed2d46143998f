"""Intervals of the difference of two models on the same rows, paired row by row."""

from __future__ import annotations

import numpy as np

from workbench.measure.statistics.intervals import (
    NO_WIDTH,
    Interval,
    blocks_of,
    bootstrap_mean,
    bootstrap_whole,
    nothing_seen,
    student,
    t_quantile,
    tango,
)
from workbench.measure.statistics.quality import is_share
from workbench.metrics import Metric

__all__ = ["mean_difference", "whole_difference"]


def mean_difference(
    before: np.ndarray,
    after: np.ndarray,
    blocks: np.ndarray | None,
    alpha: float,
    seed: int,
    *,
    bounded: bool,
) -> Interval:
    """Interval of the mean of `after - before`, scores `(rows,)` of the same rows.

    With block labels `blocks` `(rows,)`, whole blocks are resampled. `bounded` says that scores lie
    between 0 and 1.
    """
    n = len(before)
    change = after - before
    if blocks is None and is_share(before) and is_share(after):
        return tango(int((change > 0).sum()), int((change < 0).sum()), n, alpha)
    mean = change.mean()
    if blocks is None:
        low, high = student(change, alpha)
    else:
        numbers = blocks_of(blocks, n)
        draws = bootstrap_mean(change, numbers, seed=seed)
        low, high = _from_draws(float(mean), draws, int(numbers.max()) + 1, alpha)
    # `n` rows cannot exclude a share of unseen rows that change as much as the most extreme one.
    largest = float(np.abs(change - mean).max())
    if largest < NO_WIDTH:
        largest = 1.0 if bounded else float(max(np.ptp(before), np.ptp(after)))
    least = nothing_seen(n, alpha) * largest
    return float(min(low, mean - least)), float(max(high, mean + least))


def whole_difference(
    before: np.ndarray,
    after: np.ndarray,
    targets: np.ndarray,
    metric: Metric,
    *,
    blocks: np.ndarray | None,
    alpha: float,
    seed: int,
) -> Interval:
    """Interval of the difference of a score of the whole set, from resampled rows or blocks.

    `before` and `after` are the outputs `(rows, ...)` of the two models.
    """
    n = len(targets)
    numbers = None if blocks is None else blocks_of(blocks, n)
    n_units = n if numbers is None else int(numbers.max()) + 1
    difference = metric(after, targets) - metric(before, targets)
    first, second = metric.resampled(before, targets), metric.resampled(after, targets)
    draws = bootstrap_whole(lambda rows: second(rows) - first(rows), n, numbers, seed=seed)
    low, high = _from_draws(difference, draws, n_units, alpha)
    if high - low > NO_WIDTH:
        return low, high
    largest = 1.0 if metric.unit == "points" else max(1.0, abs(metric(before, targets)))
    least = nothing_seen(n, alpha) * largest
    return low - least, high + least


def _from_draws(estimate: float, draws: np.ndarray, n_units: int, alpha: float) -> Interval:
    """Estimate +- t x the bootstrap's standard error.

    Unlike percentiles it is smooth in alpha, which Holm's steps need.
    """
    correction = (n_units / (n_units - 1)) ** 0.5
    half = t_quantile(alpha, n_units) * float(np.std(draws, ddof=1)) * correction
    return estimate - half, estimate + half
