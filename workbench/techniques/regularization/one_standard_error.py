"""The one-standard-error rule: the strongest value whose mean score is nearly the best.

Source: Breiman, Friedman, Olshen, Stone, "Classification and Regression Trees", 1984, section 3.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workbench.measure.statistics.intervals import t_quantile
from workbench.metrics import Metric
from workbench.system.wording import difference_text, value_text

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Choice", "choose", "summary"]


@dataclass(frozen=True)
class Choice:
    """The chosen value, the one with the best mean, and the mean that was enough."""

    chosen: float
    best: float
    best_score: float
    standard_error: float
    enough: float
    n: int

    def sentence(self, name: str, metric: Metric) -> str:
        """How the value was chosen, in one sentence."""
        where = f"over {self.n} folds of train" if self.n > 1 else "on one fold of train"
        best = f"{name} {self.best:g} has the best mean, {value_text(self.best_score, metric.unit)}"
        if self.n < 2:
            return f"{best} {where}; with one training a value the rule has no standard error."
        error = difference_text(self.standard_error, metric.unit, signed=False)
        return (
            f"{best} {where}; {self.chosen:g} is the strongest within one standard error ({error})."
        )


def summary(curves: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """Table of each value's mean scores with 95 % bands over the trainings, and the gap.

    `curves` has the columns value, seed, train and held_out. A band of one training is NaN.
    """
    import pandas as pd

    rows = []
    for value, part in curves.groupby("value", sort=True):
        row: dict[str, float] = {"value": float(str(value)), "n": len(part)}
        for column in ("train", "held_out"):
            scores = part[column].to_numpy(float)
            half = _half(scores)
            mean = float(scores.mean())
            row |= {column: mean, f"{column}_low": mean - half, f"{column}_high": mean + half}
        row["gap"] = metric.sign * (row["train"] - row["held_out"])
        row["standard_error"] = _standard_error(part["held_out"].to_numpy(float))
        rows.append(row)
    return pd.DataFrame(rows)


def _standard_error(scores: np.ndarray) -> float:
    return float(scores.std(ddof=1) / len(scores) ** 0.5) if len(scores) > 1 else float("nan")


def _half(scores: np.ndarray) -> float:
    if len(scores) < 2:
        return float("nan")
    return t_quantile(0.05, len(scores)) * _standard_error(scores)


def choose(table: pd.DataFrame, metric: Metric) -> Choice:
    """The choice from the table of `summary`; a larger value counts as stronger."""
    signed = metric.sign * table["held_out"].to_numpy(float)
    best = int(signed.argmax())
    error = float(np.nan_to_num(table["standard_error"].to_numpy(float)[best]))
    enough = signed >= signed[best] - error
    chosen = int(np.flatnonzero(enough).max())
    values = table["value"].to_numpy(float)
    return Choice(
        chosen=float(values[chosen]),
        best=float(values[best]),
        best_score=float(table["held_out"].to_numpy(float)[best]),
        standard_error=error,
        enough=float(metric.sign * (signed[best] - error)),
        n=int(table["n"].to_numpy()[best]),
    )
