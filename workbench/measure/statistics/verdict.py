"""Verdict: before against after on one measure, as better, worse, equivalent within a margin, or
undecided.

The rule looks at the interval of the difference only:

    inside the margin                 -> equivalent     ----[--|--]----      (the margin is [ ], 0 is |, the interval --)
    else without 0                    -> better / worse     [  |  ]  -----
    else                              -> undecided      ----[--|--]--------

A difference that is proved but lies inside the margin is "equivalent": it is real, and does not
matter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from workbench.errors import DataError
from workbench.measure.statistics.intervals import (
    Interval,
    blocks_of,
    bootstrap_mean,
    bootstrap_whole,
    nothing_seen,
    student,
    t_quantile,
    tango,
    trimmed,
    z_quantile,
)
from workbench.measure.statistics.quality import is_share, scores_of
from workbench.measure.statistics.sentences import quality_sentence, speed_sentence
from workbench.metrics import Metric

__all__ = [
    "Decision",
    "Verdict",
    "compare_many",
    "compare_quality",
    "compare_speed",
    "holm",
    "within",
]

Decision = Literal["better", "worse", "equivalent", "undecided"]
RELATIVE_MARGIN = (
    0.01  # of the value before, for a metric whose unit is the user's own and that states no margin
)
# Two processes of the same program differ for good, as they lie in memory otherwise: standard
# deviation of the log ratio over restarts, from tests/measure/recorded_aa.json (0.4 %, rounded up).
# See Mytkowicz et al., "Producing Wrong Data Without Doing Anything Obviously Wrong!" (ASPLOS
# 2009). More rounds do not help, so no interval is narrower than +- 1 %.
RESTART_SPREAD = 0.005
POWER = 0.8  # the chance of being shown that makes a difference "one that these data could show"


@dataclass(frozen=True)
class Verdict:
    """What one measure says about after against before.

    `difference` is after - before with its interval `low` to `high`, in the metric's own unit and
    direction; of speed it is the ratio after / before (`unit` is "ratio"). `margin` is the
    difference that counts as none, `smallest` the one that these `n` samples (or rounds) would show
    four times in five. `level` is the interval's, such as 0.95.
    """

    metric: str
    decision: Decision
    before: float
    after: float
    difference: float
    low: float
    high: float
    margin: float
    smallest: float
    unit: str
    n: int
    text: str
    higher_is_better: bool = True
    level: float = 0.95

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Verdict:
        return cls(**data)


def within(verdict: Verdict, at_most_lost: float) -> bool:
    """Whether "at most this much lost" is proved: the bound of the interval, not the estimate, is
    inside.

    `at_most_lost` is in the metric's own unit (0.005 of accuracy is half a point); of speed a share
    (0.05 is 5 % slower).
    """
    if verdict.unit == "ratio":
        return verdict.high <= 1 + at_most_lost
    lost = -verdict.low if verdict.higher_is_better else verdict.high
    return lost <= at_most_lost


def compare_quality(
    outputs_before: np.ndarray,
    outputs_after: np.ndarray,
    targets: np.ndarray,
    metric: Metric,
    *,
    margin: float | None = None,
    times: np.ndarray | None = None,
    alpha: float = 0.05,
    seed: int = 0,
) -> Verdict:
    """The verdict on two models' outputs `(rows, ...)` for the same rows, paired row by row.

    Right-or-wrong scores get Tango's interval, other means Student's t, scores of the whole set and
    blocks (`times`) the bootstrap's standard error with Student's t. `margin` is the metric's own
    if None; where that is 0, 1 % of the value before. Raises DataError for rows that do not match.
    """
    n = len(targets)
    if metric.per_sample is not None:
        before, after = (scores_of(o, targets, metric) for o in (outputs_before, outputs_after))
        values = float(before.mean()), float(after.mean())
        low, high = _paired_mean(before, after, times, alpha, seed, bounded=metric.unit == "points")
    else:
        if not len(outputs_before) == len(outputs_after) == n:
            raise DataError(
                f"{len(outputs_before)} outputs before, {len(outputs_after)} after, {n} targets: "
                "they must match."
            )
        values = metric(outputs_before, targets), metric(outputs_after, targets)
        low, high = _paired_whole(
            outputs_before, outputs_after, targets, metric, times, alpha, seed
        )
    margin = margin if margin is not None else metric.margin or RELATIVE_MARGIN * abs(values[0])
    decision = _decision(low, high, margin, higher_is_better=metric.higher_is_better)
    smallest = _smallest(high - low, alpha)
    text = quality_sentence(
        metric, decision, (values[1] - values[0], low, high), margin, smallest, n, alpha
    )
    return Verdict(
        metric.name,
        decision,
        *values,
        values[1] - values[0],
        low,
        high,
        margin,
        smallest,
        metric.unit,
        n,
        text,
        metric.higher_is_better,
        1 - alpha,
    )


def compare_many(
    outputs_before: np.ndarray,
    outputs_after: np.ndarray,
    targets: np.ndarray,
    metrics: Sequence[Metric],
    *,
    margins: Mapping[str, float] | None = None,
    times: np.ndarray | None = None,
    alpha: float = 0.05,
    seed: int = 0,
) -> tuple[Verdict, ...]:
    """A verdict a metric, in their order, with Holm's correction: all decisions together hold at
    level `alpha`.
    """

    def at(metric: Metric) -> Callable[[float], Verdict]:
        margin = (margins or {}).get(metric.name)
        return lambda level: compare_quality(
            outputs_before,
            outputs_after,
            targets,
            metric,
            margin=margin,
            times=times,
            alpha=level,
            seed=seed,
        )

    return holm([at(metric) for metric in metrics], alpha)


def holm(
    comparisons: Sequence[Callable[[float], Verdict]], alpha: float = 0.05
) -> tuple[Verdict, ...]:
    """Verdicts of several comparisons (each called with its alpha), step by step (Holm,
    Scandinavian J. of Statistics 6, 1979).

    All are tried at alpha / m; those decided are taken, the rest tried again at alpha over how many
    are left, until none is decided any more.
    """
    found: dict[int, Verdict] = {}
    left = list(range(len(comparisons)))
    while left:
        tried = {i: comparisons[i](alpha / len(left)) for i in left}
        decided = [i for i in left if tried[i].decision != "undecided"]
        found |= tried
        if not decided:
            break
        left = [i for i in left if i not in decided]
    return tuple(found[i] for i in range(len(comparisons)))


def compare_speed(
    blocks_before: Sequence[float],
    blocks_after: Sequence[float],
    *,
    margin: float = 0.03,
    alpha: float = 0.05,
    metric: str = "latency_ms",
) -> Verdict:
    """The verdict on two candidates timed side by side: one entry a round in each, the two blocks
    of a round adjacent in time.

    Works on the log ratio of each round, so that what slows both (heat, other work) cancels, and on
    its trimmed mean, so that a wild round does not decide; a restart's own effect is allowed for.
    Feed it the best call of each block, which other work disturbs least. `metric` is what the
    sentence speaks of, lower is better. Raises DataError for unequal or fewer than 3 rounds, and
    times that are not above 0.
    """
    before, after = (
        np.asarray(blocks_before, dtype=np.float64),
        np.asarray(blocks_after, dtype=np.float64),
    )
    if before.shape != after.shape or before.ndim != 1 or len(before) < 3:
        shapes = f"{before.shape} and {after.shape}"
        raise DataError(
            f"Speed needs as many blocks before as after, one a round and 3 at least; got {shapes}."
        )
    if not ((before > 0).all() and (after > 0).all()):
        raise DataError("Block times must be above 0; time longer blocks.")
    estimate, low, high = trimmed(np.log(after / before), alpha, RESTART_SPREAD)
    decision = _decision(low, high, float(np.log1p(margin)), higher_is_better=False)
    ratio, smallest = (
        tuple(float(np.exp(v)) for v in (estimate, low, high)),
        float(np.expm1(_smallest(high - low, alpha))),
    )
    text = speed_sentence(metric, decision, ratio, margin, smallest, len(before), alpha)
    return Verdict(
        metric,
        decision,
        float(np.median(before)),
        float(np.median(after)),
        *ratio,
        margin,
        smallest,
        "ratio",
        len(before),
        text,
        False,
        1 - alpha,
    )


def _decision(low: float, high: float, margin: float, *, higher_is_better: bool) -> Decision:
    if -margin < low and high < margin:
        return "equivalent"
    if low <= 0 <= high:
        return "undecided"
    return "better" if (low > 0) == higher_is_better else "worse"


def _smallest(width: float, alpha: float) -> float:
    """The difference that would be shown with chance POWER, from the width of the interval."""
    z = z_quantile(alpha)
    return float(width / 2 * (z + z_quantile(2 * (1 - POWER))) / z)


def _paired_mean(
    before: np.ndarray,
    after: np.ndarray,
    times: np.ndarray | None,
    alpha: float,
    seed: int,
    *,
    bounded: bool,
) -> Interval:
    n, change = len(before), after - before
    if times is None and is_share(before) and is_share(after):
        return tango(int((change > 0).sum()), int((change < 0).sum()), n, alpha)
    if times is not None:
        blocks = blocks_of(times, n)
        low, high = _from_draws(
            float(change.mean()),
            bootstrap_mean(change, blocks, seed=seed),
            int(blocks.max()) + 1,
            alpha,
        )
    else:
        low, high = student(change, alpha)
    # What n rows cannot exclude: a share of unseen rows that change as much as the most extreme one
    # seen.
    largest = float(np.abs(change - change.mean()).max())
    if largest < 1e-12:
        largest = 1.0 if bounded else float(max(np.ptp(before), np.ptp(after)))
    least = nothing_seen(n, alpha) * largest
    return float(min(low, change.mean() - least)), float(max(high, change.mean() + least))


def _paired_whole(
    before: np.ndarray,
    after: np.ndarray,
    targets: np.ndarray,
    metric: Metric,
    times: np.ndarray | None,
    alpha: float,
    seed: int,
) -> Interval:
    n = len(targets)
    blocks = None if times is None else blocks_of(times, n)
    n_units = n if blocks is None else int(blocks.max()) + 1
    difference = metric(after, targets) - metric(before, targets)
    draws = bootstrap_whole(
        lambda rows: metric(after[rows], targets[rows]) - metric(before[rows], targets[rows]),
        n,
        blocks,
        seed=seed,
    )
    low, high = _from_draws(difference, draws, n_units, alpha)
    if high - low > 1e-12:
        return low, high
    least = nothing_seen(n, alpha) * (
        1.0 if metric.unit == "points" else max(1.0, abs(metric(before, targets)))
    )
    return low - least, high + least


def _from_draws(estimate: float, draws: np.ndarray, n_units: int, alpha: float) -> Interval:
    """Estimate +- t x the bootstrap's standard error: smooth in alpha, as Holm's steps need it."""
    half = (
        t_quantile(alpha, n_units) * float(np.std(draws, ddof=1)) * (n_units / (n_units - 1)) ** 0.5
    )
    return estimate - half, estimate + half
