"""Parts that the figures of tuning share: points of trials, the best one, and titles."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.figures.theme import palette
from workbench.techniques.tuning.figures.tables import ScoreAxis

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure

__all__ = ["add_best", "add_trials", "hover_rows", "set_title"]

LINE_LENGTH = 88  # of a subtitle, in a figure that is 620 pixels wide
LINE_PIXELS = 16
TITLE_PIXELS = 52
LEGEND_PIXELS = 30
MANY = 300  # trials, from which points are small
STYLES: dict[str, dict[str, Any]] = {
    "complete": {"color": palette.series[0], "symbol": "circle", "line": {"width": 0}},
    "pruned": {"color": palette.equivalent, "symbol": "circle-open", "line": {"width": 1.4}},
}


def add_trials(
    drawn: Figure,
    trials: DataFrame,
    x: np.ndarray,
    axis: ScoreAxis,
    *,
    legend: bool = True,
    **place: int,
) -> None:
    """Add complete trials as points and pruned ones as hollow points, at `x` `(trials,)`.

    A trial outside of the axis of scores is a triangle on its edge. `place` is the row and the
    column of a panel.
    """
    scores = trials["score"].to_numpy(float)
    is_outside = axis.is_outside(scores)
    size = 5 if len(trials) > MANY else 7
    edge = "triangle-down" if axis.sign > 0 else "triangle-up"
    for state, style in STYLES.items():
        chosen = (trials["state"] == state).to_numpy() & np.isfinite(scores) & np.isfinite(x)
        hollow = "-open" if state == "pruned" else ""
        for rows, symbol, is_named in (
            (chosen & ~is_outside, style["symbol"], legend),
            (chosen & is_outside, edge + hollow, False),
        ):
            if not rows.any():
                continue
            drawn.add_scatter(
                x=x[rows],
                y=axis.shown(scores[rows]),
                mode="markers",
                name=state,
                showlegend=is_named,
                legendgroup=state,
                marker={**style, "symbol": symbol, "size": size, "opacity": 0.7},
                customdata=hover_rows(trials, axis)[rows],
                hovertemplate=f"trial %{{customdata[0]:.0f}}: %{{customdata[1]:{axis.digits}}}"
                f"<extra>{state}</extra>",
                **place,
            )


def hover_rows(trials: DataFrame, axis: ScoreAxis) -> np.ndarray:
    """Number and score of each trial `(trials, 2)`, in the units of the figure."""
    numbers = trials["number"].to_numpy(float)
    scores = trials["score"].to_numpy(float) * axis.scale
    return np.stack([numbers, scores], axis=1).astype(np.float32)


def add_best(
    drawn: Figure, x: float, score: float, axis: ScoreAxis, *, legend: bool = True, **place: int
) -> None:
    """Add a star on the best trial."""
    drawn.add_scatter(
        x=np.array([x]),
        y=axis.shown(np.array([score])),
        mode="markers",
        name="best",
        showlegend=legend,
        legendgroup="best",
        hoverinfo="skip",
        marker={
            "color": palette.worse,
            "size": 15,
            "symbol": "star",
            "line": {"width": 0},
        },
        **place,
    )


def set_title(drawn: Figure, title: str, subtitle: str, *, height: int, legend: bool) -> Figure:
    """Set title, subtitle and height, with room for a legend if there is one."""
    lines = wrap(subtitle, LINE_LENGTH)
    top = TITLE_PIXELS + LINE_PIXELS * len(lines) + (LEGEND_PIXELS if legend else 0)
    height += LINE_PIXELS * (len(lines) - 1)
    return drawn.update_layout(
        title={
            "text": title,
            "subtitle": {"text": "<br>".join(lines)},
            "yref": "container",
            "y": 1 - 14 / height,
            "yanchor": "top",
        },
        height=height,
        margin={"t": top},
        hovermode="closest",
        showlegend=legend,
    )
