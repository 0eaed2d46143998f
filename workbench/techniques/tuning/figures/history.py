"""Is it still improving? Scores of all trials, the best so far, and its score on unseen rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.figures.theme import figure, palette
from workbench.techniques.tuning.figures.drawing import add_trials, set_title
from workbench.techniques.tuning.figures.tables import (
    ScoreAxis,
    best_of,
    check_trials,
    complete,
    thinned,
)

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure

    from workbench.metrics import Metric

__all__ = ["plot_history"]


def plot_history(trials: DataFrame, metric: Metric, *, title: str | None = None) -> Figure:
    """Is it still improving? A point a trial, and a line for the best score so far.

    Pruned trials are hollow, failed ones are crosses on the edge. A second line is the score of the
    best trial so far on rows that no trial saw, where `unseen` has it. Raises DataError when a
    column, all rows or all complete trials are missing.
    """
    table = check_trials(trials)
    best = _best_so_far(table, metric)
    chosen = best_of(table, metric)
    scores = table["score"].to_numpy(float)
    last_unseen = best["unseen"].to_numpy(float)[-1:]
    axis = ScoreAxis.of(scores, metric, inside=last_unseen[np.isfinite(last_unseen)])
    drawn = figure()
    shown, left_out = thinned(table, metric)
    add_trials(drawn, shown, shown["number"].to_numpy(float), axis)
    _add_failed(drawn, shown, axis)
    lines = [("score", "best so far", palette.series[1], "solid")]
    if np.isfinite(best["unseen"]).any():
        lines.append(("unseen", "the same on unseen rows", palette.series[2], "dash"))
    for column, name, color, dash in lines:
        drawn.add_scatter(
            x=best["number"].to_numpy(float),
            y=axis.shown(best[column].to_numpy(float)),
            mode="lines",
            name=name,
            line={"shape": "hv", "color": color, "width": 2.5, "dash": dash},
            hovertemplate=f"{name}: %{{y:{axis.digits}}}<extra></extra>",
        )
    subtitle = _sentence(table, best, int(chosen["number"]), metric) + axis.sentence + left_out
    set_title(drawn, title or "Is it still improving?", subtitle, height=430, legend=True)
    drawn.update_xaxes(title={"text": "trial"}, dtick=1 if len(table) <= 12 else None)
    return drawn.update_yaxes(title={"text": axis.title}, range=[axis.low, axis.high])


def _best_so_far(trials: DataFrame, metric: Metric) -> DataFrame:
    """Columns number, score and unseen of each complete trial that is better than all before it.

    The last row repeats the best at the last number.
    """
    import pandas as pd

    done = complete(trials)
    if "feasible" in done and done["feasible"].fillna(True).astype(bool).any():
        done = done[done["feasible"].fillna(True).astype(bool)]
    merit = metric.sign * done["score"].to_numpy(float)
    before = np.concatenate([[-np.inf], np.maximum.accumulate(merit)[:-1]])
    kept = done[merit > before]
    unseen = kept["unseen"].to_numpy(float) if "unseen" in kept else np.full(len(kept), np.nan)
    best = pd.DataFrame(
        {
            "number": kept["number"].to_numpy(float),
            "score": kept["score"].to_numpy(float),
            "unseen": unseen,
        }
    )
    last = best.iloc[[-1]].assign(number=float(trials["number"].max()))
    return pd.concat([best, last], ignore_index=True)


def _sentence(trials: DataFrame, best: DataFrame, number: int, metric: Metric) -> str:
    """The best trial, for how long nothing was better, and its score on unseen rows."""
    last = best.iloc[-1]
    n_since = int((trials["number"] > number).sum())
    text = f"best {metric.shown(last['score'])} in trial {number:,} of {len(trials):,}"
    if np.isfinite(last["unseen"]):
        text += f"; on rows that no trial saw {metric.shown(last['unseen'])}"
    return text + (f"; nothing better in the last {n_since:,}" if n_since > 1 else "")


def _add_failed(drawn: Figure, trials: DataFrame, axis: ScoreAxis) -> None:
    """Add a cross on the edge for each trial without a score."""
    failed = trials[trials["state"] == "failed"]
    if not len(failed):
        return
    edge = axis.low if axis.sign > 0 else axis.high
    drawn.add_scatter(
        x=failed["number"].to_numpy(float),
        y=np.full(len(failed), edge + axis.sign * 0.015 * (axis.high - axis.low)),
        mode="markers",
        name="failed",
        marker={"color": palette.worse, "symbol": "x", "size": 7, "line": {"width": 0}},
        hovertemplate="trial %{x:.0f} failed<extra></extra>",
    )
