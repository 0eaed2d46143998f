"""Scores of folds: the interval of their mean, and verdicts on two candidates on the same folds.

The train rows of two folds overlap, so their scores are correlated, and the usual variance of a
mean is too small. It is multiplied here by n x (1/n + n_held / n_train), the corrected resampled
t-test (Nadeau and Bengio, "Inference for the Generalization Error", Machine Learning 52, 2003).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from workbench.errors import DataError
from workbench.measure.statistics.intervals import Interval, nothing_seen, t_quantile
from workbench.measure.statistics.sentences import quality_sentence
from workbench.measure.statistics.verdict import (
    RELATIVE_MARGIN,
    Verdict,
    decision_of,
    smallest_shown,
)
from workbench.metrics import Metric
from workbench.system.records import record
from workbench.system.wording import value_text

__all__ = ["FoldScores", "compare_folds", "fold_scores", "resampled"]


@dataclass(frozen=True)
class FoldScores:
    """A metric on the held-out rows of each fold: `values`, their mean and its 95 % interval.

    `n_rows` is the number of different held-out rows, `ratio` the mean of held-out rows / train
    rows of a fold, and `margin` the difference that the metric counts as none. Bounds of one fold
    are infinite.
    """

    metric: str
    values: tuple[float, ...]
    mean: float
    low: float
    high: float
    n_rows: int
    ratio: float
    unit: str
    higher_is_better: bool
    margin: float
    level: float = 0.95

    def to_json(self) -> dict[str, Any]:
        """The scores as plain values; infinite bounds as None, which JSON does not have."""
        bounds = {k: getattr(self, k) for k in ("low", "high")}
        finite = {k: v if np.isfinite(v) else None for k, v in bounds.items()}
        return {**asdict(self), "values": list(self.values), **finite}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FoldScores:
        """The scores of the values that `to_json` gave."""
        values = {**data, "values": tuple(data["values"])}
        for name, bound in (("low", -np.inf), ("high", np.inf)):
            values[name] = bound if values[name] is None else values[name]
        return record(cls, values)

    def shown(self, value: float) -> str:
        """A value of this metric as text: `92.50 %` or `0.123`."""
        return value_text(value, self.unit)


def fold_scores(
    values: Sequence[float], metric: Metric, *, n_rows: int, ratio: float, alpha: float = 0.05
) -> FoldScores:
    """The scores `(folds,)` of a metric with their mean and its interval.

    Bounds of a share stay between 0 and 1. Raises DataError for scores that are not finite.
    """
    scores = np.asarray(values, np.float64)
    if not len(scores) or not np.isfinite(scores).all():
        raise DataError(
            f"`{metric.name}` must be a finite number on every fold, got {scores.tolist()}."
        )
    is_share = metric.unit == "points"
    low, high = resampled(scores, ratio, n_rows, largest=1.0 if is_share else 0.0, alpha=alpha)
    if is_share and len(scores) > 1:
        low, high = max(low, min(0.0, scores.min())), min(high, max(1.0, scores.max()))
    return FoldScores(
        metric=metric.name,
        values=tuple(scores.tolist()),
        mean=float(scores.mean()),
        low=float(low),
        high=float(high),
        n_rows=n_rows,
        ratio=ratio,
        unit=metric.unit,
        higher_is_better=metric.higher_is_better,
        margin=metric.margin,
        level=1 - alpha,
    )


def resampled(
    values: np.ndarray, ratio: float, n_rows: int, *, largest: float = 0.0, alpha: float = 0.05
) -> Interval:
    """The corrected t interval of the mean of `values` `(folds,)`, of overlapping train rows.

    `ratio` is held-out rows / train rows of a fold. `n_rows` held-out rows cannot exclude a share
    of other rows that change a score by `largest`, so the interval is never narrower than that.
    Infinite for a single fold.
    """
    n = len(values)
    if n < 2:
        return -np.inf, np.inf
    mean = float(np.mean(values))
    error = float(np.std(values, ddof=1)) * (1 / n + ratio) ** 0.5
    half = max(t_quantile(alpha, n) * error, nothing_seen(n_rows, alpha) * largest)
    return mean - half, mean + half


def compare_folds(
    before: FoldScores, after: FoldScores, *, margin: float | None = None, alpha: float = 0.05
) -> Verdict:
    """The verdict on two candidates by the differences of their scores on the same folds.

    `margin` is the metric's own if None; where that is 0, it is 1 % of the mean before. Raises
    DataError for scores of other metrics, of other numbers of folds, or of one fold.
    """
    if before.metric != after.metric or len(before.values) != len(after.values):
        raise DataError(
            f"Scores must be of one metric on the same folds, got {before.metric} on "
            f"{len(before.values)} and {after.metric} on {len(after.values)} folds."
        )
    if len(before.values) < 2:
        raise DataError("One fold shows no difference: give `folds=5` or `repeats=5` at least.")
    change = np.asarray(after.values) - np.asarray(before.values)
    spread = float(max(np.ptp(before.values), np.ptp(after.values)))
    largest = 1.0 if before.unit == "points" else spread
    low, high = resampled(change, before.ratio, before.n_rows, largest=largest, alpha=alpha)
    if margin is None:
        margin = before.margin or RELATIVE_MARGIN * abs(before.mean)
    metric = Metric(
        before.metric,
        unit=before.unit,
        higher_is_better=before.higher_is_better,
        margin=margin,
    )
    difference = float(change.mean())
    decision = decision_of(low, high, margin, metric.sign)
    smallest = smallest_shown(high - low, alpha)
    n = before.n_rows
    return Verdict(
        metric=before.metric,
        decision=decision,
        before=before.mean,
        after=after.mean,
        difference=difference,
        low=low,
        high=high,
        margin=margin,
        smallest=smallest,
        unit=before.unit,
        n=n,
        text=quality_sentence(
            metric, decision, (difference, low, high), margin, smallest, n, alpha
        ),
        higher_is_better=before.higher_is_better,
        level=1 - alpha,
    )
