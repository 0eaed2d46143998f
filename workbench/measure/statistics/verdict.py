"""Verdict: after against before on one measure: better, worse, equivalent or undecided.

The decision depends on the interval of the difference only. Below, [ ] is the margin, | is 0, and
-- is the interval:

    inside the margin    -> equivalent          [ -|- ]
    else, without 0      -> better or worse     [  |  ]  -----
    else                 -> undecided         --[--|--]-------

A difference that is proved but lies inside the margin is "equivalent": it is real, but too small
to matter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from workbench.errors import DataError
from workbench.measure.statistics.intervals import trimmed, z_quantile
from workbench.measure.statistics.paired import mean_difference, whole_difference
from workbench.measure.statistics.quality import scores_of
from workbench.measure.statistics.sentences import quality_sentence, speed_sentence
from workbench.metrics import Metric
from workbench.system.records import record

__all__ = [
    "RESTART_SPREAD",
    "SPEED_MARGIN",
    "Decision",
    "Verdict",
    "compare_many",
    "compare_quality",
    "compare_speed",
    "decision_of",
    "holm",
    "smallest_shown",
    "within",
]

Decision = Literal["better", "worse", "equivalent", "undecided"]
SPEED_MARGIN = 0.03  # a latency this near is the same
RELATIVE_MARGIN = 0.01  # of the value before, for a metric without a margin of its own
# Standard deviation of the log ratio of times over restarts of the same program: 0.4 % in
# tests/measure/statistics/recorded_aa.json, rounded up. Two processes have different layouts in
# memory and keep them (Mytkowicz et al., "Producing Wrong Data Without Doing Anything Obviously
# Wrong!", ASPLOS 2009). More rounds do not help, so no interval is narrower than +- 1 %.
RESTART_SPREAD = 0.005
POWER = 0.8  # chance of showing the difference that is named as `smallest`


@dataclass(frozen=True)
class Verdict:
    """The verdict of one measure on after against before.

    `difference` is after - before with its interval `low` to `high`, in the metric's own unit and
    direction; for speed it is the ratio after / before, and `unit` is "ratio". `margin` is the
    difference that counts as none. `smallest` is the difference that these `n` samples (or rounds)
    show in four of five cases. `level` is the level of the interval, such as 0.95.
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

    @property
    def loss(self) -> tuple[float, float, float]:
        """The loss with the bounds of its interval, whatever way is better: (value, low, high)."""
        if self.higher_is_better:
            return -self.difference, -self.high, -self.low
        return self.difference, self.low, self.high

    def to_json(self) -> dict[str, Any]:
        """The verdict as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Verdict:
        """The verdict of the values that `to_json` gave."""
        return record(cls, data)


def within(verdict: Verdict, at_most_lost: float) -> bool:
    """Whether the loss is proved to be at most `at_most_lost`.

    The bound of the interval must be inside, not only the estimate. `at_most_lost` is in the
    metric's own unit (0.005 of accuracy is half a point); for speed it is a share (0.05 is 5 %
    slower).
    """
    if verdict.unit == "ratio":
        return verdict.high <= 1 + at_most_lost
    return verdict.loss[2] <= at_most_lost


def compare_quality(
    outputs_before: np.ndarray,
    outputs_after: np.ndarray,
    targets: np.ndarray,
    metric: Metric,
    *,
    margin: float | None = None,
    blocks: np.ndarray | None = None,
    alpha: float = 0.05,
    seed: int = 0,
) -> Verdict:
    """The verdict on two models' outputs `(rows, ...)` for the same rows, paired row by row.

    Scores of 0 and 1 get Tango's interval, other means get Student's t. Scores of the whole set,
    and those with `blocks`, get the bootstrap's standard error with Student's t. `margin` is the
    metric's own if None; where that is 0, it is 1 % of the value before. Raises DataError for rows
    that do not match.
    """
    n = len(targets)
    if metric.per_sample is not None:
        scores_before = scores_of(outputs_before, targets, metric)
        scores_after = scores_of(outputs_after, targets, metric)
        before = float(scores_before.mean())
        after = float(scores_after.mean())
        low, high = mean_difference(
            scores_before, scores_after, blocks, alpha, seed, bounded=metric.unit == "points"
        )
    else:
        if not len(outputs_before) == len(outputs_after) == n:
            raise DataError(
                f"Outputs and targets must match row by row: {len(outputs_before)} outputs before, "
                f"{len(outputs_after)} after, {n} targets. Give one of each a row."
            )
        before = metric(outputs_before, targets)
        after = metric(outputs_after, targets)
        low, high = whole_difference(
            outputs_before, outputs_after, targets, metric, blocks=blocks, alpha=alpha, seed=seed
        )
    if margin is None:
        margin = metric.margin or RELATIVE_MARGIN * abs(before)
    difference = after - before
    decision = decision_of(low, high, margin, metric.sign)
    smallest = smallest_shown(high - low, alpha)
    return Verdict(
        metric=metric.name,
        decision=decision,
        before=before,
        after=after,
        difference=difference,
        low=low,
        high=high,
        margin=margin,
        smallest=smallest,
        unit=metric.unit,
        n=n,
        text=quality_sentence(
            metric, decision, (difference, low, high), margin, smallest, n, alpha
        ),
        higher_is_better=metric.higher_is_better,
        level=1 - alpha,
    )


def compare_many(
    outputs_before: np.ndarray,
    outputs_after: np.ndarray,
    targets: np.ndarray,
    metrics: Sequence[Metric],
    *,
    margins: Mapping[str, float] | None = None,
    blocks: np.ndarray | None = None,
    alpha: float = 0.05,
    seed: int = 0,
) -> tuple[Verdict, ...]:
    """A verdict a metric, in their order, with Holm's correction.

    The chance that any of the decisions is false is at most `alpha`.
    """

    def comparison(metric: Metric) -> Callable[[float], Verdict]:
        margin = (margins or {}).get(metric.name)
        return lambda metric_alpha: compare_quality(
            outputs_before,
            outputs_after,
            targets,
            metric,
            margin=margin,
            blocks=blocks,
            alpha=metric_alpha,
            seed=seed,
        )

    return holm([comparison(metric) for metric in metrics], alpha)


def holm(
    comparisons: Sequence[Callable[[float], Verdict]], alpha: float = 0.05
) -> tuple[Verdict, ...]:
    """Verdicts of several comparisons with Holm's correction, in their order.

    Each comparison is called with its alpha. All start with alpha / m. The decided ones are kept,
    and the rest is called again with alpha over the number left, until no further one is decided
    (Holm, Scandinavian Journal of Statistics 6, 1979).
    """
    verdicts: dict[int, Verdict] = {}
    left = list(range(len(comparisons)))
    while left:
        latest = {i: comparisons[i](alpha / len(left)) for i in left}
        verdicts |= latest
        undecided = [i for i in left if latest[i].decision == "undecided"]
        if len(undecided) == len(left):
            break
        left = undecided
    return tuple(verdicts[i] for i in range(len(comparisons)))


def compare_speed(
    blocks_before: Sequence[float],
    blocks_after: Sequence[float],
    *,
    margin: float = SPEED_MARGIN,
    alpha: float = 0.05,
    metric: str = "latency_ms",
) -> Verdict:
    """The verdict on two candidates timed side by side, one block of each in every round.

    The two blocks of a round are adjacent in time. The log ratio of each round cancels the effects
    that slow both down, such as heat and other work; the trimmed mean over rounds keeps an outlier
    from deciding; the interval includes the effect of a restart. Give the fastest call of each
    block, which other work disturbs least. `metric` is the name in the sentence; lower is better.
    Raises DataError for unequal or fewer than 3 rounds, and for times that are not above 0.
    """
    before = np.asarray(blocks_before, dtype=np.float64)
    after = np.asarray(blocks_after, dtype=np.float64)
    _check_blocks(before, after)
    n_rounds = len(before)
    log_interval = trimmed(np.log(after / before), alpha, RESTART_SPREAD)
    _, log_low, log_high = log_interval
    decision = decision_of(log_low, log_high, float(np.log1p(margin)), sign=-1.0)
    ratio, low, high = (float(np.exp(value)) for value in log_interval)
    smallest = float(np.expm1(smallest_shown(log_high - log_low, alpha)))
    return Verdict(
        metric=metric,
        decision=decision,
        before=float(np.median(before)),
        after=float(np.median(after)),
        difference=ratio,
        low=low,
        high=high,
        margin=margin,
        smallest=smallest,
        unit="ratio",
        n=n_rounds,
        text=speed_sentence(
            metric, decision, (ratio, low, high), margin, smallest, n_rounds, alpha
        ),
        higher_is_better=False,
        level=1 - alpha,
    )


def _check_blocks(before: np.ndarray, after: np.ndarray) -> None:
    if before.shape != after.shape or before.ndim != 1 or len(before) < 3:
        raise DataError(
            "Speed needs one block before and one after in each of at least 3 rounds, got shapes "
            f"{before.shape} and {after.shape}."
        )
    if not ((before > 0).all() and (after > 0).all()):
        raise DataError("Block times must be above 0; time longer blocks.")


def decision_of(low: float, high: float, margin: float, sign: float) -> Decision:
    """The decision for the interval of a difference; `sign` is that of the metric."""
    if -margin < low and high < margin:
        return "equivalent"
    if low <= 0 <= high:
        return "undecided"
    return "better" if sign * low > 0 else "worse"


def smallest_shown(width: float, alpha: float) -> float:
    """The difference that is shown with chance POWER, from the width of the interval."""
    z = z_quantile(alpha)
    return float(width / 2 * (z + z_quantile(2 * (1 - POWER))) / z)
