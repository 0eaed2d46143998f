"""Numbers behind the figures of tuning: checks of tables, scales of scores, and a thinned table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import DataError

if TYPE_CHECKING:
    from pandas import DataFrame, Series

    from workbench.metrics import Metric

__all__ = ["MOST_POINTS", "ScoreAxis", "best_of", "check_trials", "complete", "span", "thinned"]

MOST_POINTS = 2_000  # in one figure; more could not be told apart
KEPT_BEST = 0.25  # of them are the best trials, the others are taken at even distances
SHOWN_SHARE = 0.5  # of the trials are inside the axis of scores; the worst are at its edge
FEWEST_CUT = 20  # trials from which the axis may leave some out
REQUIRED = ("number", "state", "score")


@dataclass(frozen=True)
class ScoreAxis:
    """The range of an axis of scores that shows the good trials, in the units of the figure.

    The worst trials, which would press all others together, lie on its edge.
    """

    low: float
    high: float
    scale: float
    title: str
    digits: str
    sign: float = 1.0
    n_outside: int = 0

    @classmethod
    def of(
        cls, scores: np.ndarray, metric: Metric, *, inside: np.ndarray | None = None
    ) -> ScoreAxis:
        """The axis for these scores of a metric; `inside` are values that it holds too."""
        scale, unit = (100.0, " (%)") if metric.unit == "points" else (1.0, "")
        values = scores[np.isfinite(scores)] * scale
        towards = "better →" if metric.higher_is_better else "← better"
        title = f"{metric.name}{unit}     {towards}"
        digits = ".2f" if metric.unit == "points" else ".4g"
        if not len(values):
            return cls(0.0, 1.0, scale, title, digits, metric.sign)
        good = metric.sign * values
        worst_shown = float(np.quantile(good, 1 - SHOWN_SHARE))
        best = float(good.max())
        is_even = best - float(good.min()) < 3 * (best - worst_shown)
        if is_even or len(good) < FEWEST_CUT:
            worst_shown = float(good.min())
        if inside is not None and len(inside):
            kept = metric.sign * scale * inside
            worst_shown, best = min(worst_shown, float(kept.min())), max(best, float(kept.max()))
        room = 0.06 * (best - worst_shown) or 0.5 * abs(best) * 0.01 or 1.0
        top = metric.sign * (best + room)
        if metric.unit == "points":  # a share has an end, beyond which no tick belongs
            top = min(top, 100.0 + 0.3 * room) if metric.higher_is_better else max(top, -0.3 * room)
        ends = sorted((metric.sign * (worst_shown - room), top))
        n_outside = int((good < worst_shown).sum())
        return cls(ends[0], ends[1], scale, title, digits, metric.sign, n_outside)

    def shown(self, scores: np.ndarray) -> np.ndarray:
        """Scores in the units of the figure, those outside of the axis on its edge."""
        room = 0.015 * (self.high - self.low)
        return np.clip(scores * self.scale, self.low + room, self.high - room)

    def is_outside(self, scores: np.ndarray) -> np.ndarray:
        """Whether each score lies beyond the axis."""
        values = scores * self.scale
        return (values < self.low) | (values > self.high)

    @property
    def sentence(self) -> str:
        """The number of trials on the edge, to stand in a subtitle; empty without any."""
        if not self.n_outside:
            return ""
        verb = "is" if self.n_outside == 1 else "are"
        return f"; {self.n_outside:,} worse {verb} on the edge"


def check_trials(trials: DataFrame, *more: str) -> DataFrame:
    """The trials by number; raises DataError when a column or all rows are missing."""
    columns = (*REQUIRED, *more)
    missing = [name for name in columns if name not in trials]
    if missing:
        raise DataError(
            f"This figure needs the columns {', '.join(columns)}; {', '.join(missing)} missing, "
            f"got {list(trials.columns)}."
        )
    if not len(trials):
        raise DataError("This figure needs at least one trial, got none.")
    return trials.sort_values("number", kind="stable", ignore_index=True)


def complete(trials: DataFrame) -> DataFrame:
    """The complete trials that have a score; raises DataError if there is none."""
    kept = trials[(trials["state"] == "complete") & np.isfinite(trials["score"].astype(float))]
    if not len(kept):
        raise DataError(
            f"This figure needs at least one complete trial, got {len(trials)} that failed or were "
            "pruned."
        )
    return kept


def best_of(trials: DataFrame, metric: Metric) -> Series:
    """The complete trial with the best score, of several the first.

    A trial that is not `feasible` counts only if no trial is.
    """
    done = complete(trials)
    if "feasible" in done and done["feasible"].fillna(True).astype(bool).any():
        done = done[done["feasible"].fillna(True).astype(bool)]
    place = int(np.argmax(metric.sign * done["score"].to_numpy(float)))
    return done.iloc[place]


def thinned(trials: DataFrame, metric: Metric, most: int = MOST_POINTS) -> tuple[DataFrame, str]:
    """At most `most` trials, and a sentence for a subtitle if some are left out.

    The best trials are kept, of the others some at even distances.
    """
    if len(trials) <= most:
        return trials, ""
    n_best = int(KEPT_BEST * most)
    merit = (metric.sign * trials["score"].astype(float)).fillna(-np.inf).to_numpy()
    order = np.argsort(-merit, kind="stable")
    others = np.sort(order[n_best:])
    even = others[np.linspace(0, len(others) - 1, most - n_best).astype(int)]
    kept = trials.iloc[np.sort(np.concatenate([order[:n_best], even]))]
    return kept, f"; {most:,} of {len(trials):,} trials are drawn"


def span(low: float, high: float) -> tuple[float, float]:
    """A range that is never empty."""
    if high > low:
        return low, high
    room = abs(low) * 0.01 or 1.0
    return low - room, high + room
