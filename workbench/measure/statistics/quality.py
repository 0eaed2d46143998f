"""Quality: a metric's value on a set of rows, with the interval that the number of rows allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from workbench.errors import DataError
from workbench.measure.statistics.intervals import (
    NO_WIDTH,
    Interval,
    blocks_of,
    bootstrap_mean,
    bootstrap_whole,
    expanded_percentile,
    nothing_seen,
    student,
    wilson,
)
from workbench.metrics import Metric
from workbench.system.records import record
from workbench.system.wording import value_text

__all__ = ["Quality", "check_outputs", "is_share", "quality", "scores_of"]


@dataclass(frozen=True)
class Quality:
    """A metric on `n` rows: its value and its 95 % interval, in the metric's own unit."""

    metric: str
    value: float
    low: float
    high: float
    n: int
    unit: str
    higher_is_better: bool
    split: str = ""

    def to_json(self) -> dict[str, Any]:
        """The quality as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Quality:
        """The quality of the values that `to_json` gave."""
        return record(cls, data)

    @property
    def text(self) -> str:
        """Value and interval as text: `accuracy 92.50 % (91.80 % to 93.15 %)`."""
        interval = f"{self.shown(self.low)} to {self.shown(self.high)}"
        return f"{self.metric} {self.shown(self.value)} ({interval})"

    def shown(self, value: float) -> str:
        """A value of this metric as text: `92.50 %` or `0.123`."""
        return value_text(value, self.unit)


def quality(
    outputs: np.ndarray,
    targets: np.ndarray,
    metric: Metric,
    *,
    blocks: np.ndarray | None = None,
    seed: int = 0,
    alpha: float = 0.05,
    split: str = "",
) -> Quality:
    """The metric of outputs `(rows, ...)` against targets `(rows, ...)`, with its interval.

    Scores of 0 and 1 get Wilson's interval, other means get Student's t, scores of the whole set
    get a bootstrap. `blocks` `(rows,)` labels blocks of rows that belong together, such as a day or
    a patient: then whole blocks are resampled. Raises DataError for no rows, unequal lengths, and
    scores that are not finite.
    """
    n = len(targets)
    if metric.per_sample is not None:
        scores = scores_of(outputs, targets, metric)
        value = float(np.mean(scores))
        low, high = _mean_interval(scores, blocks, seed, alpha, bounded=metric.unit == "points")
    else:
        check_outputs(outputs, targets)
        value = metric(outputs, targets)
        low, high = _whole_interval(outputs, targets, metric, blocks, seed, alpha)
        # Resampling moves some scores to one side: a calibration error grows, as rows occur twice.
        low = min(low, value)
        high = max(high, value)
    return Quality(metric.name, value, low, high, n, metric.unit, metric.higher_is_better, split)


def scores_of(outputs: np.ndarray, targets: np.ndarray, metric: Metric) -> np.ndarray:
    """One finite score a row `(rows,)`.

    Raises DataError for no rows, unequal lengths, and scores that are not finite.
    """
    check_outputs(outputs, targets)
    scores = np.asarray(metric.samples(outputs, targets), dtype=np.float64)
    if scores.shape != (len(targets),):
        raise DataError(
            f"`{metric.name}` must give one score a row, shape {(len(targets),)}, got "
            f"{scores.shape}."
        )
    n_wrong = int((~np.isfinite(scores)).sum())
    if n_wrong:
        raise DataError(
            f"`{metric.name}` is not finite on {n_wrong} of {len(scores)} rows; look for infinite "
            "or missing values in outputs and targets."
        )
    return scores


def is_share(scores: np.ndarray) -> bool:
    """Whether all scores `(rows,)` are 0 or 1, that is wrong or right."""
    return bool(((scores == 0) | (scores == 1)).all())


def check_outputs(outputs: np.ndarray, targets: np.ndarray) -> None:
    """Raise DataError for no rows, unequal numbers of them, and outputs that are no numbers."""
    if len(outputs) != len(targets):
        raise DataError(
            f"{len(outputs)} outputs for {len(targets)} targets; give one of each a row."
        )
    if not len(targets):
        raise DataError("There are no rows to score; give at least one.")
    if np.issubdtype(np.asarray(outputs).dtype, np.floating) and np.isnan(outputs).any():
        n_wrong = int(np.isnan(outputs).reshape(len(outputs), -1).any(axis=1).sum())
        raise DataError(
            f"The model's outputs are not numbers (NaN) on {n_wrong} of {len(outputs)} rows; look "
            "for missing values in its inputs and for NaN in its weights."
        )


def _mean_interval(
    scores: np.ndarray, blocks: np.ndarray | None, seed: int, alpha: float, *, bounded: bool
) -> Interval:
    share = is_share(scores)
    if blocks is None and share:
        return wilson(float(scores.sum()), len(scores), alpha)
    if blocks is not None:
        numbers = blocks_of(blocks, len(scores))
        n_units = int(numbers.max()) + 1
        low, high = expanded_percentile(bootstrap_mean(scores, numbers, seed=seed), n_units, alpha)
    else:
        n_units = len(scores)
        low, high = student(scores, alpha)
    if high - low > NO_WIDTH or not (share or bounded):
        return low, high
    # All scores are equal, so resampling gives an interval of no width. Wilson with one case a unit
    # gives the shares that so few units cannot exclude.
    return wilson(float(np.mean(scores)) * n_units, n_units, alpha)


def _whole_interval(
    outputs: np.ndarray,
    targets: np.ndarray,
    metric: Metric,
    blocks: np.ndarray | None,
    seed: int,
    alpha: float,
) -> Interval:
    n = len(targets)
    numbers = None if blocks is None else blocks_of(blocks, n)
    n_units = n if numbers is None else int(numbers.max()) + 1
    draws = bootstrap_whole(metric.resampled(outputs, targets), n, numbers, seed=seed)
    low, high = expanded_percentile(draws, n_units, alpha)
    if high - low > NO_WIDTH or metric.unit != "points":
        return low, high
    # A perfect score: failures that were not seen could be as frequent as this.
    unseen = nothing_seen(n_units, alpha)
    return max(0.0, low - unseen), min(1.0, high + unseen)
