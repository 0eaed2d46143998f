"""Figures of pruning, each for one question: what can give, what was cut, what it cost, and whether
it became faster.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import DataError
from workbench.figures.theme import figure, palette

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure
    from torch import nn

__all__ = ["plot_macs", "plot_sensitivity", "plot_speedup", "plot_weights", "plot_widths"]

N_NAMED = 6  # curves with a colour of their own; a seventh colour would not stay apart
ROW = 22  # pixels a layer


def plot_sensitivity(table: DataFrame, *, title: str | None = None) -> Figure:
    """Which layers can give? Quality against ratio, a curve a layer (columns layer, ratio, quality
    of `sensitivity`).

    The layers that lose most at the second largest ratio are named in colour, all others are grey.
    """
    _need(table, ("layer", "ratio", "quality"))
    ranked = _ranked(table)
    half = N_NAMED // 2
    named = list(dict.fromkeys([*ranked[:half], *ranked[-half:]]))
    made = figure()
    for layer in sorted(ranked, key=lambda name: name in named):
        part = table[table["layer"] == layer].sort_values("ratio")
        color = palette.series[named.index(layer)] if layer in named else palette.grid
        made.add_scatter(
            x=part["ratio"].to_numpy(float),
            y=part["quality"].to_numpy(float),
            mode="lines+markers" if layer in named else "lines",
            line={"color": color, "width": 2 if layer in named else 1},
            name=_short(layer),
            showlegend=layer in named,
            marker={"size": 6},
            hovertemplate=f"<b>{html.escape(layer)}</b><br>%{{x:.0%}} gone<br>quality "
            f"%{{y:.4f}}<extra></extra>",
        )
    told = (
        f"{_short(ranked[0])} hurts most, {_short(ranked[-1])} least; each layer alone, without "
        "training; others grey"
    )
    made.update_layout(
        title={"text": title or "Which layers can give?", "subtitle": {"text": told}}, height=440
    )
    made.update_layout(
        margin={"t": 84}, legend={"orientation": "v", "x": 1.01, "y": 1, "yanchor": "top"}
    )
    made.update_xaxes(
        title={"text": "share of the channels removed"}, tickformat=".0%", showgrid=True
    )
    made.update_yaxes(title={"text": "quality     better →"})
    return made


def _ranked(table: DataFrame) -> list[str]:
    """Layers from the most to the least sensitive: mean quality over the ratios that are not 0."""
    means = table[table["ratio"] > 0].groupby("layer", sort=False)["quality"].mean()
    return [str(name) for name in means.sort_values(kind="stable").index]


def plot_widths(widths: DataFrame, *, title: str | None = None) -> Figure:
    """What was cut? Channels of each layer before (outline) and after (filled), from the evidence
    `widths`.
    """
    _need(widths, ("layer", "channels", "channels_after", "protected"))
    names = [_short(n) for n in widths["layer"]]
    before, after = widths["channels"].to_numpy(float), widths["channels_after"].to_numpy(float)
    made = figure()
    made.add_bar(
        y=names,
        x=before,
        orientation="h",
        name="before",
        hoverinfo="skip",
        marker={"color": "rgba(0,0,0,0)", "line": {"color": palette.text, "width": 1}},
    )
    colors = [palette.equivalent if p else palette.total for p in widths["protected"]]
    hover = [
        f"<b>{n}</b><br>{b:.0f} → {a:.0f} channels"
        for n, b, a in zip(names, before, after, strict=True)
    ]
    made.add_bar(
        y=names,
        x=after,
        orientation="h",
        name="after",
        marker={"color": colors, "line": {"width": 0}},
        hovertext=hover,
        hovertemplate="%{hovertext}<extra></extra>",
    )
    told = (
        f"{before.sum() - after.sum():,.0f} of {before.sum():,.0f} channels are gone; outlines are "
        "the widths before, grey is left whole"
    )
    made.update_layout(
        title={"text": title or "What was cut?", "subtitle": {"text": told}},
        barmode="overlay",
        showlegend=False,
        height=120 + ROW * len(names),
        margin={"t": 84},
    )
    made.update_yaxes(autorange="reversed", showgrid=False, tickmode="array", tickvals=names)
    made.update_xaxes(title={"text": "channels"}, showgrid=True)
    return made


def plot_weights(before: nn.Module, after: nn.Module, *, title: str | None = None) -> Figure:
    """Which weights went? Histogram of all weights before and after, on a log axis of counts; zeros
    stand apart.
    """
    counts, edges, n_zeros, n_all = _histogram(before, after)
    middle = (edges[:-1] + edges[1:]) / 2
    made = figure()
    for name, values, color in (
        ("before", counts[0], palette.equivalent),
        ("after", counts[1], palette.series[0]),
    ):
        made.add_scatter(
            x=middle,
            y=np.where(values > 0, values, np.nan),
            mode="lines",
            line={"shape": "hvh", "color": color, "width": 2},
            name=name,
        )
    told = (
        f"{n_zeros / n_all:.1%} of {n_all:,} weights are exactly zero after; they are left out of "
        "the curve"
    )
    made.update_layout(
        title={"text": title or "Which weights went?", "subtitle": {"text": told}},
        height=400,
        margin={"t": 108},
    )
    made.update_yaxes(title={"text": "weights in a bin (log scale)"}, type="log", dtick=1)
    made.update_xaxes(title={"text": "weight"})
    return made


def _histogram(
    before: nn.Module, after: nn.Module
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray, int, int]:
    """Counts of weights that are not zero, before and after, their common edges, and zeros and
    weights after.
    """
    from workbench.techniques.pruning.masks import matrices

    both = [
        np.concatenate(
            [getattr(m, n).detach().cpu().float().numpy().ravel() for _, m, n in matrices(model)]
        )
        for model in (before, after)
    ]
    reach = float(np.quantile(np.abs(both[0]), 0.999)) or 1.0
    edges = np.linspace(-reach, reach, 122)
    counts = tuple(np.histogram(values[values != 0], edges)[0] for values in both)
    return counts, edges, int((both[1] == 0).sum()), len(both[1])


def plot_macs(before: dict[str, int], after: dict[str, int], *, title: str | None = None) -> Figure:
    """Where did the work go? Multiply-adds of each layer before and after, as steps down (from
    `cost.layer_macs`).
    """
    rows = _falls(before, after)
    total = sum(before.values())
    unit, scale = ("M", 1e6) if total >= 1e6 else ("k", 1e3)
    names = ["before", *(_short(name) for name, _ in rows), "after"]
    made = figure()
    made.add_waterfall(
        x=names,
        y=np.array([total, *(fall for _, fall in rows), 0.0]) / scale,
        measure=["absolute", *["relative"] * len(rows), "total"],
        decreasing={"marker": {"color": palette.better}},
        increasing={"marker": {"color": palette.worse}},
        totals={"marker": {"color": palette.total}},
        connector={"line": {"color": palette.grid}},
        hovertemplate="<b>%{x}</b><br>%{delta:.3f} " + unit + "<extra></extra>",
    )
    left = total + sum(fall for _, fall in rows)
    told = (
        f"{total / scale:.3g} {unit} before, {left / scale:.3g} {unit} after: {left / total:.0%} "
        "of the multiply-adds are left"
    )
    made.update_layout(
        title={"text": title or "Where did the work go?", "subtitle": {"text": told}},
        height=460,
        showlegend=False,
    )
    made.update_layout(margin={"t": 84})
    made.update_yaxes(title={"text": f"multiply-adds ({unit})"})
    made.update_xaxes(tickangle=-60, tickmode="array", tickvals=names)
    return made


def _falls(before: dict[str, int], after: dict[str, int]) -> list[tuple[str, float]]:
    """The change of each layer, in order; the smallest ones together where they are many."""
    changes = [(name, float(after.get(name, 0) - macs)) for name, macs in before.items()]
    changes = [c for c in changes if c[1]]
    if len(changes) <= 24:
        return changes
    largest = {name for name, _ in sorted(changes, key=lambda c: c[1])[:23]}
    return [c for c in changes if c[0] in largest] + [
        ("others", sum(f for n, f in changes if n not in largest))
    ]


def plot_speedup(table: DataFrame, *, title: str | None = None) -> Figure:
    """Did it become faster? Measured speed-up against the share removed, a line a method.

    Columns: method, removed (share of the weights or channels gone), speedup (against the dense
    network, same run); `low` and `high`, if there, are its interval.
    """
    _need(table, ("method", "removed", "speedup"))
    made = figure()
    for number, (method, part) in enumerate(table.groupby("method", sort=False)):
        part = part.sort_values("removed")
        bars: dict[str, Any] = {}
        if {"low", "high"} <= set(part):
            up, down = (
                (part["high"] - part["speedup"]).to_numpy(float),
                (part["speedup"] - part["low"]).to_numpy(float),
            )
            bars = {
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": up,
                    "arrayminus": down,
                    "thickness": 1.5,
                }
            }
        made.add_scatter(
            x=part["removed"].to_numpy(float),
            y=part["speedup"].to_numpy(float),
            mode="lines+markers",
            name=str(method),
            **bars,
            line={"color": palette.series[number % len(palette.series)]},
            hovertemplate="%{x:.0%} removed<br>%{y:.2f}x<extra></extra>",
        )
    made.add_hline(y=1, line={"color": palette.text, "width": 1, "dash": "dot"})
    best = table.groupby("method", sort=False)["speedup"].max()
    told = (
        "fastest of each: "
        + ", ".join(f"{name} {value:.1f}x" for name, value in best.items())
        + "; dotted is the dense network"
    )
    made.update_layout(
        title={"text": title or "Did it become faster?", "subtitle": {"text": told}},
        height=420,
        margin={"t": 108},
    )
    made.update_xaxes(title={"text": "share removed"}, tickformat=".0%", showgrid=True)
    made.update_yaxes(title={"text": "times as fast as dense     better →"}, rangemode="tozero")
    return made


def _need(table: DataFrame, columns: tuple[str, ...]) -> None:
    missing = [c for c in columns if c not in table]
    if missing or not len(table):
        raise DataError(
            f"The figure needs rows with the columns {', '.join(columns)}; missing: "
            f"{', '.join(missing) or 'all rows'}."
        )


def _short(name: str) -> str:
    """A layer's name that fits beside an axis: its end."""
    return name if len(name) <= 24 else f"…{name[-23:]}"
