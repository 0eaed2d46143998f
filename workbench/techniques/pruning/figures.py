"""Figures of pruning: sensitivity, widths, weights, multiply-adds and speed-up, a question each."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import DataError
from workbench.figures.theme import figure, palette
from workbench.techniques.pruning.trees_figure import plot_rounds

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure
    from torch import nn

__all__ = [
    "plot_macs",
    "plot_rounds",
    "plot_sensitivity",
    "plot_speedup",
    "plot_weights",
    "plot_widths",
]

N_NAMED = 6  # curves with a colour; more colours could not be told apart
ROW_PIXELS = 22  # height of a layer's bar
N_LAYERS_SHOWN = 24  # bars of a waterfall; the smallest changes are summed
N_BINS = 121
MARGIN = {"t": 84}
MARGIN_WITH_LEGEND = {"t": 108}


def plot_sensitivity(table: DataFrame, *, title: str | None = None) -> Figure:
    """Which layers tolerate pruning? Quality against ratio, a curve for each layer.

    `table` has the columns layer, ratio and quality of `sensitivity`. The layers that lose most and
    least are named in colour, all others are grey.
    """
    _require_columns(table, ("layer", "ratio", "quality"))
    ranked = _ranked(table)
    half = N_NAMED // 2
    named = list(dict.fromkeys([*ranked[:half], *ranked[-half:]]))
    chart = figure()
    for layer in sorted(ranked, key=lambda name: name in named):
        is_named = layer in named
        color = palette.series[named.index(layer)] if is_named else palette.grid
        curve = table[table["layer"] == layer].sort_values("ratio")
        chart.add_scatter(
            x=curve["ratio"].to_numpy(float),
            y=curve["quality"].to_numpy(float),
            mode="lines+markers" if is_named else "lines",
            line={"color": color, "width": 2 if is_named else 1},
            name=_short(layer),
            showlegend=is_named,
            marker={"size": 6},
            hovertemplate=(
                f"<b>{html.escape(layer)}</b><br>%{{x:.0%}} removed<br>quality %{{y:.4f}}"
                "<extra></extra>"
            ),
        )
    subtitle = (
        f"{_short(ranked[0])} loses most, {_short(ranked[-1])} least; each layer pruned alone, "
        "without training; others grey"
    )
    _set_title(chart, title or "Which layers tolerate pruning?", subtitle)
    chart.update_layout(
        height=440,
        margin=MARGIN,
        legend={"orientation": "v", "x": 1.01, "y": 1, "yanchor": "top"},
    )
    chart.update_xaxes(title={"text": "fraction of the channels removed"}, tickformat=".0%")
    chart.update_xaxes(showgrid=True)
    chart.update_yaxes(title={"text": "quality     better →"})
    return chart


def _ranked(table: DataFrame) -> list[str]:
    """Layers from the most to the least sensitive, by mean quality over all ratios but 0."""
    means = table[table["ratio"] > 0].groupby("layer", sort=False)["quality"].mean()
    return [str(name) for name in means.sort_values(kind="stable").index]


def plot_widths(widths: DataFrame, *, title: str | None = None) -> Figure:
    """Which channels were removed? Widths of each layer before (outline) and after (filled).

    `widths` is the evidence of that name.
    """
    _require_columns(widths, ("layer", "channels", "channels_after", "protected"))
    names = [_short(name) for name in widths["layer"]]
    before = widths["channels"].to_numpy(float)
    after = widths["channels_after"].to_numpy(float)
    chart = figure()
    chart.add_bar(
        y=names,
        x=before,
        orientation="h",
        name="before",
        hoverinfo="skip",
        marker={"color": "rgba(0,0,0,0)", "line": {"color": palette.text, "width": 1}},
    )
    colors = [
        palette.equivalent if is_protected else palette.total
        for is_protected in widths["protected"]
    ]
    hover = [
        f"<b>{name}</b><br>{width_before:.0f} → {width_after:.0f} channels"
        for name, width_before, width_after in zip(names, before, after, strict=True)
    ]
    chart.add_bar(
        y=names,
        x=after,
        orientation="h",
        name="after",
        marker={"color": colors, "line": {"width": 0}},
        hovertext=hover,
        hovertemplate="%{hovertext}<extra></extra>",
    )
    subtitle = (
        f"{before.sum() - after.sum():,.0f} of {before.sum():,.0f} channels are removed; outlines "
        "are the widths before, grey layers are not pruned"
    )
    _set_title(chart, title or "Which channels were removed?", subtitle)
    height = 120 + ROW_PIXELS * len(names)
    chart.update_layout(barmode="overlay", showlegend=False, height=height, margin=MARGIN)
    chart.update_yaxes(autorange="reversed", showgrid=False, tickmode="array", tickvals=names)
    chart.update_xaxes(title={"text": "channels"}, showgrid=True)
    return chart


def plot_weights(before: nn.Module, after: nn.Module, *, title: str | None = None) -> Figure:
    """Which weights were removed? Histogram of the weights before and after, counts on a log axis.

    Zeros are left out and counted in the subtitle.
    """
    counts, edges, n_zeros, n_weights = _histogram(before, after)
    centres = (edges[:-1] + edges[1:]) / 2
    chart = figure()
    for name, values, color in (
        ("before", counts[0], palette.equivalent),
        ("after", counts[1], palette.series[0]),
    ):
        chart.add_scatter(
            x=centres,
            y=np.where(values > 0, values, np.nan),
            mode="lines",
            line={"shape": "hvh", "color": color, "width": 2},
            name=name,
        )
    subtitle = (
        f"{n_zeros / n_weights:.1%} of {n_weights:,} weights are exactly zero after; they are left "
        "out of the curve"
    )
    _set_title(chart, title or "Which weights were removed?", subtitle)
    chart.update_layout(height=400, margin=MARGIN_WITH_LEGEND)
    chart.update_yaxes(title={"text": "weights in a bin (log scale)"}, type="log", dtick=1)
    chart.update_xaxes(title={"text": "weight"})
    return chart


def _histogram(
    before: nn.Module, after: nn.Module
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray, int, int]:
    """Counts of nonzero weights before and after, the edges of the bins, zeros after, weights."""
    weights_before = _all_weights(before)
    weights_after = _all_weights(after)
    limit = float(np.quantile(np.abs(weights_before), 0.999)) or 1.0
    edges = np.linspace(-limit, limit, N_BINS + 1)
    counts_before, _ = np.histogram(weights_before[weights_before != 0], edges)
    counts_after, _ = np.histogram(weights_after[weights_after != 0], edges)
    n_zeros = int((weights_after == 0).sum())
    return (counts_before, counts_after), edges, n_zeros, len(weights_after)


def _all_weights(model: nn.Module) -> np.ndarray:
    """The weights of all kernels and matrices `(weights,)`."""
    from workbench.techniques.pruning.masks import matrices

    weights = [getattr(module, name) for _, module, name in matrices(model)]
    return np.concatenate([w.detach().cpu().float().numpy().ravel() for w in weights])


def plot_macs(before: dict[str, int], after: dict[str, int], *, title: str | None = None) -> Figure:
    """Which layers need less work? Change of the multiply-adds of each layer, as a waterfall.

    `before` and `after` are results of `cost.layer_macs`.
    """
    changes = _changes(before, after)
    total = sum(before.values())
    total_after = total + sum(change for _, change in changes)
    unit, scale = ("M", 1e6) if total >= 1e6 else ("k", 1e3)
    names = ["before", *(_short(name) for name, _ in changes), "after"]
    chart = figure()
    chart.add_waterfall(
        x=names,
        y=np.array([total, *(change for _, change in changes), 0.0]) / scale,
        measure=["absolute", *["relative"] * len(changes), "total"],
        decreasing={"marker": {"color": palette.better}},
        increasing={"marker": {"color": palette.worse}},
        totals={"marker": {"color": palette.total}},
        connector={"line": {"color": palette.grid}},
        hovertemplate="<b>%{x}</b><br>%{delta:.3f} " + unit + "<extra></extra>",
    )
    subtitle = (
        f"{total / scale:.3g} {unit} before, {total_after / scale:.3g} {unit} after: "
        f"{total_after / total:.0%} of the multiply-adds are left"
    )
    _set_title(chart, title or "Which layers need less work?", subtitle)
    chart.update_layout(height=460, showlegend=False, margin=MARGIN)
    chart.update_yaxes(title={"text": f"multiply-adds ({unit})"})
    chart.update_xaxes(tickangle=-60, tickmode="array", tickvals=names)
    return chart


def _changes(before: dict[str, int], after: dict[str, int]) -> list[tuple[str, float]]:
    """The change of each layer that has one, in order; of many, the smallest are summed."""
    changes = [(name, float(after.get(name, 0) - macs)) for name, macs in before.items()]
    changes = [(name, change) for name, change in changes if change]
    if len(changes) <= N_LAYERS_SHOWN:
        return changes
    by_size = sorted(changes, key=lambda pair: pair[1])
    largest = {name for name, _ in by_size[: N_LAYERS_SHOWN - 1]}
    others = sum(change for name, change in changes if name not in largest)
    return [*(pair for pair in changes if pair[0] in largest), ("others", others)]


def plot_speedup(table: DataFrame, *, title: str | None = None) -> Figure:
    """Is the network faster? Measured speed-up against the fraction removed, a line a method.

    Columns: method, removed (fraction of the weights or channels), speedup (against the dense
    network in the same run); `low` and `high`, if present, are its interval.
    """
    _require_columns(table, ("method", "removed", "speedup"))
    chart = figure()
    for number, (method, rows) in enumerate(table.groupby("method", sort=False)):
        points = rows.sort_values("removed")
        chart.add_scatter(
            x=points["removed"].to_numpy(float),
            y=points["speedup"].to_numpy(float),
            error_y=_error_bars(points),
            mode="lines+markers",
            name=str(method),
            line={"color": palette.series[number % len(palette.series)]},
            hovertemplate="%{x:.0%} removed<br>%{y:.2f}x<extra></extra>",
        )
    chart.add_hline(y=1, line={"color": palette.text, "width": 1, "dash": "dot"})
    fastest = table.groupby("method", sort=False)["speedup"].max()
    by_method = ", ".join(f"{name} {value:.1f}x" for name, value in fastest.items())
    subtitle = f"largest speed-up: {by_method}; the dotted line is the dense network"
    _set_title(chart, title or "Is the network faster?", subtitle)
    chart.update_layout(height=420, margin=MARGIN_WITH_LEGEND)
    chart.update_xaxes(title={"text": "fraction removed"}, tickformat=".0%", showgrid=True)
    chart.update_yaxes(title={"text": "speed-up over dense     better →"}, rangemode="tozero")
    return chart


def _error_bars(points: DataFrame) -> dict[str, object] | None:
    """Error bars from the columns `low` and `high`; None without them."""
    if not {"low", "high"} <= set(points):
        return None
    return {
        "type": "data",
        "symmetric": False,
        "array": (points["high"] - points["speedup"]).to_numpy(float),
        "arrayminus": (points["speedup"] - points["low"]).to_numpy(float),
        "thickness": 1.5,
    }


def _set_title(chart: Figure, title: str, subtitle: str) -> None:
    chart.update_layout(title={"text": title, "subtitle": {"text": subtitle}})


def _require_columns(table: DataFrame, columns: tuple[str, ...]) -> None:
    missing = [column for column in columns if column not in table]
    if missing or not len(table):
        raise DataError(
            f"The figure needs rows with the columns {', '.join(columns)}; missing: "
            f"{', '.join(missing) or 'all rows'}."
        )


def _short(name: str) -> str:
    """The end of a layer's name, short enough for an axis."""
    return name if len(name) <= 24 else f"…{name[-23:]}"
