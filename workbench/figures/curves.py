"""Curves of a loss or a score during training or search."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from workbench.errors import DataError
from workbench.figures.theme import figure, palette

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure

__all__ = ["plot_curves"]

_DASHES = ("solid", "dash", "dot", "dashdot")


def plot_curves(
    table: DataFrame,
    *,
    title: str | None = None,
    x_title: str = "step",
    y_title: str = "",
    log_y: bool = False,
) -> Figure:
    """Curves of a table with the columns name, x and y, one line for each name.

    The legend shows the last value of a curve. A value that is not finite becomes a gap. Raises
    DataError when a column or all points are missing.
    """
    figure_ = figure()
    for i, (name, curve) in enumerate(_curves(table).groupby("name", sort=False)):
        # colour and dash both change from curve to curve: colour is never the only difference
        color, dash = palette.series[i % len(palette.series)], _DASHES[i % len(_DASHES)]
        x, y = curve["x"].to_numpy(float), curve["y"].to_numpy(float)
        label, last = html.escape(str(name)), curve["y"].dropna()
        figure_.add_scatter(
            x=x,
            y=y,
            mode="lines" if len(x) > 1 else "markers",
            line={"color": color, "dash": dash},
            name=f"{label} <b>{last.iloc[-1]:.4g}</b>" if len(last) else label,
            legendgroup=str(name),
            hovertemplate=f"{label} <b>%{{y:.4g}}</b><extra></extra>",
            connectgaps=False,
        )
        figure_.add_scatter(
            x=x[-1:],
            y=y[-1:],
            mode="markers",
            marker={"color": color, "size": 7},
            legendgroup=str(name),
            showlegend=False,
            hoverinfo="skip",
        )
    figure_.update_layout(title={"text": title}, hovermode="x unified", showlegend=True, height=380)
    # the legend is below the plot, as many names may take several lines
    figure_.update_layout(
        legend={"yref": "container", "y": 0.02, "yanchor": "bottom"},
        margin={"t": 48 if title else 24},
    )
    figure_.update_xaxes(title={"text": x_title})
    figure_.update_yaxes(title={"text": y_title}, type="log" if log_y else "linear")
    return figure_


def _curves(table: DataFrame) -> DataFrame:
    """Table of name, x and y: names in order of appearance, x ascending, y NaN if not finite."""
    import numpy as np
    import pandas as pd

    missing = [column for column in ("name", "x", "y") if column not in table]
    if missing:
        raise DataError(
            f"Curves need the columns name, x and y; {', '.join(missing)} missing, got "
            f"{list(table.columns)}."
        )
    if table.empty:
        raise DataError("Curves need at least one point, got none.")
    points = table[["name", "x", "y"]].assign(
        x=pd.to_numeric(table["x"]).astype(float),
        y=pd.to_numeric(table["y"]).astype(float).replace([np.inf, -np.inf], np.nan),
    )
    # a stable sort, so that two values at the same x keep their order
    order = points.assign(curve=pd.factorize(points["name"])[0]).sort_values(
        ["curve", "x"], kind="stable", ignore_index=True
    )
    return order.drop(columns="curve")
