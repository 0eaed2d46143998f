"""Figures of quantization: noise of layers, clipped values, methods, and changed predictions."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import DataError
from workbench.figures.theme import figure, palette

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure

__all__ = ["plot_flips", "plot_methods", "plot_ranges", "plot_sqnr"]

ROW_PX = 22  # height of a layer
MAX_PANELS = 6
N_COLUMNS = 3
MAX_NAME = 28  # characters of a layer's name


def plot_sqnr(table: DataFrame, *, title: str | None = None) -> Figure:
    """Bar chart of the noise that int8 adds to each layer, the layer with the most noise on top.

    `table` is the evidence `sqnr`, or that of the action `sensitivity`; for the latter the noise at
    the network's output is drawn. Layers with `kept_float` true are orange. Raises DataError when a
    column is missing.
    """
    column = "output_sqnr_db" if "output_sqnr_db" in table else "sqnr_db"
    _need(table, ("layer", column))
    ranked = table.sort_values(column, kind="stable")
    names = [_short(name) for name in ranked["layer"]]
    values = ranked[column].to_numpy(float)
    kept_float = np.zeros(len(names), bool)
    if "kept_float" in ranked:
        kept_float = ranked["kept_float"].to_numpy(bool)
    chart = figure()
    chart.add_bar(
        y=names,
        x=values,
        orientation="h",
        showlegend=False,
        marker={
            "color": [palette.worse if kept else palette.total for kept in kept_float],
            "line": {"width": 0},
        },
        hovertemplate="<b>%{y}</b><br>%{x:.1f} dB<extra></extra>",
    )
    where = (
        "at the network's output, with only this layer in int8"
        if column == "output_sqnr_db"
        else "at the layer's own output"
    )
    subtitle = f"{names[0]} has the most noise, {values[0]:.0f} dB {where}; 6 dB are one bit"
    if kept_float.any():
        subtitle += f"; orange: {int(kept_float.sum())} kept in float"
    _set_titles(chart, title or "Which layer adds the most noise?", subtitle)
    chart.update_layout(height=130 + ROW_PX * len(names), margin={"t": 84})
    chart.update_yaxes(autorange="reversed", showgrid=False, tickmode="array", tickvals=names)
    chart.update_xaxes(
        title={"text": "signal to quantization noise (dB)     better →"}, showgrid=True
    )
    return chart


def plot_ranges(table: DataFrame, *, title: str | None = None) -> Figure:
    """Histograms of the inputs of layers on calibration rows, with the ends of the int8 range.

    `table` is the evidence `ranges`. At most six layers are drawn, at even steps through the
    network; counts are on a log axis. Raises DataError when a column is missing.
    """
    _need(table, ("layer", "bin_low", "bin_high", "count", "clip_low", "clip_high", "clipped"))
    layers = list(dict.fromkeys(table["layer"]))
    n_panels = min(MAX_PANELS, len(layers))
    positions = np.linspace(0, len(layers) - 1, n_panels).round().astype(int)
    chosen = [layers[position] for position in dict.fromkeys(positions)]
    n_rows = math.ceil(len(chosen) / N_COLUMNS)
    chart = figure()
    for number, layer in enumerate(chosen):
        _add_panel(chart, table[table["layer"] == layer], number, n_rows)
    worst = table.loc[table["clipped"].idxmax()]
    subtitle = (
        "dashed: the ends of the int8 range; most values are clipped before "
        f"{_short(worst['layer'])}, {worst['clipped']:.2%}"
    )
    _set_titles(chart, title or "How many values are clipped?", subtitle)
    chart.update_layout(height=120 + 200 * n_rows, margin={"t": 108}, bargap=0, barcornerradius=0)
    return chart


def _add_panel(chart: Figure, part: DataFrame, number: int, n_rows: int) -> None:
    """Draw the histogram of one layer, the rows `part` of the table."""
    axis = "" if number == 0 else str(number + 1)
    left, right, bottom, top = _panel(number, n_rows)
    counts = part["count"].to_numpy(float)
    chart.add_bar(
        x=((part["bin_low"] + part["bin_high"]) / 2).to_numpy(),
        y=np.where(counts > 0, counts, np.nan),
        showlegend=False,
        width=(part["bin_high"] - part["bin_low"]).to_numpy(),
        xaxis=f"x{axis}",
        yaxis=f"y{axis}",
        marker={"color": palette.series[0], "line": {"width": 0}},
        hovertemplate="%{x:.3g}: %{y:,.0f} values<extra></extra>",
    )
    x_axis = {"domain": [left, right], "anchor": f"y{axis}", "nticks": 5}
    y_axis = {"domain": [bottom, top], "anchor": f"x{axis}", "type": "log", "dtick": 2}
    chart.update_layout({f"xaxis{axis}": x_axis, f"yaxis{axis}": y_axis})
    for end in (float(part["clip_low"].iloc[0]), float(part["clip_high"].iloc[0])):
        chart.add_shape(
            type="line",
            x0=end,
            x1=end,
            y0=0,
            y1=1,
            xref=f"x{axis}",
            yref=f"y{axis} domain",
            line={"color": palette.worse, "width": 1.5, "dash": "dash"},
        )
    layer, clipped = part["layer"].iloc[0], float(part["clipped"].iloc[0])
    chart.add_annotation(
        x=left,
        y=top,
        xref="paper",
        yref="paper",
        xanchor="left",
        yanchor="bottom",
        showarrow=False,
        text=f"{_short(layer)}: {clipped:.2%} clipped",
        font={"size": 11},
    )


def _panel(number: int, n_rows: int) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of a panel, as shares of the figure."""
    gap_x, gap_y = 0.07, 0.24 / n_rows
    width = (1 - gap_x * (N_COLUMNS - 1)) / N_COLUMNS
    height = (1 - gap_y * (n_rows - 1)) / n_rows
    row, column = divmod(number, N_COLUMNS)
    left = column * (width + gap_x)
    top = 1 - row * (height + gap_y)
    return left, left + width, max(0.0, top - height), top


def plot_methods(table: DataFrame, *, title: str | None = None) -> Figure:
    """Bubble chart of methods: latency across, quality up, and file size as the area.

    `table` has the columns method, latency_ms, quality, size_bytes. Raises DataError when a column
    is missing.
    """
    _need(table, ("method", "latency_ms", "quality", "size_bytes"))
    largest = float(table["size_bytes"].max())
    chart = figure()
    for number, row in enumerate(table.itertuples()):
        chart.add_scatter(
            x=[row.latency_ms],
            y=[row.quality],
            mode="markers",
            name=f"{html.escape(str(row.method))}, {row.size_bytes / 1e3:,.0f} kB",
            marker={
                "size": 14 + 50 * math.sqrt(row.size_bytes / largest),
                "color": palette.series[number % len(palette.series)],
                "opacity": 0.75,
                "line": {"width": 1, "color": palette.text},
            },
            hovertemplate="%{x:.3g} ms, quality %{y:.4f}<extra>%{fullData.name}</extra>",
        )
    fastest = html.escape(str(table.loc[table["latency_ms"].idxmin(), "method"]))
    smallest = html.escape(str(table.loc[table["size_bytes"].idxmin(), "method"]))
    subtitle = f"fastest: {fastest}; smallest: {smallest}; areas are file sizes"
    _set_titles(chart, title or "Speed, size and quality of each method", subtitle)
    chart.update_layout(
        height=430,
        margin={"t": 84, "r": 200},
        legend={
            "orientation": "v",
            "x": 1.02,
            "y": 1,
            "yanchor": "top",
            "xanchor": "left",
            "itemsizing": "constant",
        },
    )
    margin = 0.35 * (float(np.ptp(table["quality"])) or 0.01)
    low = float(table["quality"].min()) - margin
    high = float(table["quality"].max()) + margin
    chart.update_yaxes(title={"text": "quality     better →"}, range=[low, high])
    chart.update_xaxes(
        title={"text": "latency (ms)     ← better"}, showgrid=True, rangemode="tozero"
    )
    return chart


def plot_flips(table: DataFrame, *, title: str | None = None) -> Figure:
    """Heat map of changed predictions: counts of class before against class after.

    `table` is the evidence `flips`. Raises DataError when a column is missing.
    """
    _need(table, ("target", "before", "after"))
    names = sorted({str(name) for column in ("before", "after") for name in table[column]})
    counts = _counts_of_pairs(table, names)
    labels = [html.escape(name) for name in names]
    chart = figure()
    chart.add_heatmap(
        z=np.where(counts > 0, counts, np.nan),
        x=labels,
        y=labels,
        colorscale=[[0, "#8fb4ea"], [1, "#2468e0"]],
        showscale=False,
        text=[[f"{int(count)}" if count else "" for count in row] for row in counts],
        texttemplate="%{text}",
        xgap=2,
        ygap=2,
        hovertemplate="%{y} became %{x}: %{z:.0f}<extra></extra>",
    )
    n_right = int((table["after"] == table["target"]).sum())
    n_wrong = int((table["before"] == table["target"]).sum())
    subtitle = "no prediction changed"
    if len(table):
        subtitle = f"{len(table)} shown: {n_right} became right, {n_wrong} became wrong"
    _set_titles(chart, title or "Which predictions changed?", subtitle)
    chart.update_layout(height=max(300, 190 + 30 * len(names)), margin={"t": 84})
    chart.update_xaxes(title={"text": "after"}, showgrid=False)
    chart.update_yaxes(title={"text": "before"}, autorange="reversed", showgrid=False)
    return chart


def _counts_of_pairs(table: DataFrame, names: list[str]) -> np.ndarray:
    """Counts `(before, after)` of pairs of classes, in the order of `names`."""
    positions = {name: position for position, name in enumerate(names)}
    counts = np.zeros((len(names), len(names)))
    for before, after in zip(table["before"], table["after"], strict=True):
        counts[positions[str(before)], positions[str(after)]] += 1
    return counts


def _set_titles(chart: Figure, title: str, subtitle: str) -> None:
    titles: dict[str, Any] = {"text": title, "subtitle": {"text": subtitle}}
    chart.update_layout(title=titles)


def _need(table: DataFrame, columns: tuple[str, ...]) -> None:
    missing = [column for column in columns if column not in table]
    if missing:
        names = ", ".join(f"`{column}`" for column in missing)
        raise DataError(f"The table has no column {names}; it has {', '.join(map(str, table))}.")


def _short(name: str) -> str:
    text = str(name)
    if len(text) > MAX_NAME:
        text = f"…{text[1 - MAX_NAME :]}"
    return html.escape(text)
