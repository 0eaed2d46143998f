"""Throughput of each runtime by batch size and number of threads."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from workbench.figures.given_tables import check_table
from workbench.figures.theme import figure, palette

if TYPE_CHECKING:
    import numpy as np
    from pandas import DataFrame
    from plotly.graph_objects import Figure

__all__ = ["plot_sweep"]

DASHES = ("solid", "dash", "dot", "dashdot")
HOVER = "batch %{x}: %{y:,.0f} samples/s (%{customdata:.3g} ms a call)<extra>%{fullData.name}"
COLUMNS = ("name", "threads", "batch_size", "best_ms", "throughput")


def plot_sweep(table: DataFrame, *, title: str | None = None) -> Figure:
    """Samples per second against batch size on log axes, one line a candidate and thread count.

    `table` is the result of `workbench.measure.sweep`. Raises DataError when a column or all rows
    are missing.
    """
    import numpy as np

    check_table(table, COLUMNS, "Give the result of `sweep`.")
    shown = figure()
    names, threads = list(dict.fromkeys(table["name"])), sorted(set(table["threads"]))
    for i, name in enumerate(names):
        for j, n in enumerate(threads):
            part = table[(table["name"] == name) & (table["threads"] == n)].sort_values(
                "batch_size"
            )
            shown.add_scatter(
                x=part["batch_size"].to_numpy(),
                y=part["throughput"].to_numpy(),
                mode="lines+markers",
                name=html.escape(str(name)),
                legendgroup=str(i),
                showlegend=j == 0,
                line={
                    "color": palette.series[i % len(palette.series)],
                    "dash": DASHES[j % len(DASHES)],
                },
                customdata=part["best_ms"].to_numpy(),
                hovertemplate=HOVER + f", {_threads(n)}</extra>",
            )
    sizes = np.array(sorted(set(table["batch_size"])))
    shown.update_xaxes(
        type="log", tickvals=sizes, ticktext=[str(s) for s in sizes], title="batch size"
    )
    shown.update_yaxes(
        type="log", title="samples per second, best call", **_ticks(table["throughput"].to_numpy())
    )
    heading = {
        "text": title or "Throughput by batch size and threads",
        "subtitle": {"text": _subtitle(table, threads)},
    }
    legend = {"orientation": "v", "x": 1.02, "xanchor": "left", "y": 1, "yanchor": "top"}
    shown.update_layout(title=heading, height=430, margin={"t": 84, "r": 170}, legend=legend)
    return shown


def _ticks(values: np.ndarray) -> dict[str, Any]:
    """Range and ticks of a log axis: 1, 2 and 5 in each decade, written without exponents."""
    import numpy as np

    low, high = float(values.min()) / 1.25, float(values.max()) * 1.25
    exponents = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    ticks = np.array([m * 10.0**e for e in exponents for m in (1, 2, 5)])
    ticks = ticks[(ticks >= low) & (ticks <= high)]
    return {
        "range": [np.log10(low), np.log10(high)],
        "tickvals": ticks,
        "ticktext": [f"{t:,.0f}" for t in ticks],
    }


def _threads(n: int) -> str:
    return f"{n} thread{'s' if n > 1 else ''}"


def _subtitle(table: DataFrame, threads: list[int]) -> str:
    """The thread count of each dash, and the highest throughput."""
    kinds = ("solid", "dashed", "dotted", "dash-dotted")
    lines = ", ".join(f"{kinds[j % len(kinds)]}: {_threads(n)}" for j, n in enumerate(threads))
    top = table.loc[table["throughput"].idxmax()]
    best = (
        f"{html.escape(str(top['name']))} at batch {top['batch_size']} on "
        f"{_threads(int(top['threads']))}"
    )
    return f"{lines}; highest: {top['throughput']:,.0f} by {best}"
