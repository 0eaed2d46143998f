"""Threads and batch sizes in one figure: what a larger batch and another core buy on each runtime."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from workbench.errors import DataError
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
    """Samples a second against batch size, a line a candidate and thread count, both axes
    logarithmic.

    `table` is what `workbench.measure.sweep` gives; raises DataError when a column is missing.
    """
    import numpy as np

    missing = [c for c in COLUMNS if c not in table]
    if missing or not len(table):
        raise DataError(
            f"The table has no {', '.join(f'`{c}`' for c in missing) or 'rows'}: give what `sweep` "
            "returns."
        )
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
        type="log", title="samples a second, best call", **_ticks(table["throughput"].to_numpy())
    )
    heading = {
        "text": title or "What do batches and threads buy?",
        "subtitle": {"text": _story(table, threads)},
    }
    legend = {"orientation": "v", "x": 1.02, "xanchor": "left", "y": 1, "yanchor": "top"}
    shown.update_layout(title=heading, height=430, margin={"t": 84, "r": 170}, legend=legend)
    return shown


def _ticks(values: np.ndarray) -> dict[str, Any]:
    """Ticks at 1, 2 and 5 written as people write them."""
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


def _story(table: DataFrame, threads: list[int]) -> str:
    """Which line is which thread count, and the most that was reached."""
    kinds = ("solid", "dashed", "dotted", "dash-dotted")
    lines = ", ".join(f"{kinds[j % len(kinds)]}: {_threads(n)}" for j, n in enumerate(threads))
    top = table.loc[table["throughput"].idxmax()]
    best = (
        f"{html.escape(str(top['name']))} at batch {top['batch_size']} on "
        f"{_threads(int(top['threads']))}"
    )
    return f"{lines}; most: {top['throughput']:,.0f} by {best}"
