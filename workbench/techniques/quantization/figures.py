"""Figures of quantization, each for one question: which layer hurts, what is clipped, what pays,
which predictions flipped.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import DataError
from workbench.figures.theme import figure, palette

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure

__all__ = ["plot_flips", "plot_methods", "plot_ranges", "plot_sqnr"]

ROW = 22  # pixels a layer
MOST_PANELS = 6
COLUMNS = 3


def plot_sqnr(table: DataFrame, *, title: str | None = None) -> Figure:
    """Which layer hurts? A bar a layer of the noise that int8 puts into it, the noisiest on top.

    `table` is the evidence `sqnr`, or the action `sensitivity` (then the noise at the network's
    output is drawn); layers with `kept_float` true are orange. Raises DataError when a column is
    missing.
    """
    column = "output_sqnr_db" if "output_sqnr_db" in table else "sqnr_db"
    _need(table, ("layer", column))
    ranked = table.sort_values(column, kind="stable")
    names = [_short(n) for n in ranked["layer"]]
    values = ranked[column].to_numpy(float)
    kept = (
        ranked["kept_float"].to_numpy(bool)
        if "kept_float" in ranked
        else np.zeros(len(names), bool)
    )
    made = figure()
    made.add_bar(
        y=names,
        x=values,
        orientation="h",
        showlegend=False,
        marker={
            "color": [palette.worse if k else palette.total for k in kept],
            "line": {"width": 0},
        },
        hovertemplate="<b>%{y}</b><br>%{x:.1f} dB<extra></extra>",
    )
    where = (
        "at the network's output, this layer alone in int8"
        if column == "output_sqnr_db"
        else "at the layer's own output"
    )
    told = f"{names[0]} is the noisiest, {values[0]:.0f} dB {where}; 6 dB are one bit"
    told += f"; orange: {int(kept.sum())} kept in float" if kept.any() else ""
    made.update_layout(title={"text": title or "Which layer hurts?", "subtitle": {"text": told}})
    made.update_layout(height=130 + ROW * len(names), margin={"t": 84})
    made.update_yaxes(autorange="reversed", showgrid=False, tickmode="array", tickvals=names)
    made.update_xaxes(
        title={"text": "signal to quantization noise (dB)     better →"}, showgrid=True
    )
    return made


def plot_ranges(table: DataFrame, *, title: str | None = None) -> Figure:
    """What is clipped? Histograms of what layers read on calibration rows, with the ends of the
    int8 range as lines.

    `table` is the evidence `ranges`; at most six layers are drawn, spread over the network. Counts
    are on a log axis.
    """
    _need(table, ("layer", "bin_low", "bin_high", "count", "clip_low", "clip_high", "clipped"))
    layers = list(dict.fromkeys(table["layer"]))
    chosen = [
        layers[i]
        for i in dict.fromkeys(
            np.linspace(0, len(layers) - 1, min(MOST_PANELS, len(layers))).round().astype(int)
        )
    ]
    made, n_rows = figure(), -(-len(chosen) // COLUMNS)
    gap_x, gap_y = 0.07, 0.24 / n_rows
    width, height = (1 - gap_x * (COLUMNS - 1)) / COLUMNS, (1 - gap_y * (n_rows - 1)) / n_rows
    for number, layer in enumerate(chosen):
        part = table[table["layer"] == layer]
        left, top = (number % COLUMNS) * (width + gap_x), 1 - (number // COLUMNS) * (height + gap_y)
        axis = "" if number == 0 else str(number + 1)
        counts = part["count"].to_numpy(float)
        made.add_bar(
            x=((part["bin_low"] + part["bin_high"]) / 2).to_numpy(),
            y=np.where(counts > 0, counts, np.nan),
            showlegend=False,
            width=(part["bin_high"] - part["bin_low"]).to_numpy(),
            xaxis=f"x{axis}",
            yaxis=f"y{axis}",
            marker={"color": palette.series[0], "line": {"width": 0}},
            hovertemplate="%{x:.3g}: %{y:,.0f} values<extra></extra>",
        )
        made.update_layout(
            {
                f"xaxis{axis}": {"domain": [left, left + width], "anchor": f"y{axis}", "nticks": 5},
                f"yaxis{axis}": {
                    "domain": [max(0.0, top - height), top],
                    "anchor": f"x{axis}",
                    "type": "log",
                    "dtick": 2,
                },
            }
        )
        for at in (float(part["clip_low"].iloc[0]), float(part["clip_high"].iloc[0])):
            made.add_shape(
                type="line",
                x0=at,
                x1=at,
                y0=0,
                y1=1,
                xref=f"x{axis}",
                yref=f"y{axis} domain",
                line={"color": palette.worse, "width": 1.5, "dash": "dash"},
            )
        made.add_annotation(
            x=left,
            y=top,
            xref="paper",
            yref="paper",
            xanchor="left",
            yanchor="bottom",
            showarrow=False,
            text=f"{_short(layer)}: {float(part['clipped'].iloc[0]):.2%} clipped",
            font={"size": 11},
        )
    worst = table.loc[table["clipped"].idxmax()]
    told = (
        "dashed: the ends of the int8 range; most is clipped in front of "
        f"{_short(worst['layer'])}, {worst['clipped']:.2%}"
    )
    made.update_layout(
        title={"text": title or "What is clipped?", "subtitle": {"text": told}},
        height=120 + 200 * n_rows,
        margin={"t": 108},
        bargap=0,
        barcornerradius=0,
    )
    return made


def plot_methods(table: DataFrame, *, title: str | None = None) -> Figure:
    """What pays? A bubble a method: latency across, quality up, and the area of the file.

    `table` has columns method, latency_ms, quality, size_bytes.
    """
    _need(table, ("method", "latency_ms", "quality", "size_bytes"))
    sizes = table["size_bytes"].to_numpy(float)
    made = figure()
    for number, row in enumerate(table.itertuples()):
        made.add_scatter(
            x=[row.latency_ms],
            y=[row.quality],
            mode="markers",
            name=f"{html.escape(str(row.method))}, {row.size_bytes / 1e3:,.0f} kB",
            marker={
                "size": 14 + 50 * float(np.sqrt(row.size_bytes / sizes.max())),
                "color": palette.series[number % len(palette.series)],
                "opacity": 0.75,
                "line": {"width": 1, "color": palette.text},
            },
            hovertemplate="%{x:.3g} ms, quality %{y:.4f}<extra>%{fullData.name}</extra>",
        )
    fastest, smallest = (
        table.loc[table["latency_ms"].idxmin()],
        table.loc[table["size_bytes"].idxmin()],
    )
    told = (
        f"fastest: {html.escape(str(fastest['method']))}; smallest: "
        f"{html.escape(str(smallest['method']))}; areas are file sizes"
    )
    made.update_layout(
        title={"text": title or "What pays?", "subtitle": {"text": told}},
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
    span = float(np.ptp(table["quality"])) or 0.01
    low, high = (
        float(table["quality"].min()) - 0.35 * span,
        float(table["quality"].max()) + 0.35 * span,
    )
    made.update_yaxes(title={"text": "quality     better →"}, range=[low, high])
    made.update_xaxes(
        title={"text": "latency (ms)     ← better"}, showgrid=True, rangemode="tozero"
    )
    return made


def plot_flips(table: DataFrame, *, title: str | None = None) -> Figure:
    """Which predictions flipped? Counts of class before against class after, from the evidence
    `flips`.
    """
    _need(table, ("target", "before", "after"))
    names = sorted({str(v) for column in ("before", "after") for v in table[column]})
    place = {name: i for i, name in enumerate(names)}
    counts = np.zeros((len(names), len(names)))
    for before, after in zip(table["before"], table["after"], strict=True):
        counts[place[str(before)], place[str(after)]] += 1
    made = figure()
    shown = [html.escape(n) for n in names]
    made.add_heatmap(
        z=np.where(counts > 0, counts, np.nan),
        x=shown,
        y=shown,
        colorscale=[[0, "#8fb4ea"], [1, "#2468e0"]],
        showscale=False,
        text=[[f"{int(c)}" if c else "" for c in row] for row in counts],
        texttemplate="%{text}",
        xgap=2,
        ygap=2,
        hovertemplate="%{y} became %{x}: %{z:.0f}<extra></extra>",
    )
    right = int((table["after"] == table["target"]).sum())
    wrong = int((table["before"] == table["target"]).sum())
    told = (
        f"{len(table)} shown: {right} became right, {wrong} became wrong"
        if len(table)
        else "no prediction changed"
    )
    made.update_layout(
        title={"text": title or "Which predictions flipped?", "subtitle": {"text": told}}
    )
    made.update_layout(height=max(300, 190 + 30 * len(names)), margin={"t": 84})
    made.update_xaxes(title={"text": "after"}, showgrid=False)
    made.update_yaxes(title={"text": "before"}, autorange="reversed", showgrid=False)
    return made


def _need(table: DataFrame, columns: tuple[str, ...]) -> None:
    missing = [c for c in columns if c not in table]
    if missing:
        raise DataError(
            f"The table has no column {', '.join(f'`{c}`' for c in missing)}; it has "
            f"{', '.join(map(str, table))}."
        )


def _short(name: str) -> str:
    return html.escape(str(name) if len(str(name)) <= 28 else f"…{str(name)[-27:]}")
