"""Score against latency or size: the trials that no other one beats in both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import DataError
from workbench.figures.theme import figure, palette
from workbench.figures.units import axis as cost_axis
from workbench.techniques.tuning.figures.drawing import hover_rows, set_title
from workbench.techniques.tuning.figures.tables import ScoreAxis, check_trials, complete, thinned

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure

    from workbench.metrics import Metric

__all__ = ["plot_front"]

COSTS = ("latency_ms", "size_bytes")


def plot_front(
    trials: DataFrame, metric: Metric, *, cost: str | None = None, title: str | None = None
) -> Figure:
    """What trades against what? Score against a cost; the line joins the trials that none beats.

    `cost` is a column, `latency_ms` or `size_bytes`; by default the first one that is there. Trials
    that break a constraint are crosses and never on the line. Raises DataError when a column or all
    complete trials are missing.
    """
    name = cost or next((c for c in COSTS if c in trials and trials[c].notna().any()), COSTS[0])
    table = complete(check_trials(trials, name))
    table = table[np.isfinite(table[name].astype(float))]
    if not len(table):
        raise DataError(f"No complete trial has a value of `{name}`: tune it as an objective too.")
    label, scale = cost_axis(name, float(table[name].max()))
    is_front, is_feasible = _front(table, metric, name), _feasible(table)
    best = table[is_front].sort_values(name)
    axis = ScoreAxis.of(
        table["score"].to_numpy(float), metric, inside=best["score"].to_numpy(float)
    )
    drawn = figure()
    for keep, text, style in (
        (~is_feasible, "breaks a constraint", {"color": palette.worse, "symbol": "x"}),
        (is_feasible & ~is_front, "beaten", {"color": palette.equivalent, "symbol": "circle-open"}),
    ):
        part, _ = thinned(table[keep], metric)
        if not len(part):
            continue
        drawn.add_scatter(
            x=part[name].to_numpy(float) / scale,
            y=axis.shown(part["score"].to_numpy(float)),
            mode="markers",
            name=text,
            marker={**style, "size": 7, "opacity": 0.75},
            customdata=hover_rows(part, axis),
            hovertemplate=_hover(axis),
        )
    drawn.add_scatter(
        x=best[name].to_numpy(float) / scale,
        y=axis.shown(best["score"].to_numpy(float)),
        mode="lines+markers",
        name="best trade-offs",
        line={"shape": "hv", "color": palette.better},
        marker={"size": 9, "color": palette.better},
        customdata=hover_rows(best, axis),
        hovertemplate=_hover(axis),
    )
    subtitle = f"{len(best)} of {len(table):,} trials are beaten by none in both"
    if not is_feasible.all():
        subtitle += f"; {int((~is_feasible).sum()):,} break a constraint"
    set_title(
        drawn,
        title or "What trades against what?",
        subtitle + axis.sentence,
        height=440,
        legend=True,
    )
    drawn.update_xaxes(title={"text": f"← better     {label}"}, showgrid=True)
    if len(table) > 1 and table[name].min() > 0 and table[name].max() / table[name].min() > 20:
        drawn.update_xaxes(type="log", title={"text": f"← better     {label}, log scale"})
    return drawn.update_yaxes(title={"text": axis.title}, range=[axis.low, axis.high])


def _hover(axis: ScoreAxis) -> str:
    return (
        f"trial %{{customdata[0]:.0f}}: %{{customdata[1]:{axis.digits}}} at %{{x:.4g}}"
        "<extra></extra>"
    )


def _feasible(trials: DataFrame) -> np.ndarray:
    """Whether each trial keeps all constraints `(trials,)`."""
    if "feasible" not in trials:
        return np.ones(len(trials), bool)
    return trials["feasible"].fillna(True).astype(bool).to_numpy()


def _front(trials: DataFrame, metric: Metric, cost: str) -> np.ndarray:
    """Whether a trial is feasible, and none is better in one value and as good in the other."""
    merit = metric.sign * trials["score"].to_numpy(float)
    costs = trials[cost].to_numpy(float)
    is_front = np.zeros(len(trials), bool)
    best = -np.inf
    feasible = _feasible(trials)
    for place in np.lexsort((-merit, costs)):
        if feasible[place] and merit[place] > best:
            is_front[place], best = True, merit[place]
    return is_front
