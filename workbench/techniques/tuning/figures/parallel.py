"""Which combinations are good? A line a trial through all parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.figures.theme import figure, palette
from workbench.settings.spaces import Space
from workbench.techniques.tuning.figures.axes import ParameterAxis, parameter_names, short_name
from workbench.techniques.tuning.figures.drawing import set_title
from workbench.techniques.tuning.figures.tables import (
    ScoreAxis,
    best_of,
    check_trials,
    complete,
    span,
)

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure

    from workbench.metrics import Metric

__all__ = ["plot_parallel"]

GOOD_SHARE = 0.1  # of the trials are drawn in colour
MOST_GREY = 250  # lines
MOST_COLORED = 60
MOST_PARAMETERS = 10
NOT_USED = -0.12  # height of a parameter that was not active
MOST_STEPS = 12  # different heights of an axis, up to which lines are moved a little
JITTER = 0.05  # of such an axis, so that lines do not hide one another


def plot_parallel(
    trials: DataFrame,
    metric: Metric,
    *,
    parameters: Sequence[str] | None = None,
    space: Space | Mapping[str, Any] | None = None,
    title: str | None = None,
) -> Figure:
    """Which combinations are good? A line a complete trial through all parameters and its score.

    The best tenth is in colour, the best trial is thick, all others are grey. A parameter that was
    not active is below its axis. `space`, or the data that declare it, tells the range of each
    parameter, and whether it is searched by logarithm. Raises DataError when a column, all complete
    trials or all parameters are missing.
    """
    table = complete(check_trials(trials))
    names = parameter_names(table, parameters)[:MOST_PARAMETERS]
    merit = metric.sign * table["score"].to_numpy(float)
    order = np.argsort(-merit, kind="stable")
    n_good = max(1, round(GOOD_SHARE * len(table)))
    good, others = order[:n_good], order[n_good:]
    axes = [ParameterAxis.of(table[name], space) for name in names]
    score = ScoreAxis.of(table["score"].to_numpy(float), metric)
    heights, ends = _heights(table, axes, score)
    drawn = figure()
    grey, colored = _some(others, MOST_GREY), _some(good, MOST_COLORED)
    for rows, name, color, width in (
        (grey, "others", palette.grid, 1.0),
        (colored, f"best {len(good):,}", palette.series[0], 1.4),
    ):
        if len(rows):
            _add_lines(drawn, heights[rows], name, color, width)
    chosen = best_of(table, metric)
    place = int(np.flatnonzero(table["number"].to_numpy() == chosen["number"])[0])
    text = f"best: trial {int(chosen['number']):,}"
    _add_lines(drawn, heights[[place]], text, palette.worse, 3.0)
    _add_axes(drawn, axes, (f"{ends[0]:{score.digits}}", f"{ends[1]:{score.digits}}"), metric)
    left_out = len(table) - len(grey) - len(colored)
    subtitle = f"the best {len(good):,} of {len(table):,} complete trials are in colour"
    subtitle += f"; {left_out:,} lines are left out" if left_out else ""
    subtitle += "; below an axis: not active" if bool((heights == NOT_USED).any()) else ""
    set_title(
        drawn,
        title or "Which combinations are good?",
        subtitle + score.sentence,
        height=460,
        legend=True,
    )
    return drawn.update_layout(margin={"l": 40, "r": 64, "b": 84})


def _some(rows: np.ndarray, most: int) -> np.ndarray:
    """At most so many rows, at even distances."""
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(int)]


def _heights(
    trials: DataFrame, axes: list[ParameterAxis], score: ScoreAxis
) -> tuple[np.ndarray, tuple[float, float]]:
    """Heights `(trials, parameters + 1)` from 0 to 1, the last that of the score, and its ends."""
    shift = JITTER * (np.random.default_rng(0).random(len(trials)) - 0.5)
    columns = []
    for axis in axes:
        height = axis.fractions(trials[axis.name])
        if len(np.unique(height[np.isfinite(height)])) <= MOST_STEPS:
            height = height + shift
        columns.append(np.where(np.isfinite(height), height, NOT_USED))
    shown = np.clip(trials["score"].to_numpy(float) * score.scale, score.low, score.high)
    low, high = span(float(shown.min()), float(shown.max()))
    columns.append((shown - low) / (high - low))
    return np.stack(columns, axis=1), (low, high)


def _add_lines(drawn: Figure, heights: np.ndarray, name: str, color: str, width: float) -> None:
    """Add all lines as one trace, with gaps between them."""
    n, n_axes = heights.shape
    x = np.tile(np.append(np.arange(n_axes), np.nan), n).astype(np.float32)
    y = np.concatenate([heights, np.full((n, 1), np.nan)], axis=1).ravel().astype(np.float32)
    drawn.add_scatter(
        x=x, y=y, mode="lines", name=name, line={"color": color, "width": width}, hoverinfo="skip"
    )


def _add_axes(
    drawn: Figure, axes: list[ParameterAxis], score_ends: tuple[str, str], metric: Metric
) -> None:
    """Add a vertical line with the values at its ends for each parameter and for the score."""
    for place in range(len(axes) + 1):
        drawn.add_shape(
            type="line", x0=place, x1=place, y0=0, y1=1, line={"color": palette.text, "width": 1}
        )
    for place, axis in enumerate(axes):
        if axis.categories:
            for value, text in zip(axis.ticks["tickvals"], axis.ticks["ticktext"], strict=True):
                _add_label(drawn, place, (value - axis.low) / (axis.high - axis.low), text)
        else:
            _add_ends(drawn, place, axis.ends())
    _add_ends(drawn, len(axes), score_ends)
    ticks = [axis.title.replace(".", ".<br>", 1).replace(" (", "<br>(") for axis in axes]
    drawn.update_xaxes(
        tickvals=list(range(len(axes) + 1)),
        ticktext=[*ticks, f"<b>{short_name(metric.name)}</b>"],
        tickangle=0,
        tickfont={"size": 11},
        range=[-0.35, len(axes) + 0.45],
        showline=False,
        zeroline=False,
    )
    drawn.update_yaxes(visible=False, range=[-0.18, 1.08])


def _add_ends(drawn: Figure, place: int, texts: tuple[str, str]) -> None:
    """Add the values at the low and the high end of an axis, below and above it."""
    for height, text, anchor in ((0.0, texts[0], "top"), (1.0, texts[1], "bottom")):
        drawn.add_annotation(x=place, y=height, text=text, yanchor=anchor, font={"size": 11})


def _add_label(drawn: Figure, place: int, height: float, text: str) -> None:
    """Add the name of a category beside its place on an axis."""
    drawn.add_annotation(x=place, y=height, text=text, xanchor="left", xshift=8, font={"size": 11})
