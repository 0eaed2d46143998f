"""Which parameters matter? Importance of each, with its spread over resampled trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import DataError
from workbench.figures.theme import figure, palette
from workbench.techniques.tuning.figures.axes import short_name
from workbench.techniques.tuning.figures.drawing import set_title

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure

    from workbench.metrics import Metric

__all__ = ["plot_importance"]

COLUMNS = ("parameter", "importance", "low", "high")
ROW_PIXELS = 30
MOST_ROWS = 20


def plot_importance(importance: DataFrame, metric: Metric, *, title: str | None = None) -> Figure:
    """Which parameters matter? A bar a parameter, the most important one first.

    `importance` is the result of `workbench.techniques.tuning.importance.importance`; the line on a
    bar is the spread over resampled trials. An empty table gives a figure with the reason. Raises
    DataError when a column is missing.
    """
    missing = [name for name in COLUMNS if name not in importance]
    if missing:
        raise DataError(
            f"This figure needs the columns {', '.join(COLUMNS)}; {', '.join(missing)} missing, "
            f"got {list(importance.columns)}."
        )
    heading = title or "Which parameters matter?"
    if not len(importance):
        return _without_rows(str(importance.attrs.get("reason", "")), heading)
    table = importance.sort_values("importance", ascending=False, kind="stable")[:MOST_ROWS]
    values, low, high = (100 * table[c].to_numpy(float) for c in COLUMNS[1:])
    names = [short_name(str(name)) for name in table["parameter"]]
    drawn = figure()
    drawn.add_bar(
        x=values,
        y=names,
        orientation="h",
        marker={"color": palette.total},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": np.maximum(high - values, 0),
            "arrayminus": np.maximum(values - low, 0),
            "color": palette.text,
            "thickness": 1.5,
            "width": 5,
        },
        hovertemplate="%{y}: %{x:.0f} %<extra></extra>",
    )
    subtitle = (
        f"how much a parameter decides whether a trial is in the best tenth by {metric.name}; "
        "lines: spread over resampled trials"
    )
    set_title(drawn, heading, subtitle, height=150 + ROW_PIXELS * len(names), legend=False)
    drawn.update_xaxes(
        title={"text": "importance, all together 100 %"}, rangemode="tozero", showgrid=True
    )
    return drawn.update_yaxes(autorange="reversed", showgrid=False)


def _without_rows(reason: str, title: str) -> Figure:
    """A figure that says why there is no importance."""
    drawn = figure()
    text = reason or "too few trials with a score for an importance"
    set_title(drawn, title, text, height=140, legend=False)
    drawn.update_xaxes(visible=False)
    return drawn.update_yaxes(visible=False)
