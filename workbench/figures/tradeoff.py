"""Quality against latency and size: the rows of a ledger that no other row dominates."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING, Any

from workbench.errors import DataError
from workbench.figures.theme import figure, palette
from workbench.figures.units import amount
from workbench.figures.waterfall import bound_of, check_ledger, wrapped

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure

__all__ = ["plot_tradeoff"]

_MAX_DIAMETER = 46  # of a point, in pixels


def plot_tradeoff(rows: DataFrame, *, title: str | None = None) -> Figure:
    """Quality against latency of each row of a ledger; the area of a point is the model's size.

    Filled points are the Pareto front: no other row is at least as good in quality, latency and
    size, and better in one. Bars are the intervals `quality_low` to `quality_high`, the dotted line
    is the order of the steps. Raises DataError when `step`, `latency_ms` or `quality` is missing or
    has no value, or when a latency is not above zero.
    """
    table = _tradeoff(rows)
    figure_ = figure()
    figure_.add_scatter(
        x=table["latency_ms"].to_numpy(),
        y=table["quality"].to_numpy(),
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
        line={"color": palette.text, "width": 1, "dash": "dot"},
    )
    for front in (False, True):
        part = table[table["front"] == front]
        if len(part):
            _add_points(figure_, part, float(table["size_bytes"].max()), front)
    for row in table.itertuples():
        _add_label(figure_, row)
    has_sizes = table["size_bytes"].notna().any()
    subtitle = (
        f"up and left is better{', area is the size' if has_sizes else ''}; the dotted line is the "
        "order of the steps"
    )
    figure_.update_layout(
        title={"text": title or "Quality against latency", "subtitle": {"text": subtitle}},
        height=480,
    )
    figure_.update_layout(
        margin={"t": 116},
        hovermode="closest",
        legend={"itemsizing": "constant", "traceorder": "reversed"},
    )
    figure_.update_xaxes(
        title={"text": "← faster     latency (ms, log scale)"}, showgrid=True, **_log_axis(table)
    )
    figure_.update_yaxes(title={"text": "quality     better →"}, range=_span(table))
    return figure_


def _tradeoff(rows: DataFrame) -> DataFrame:
    """Table of step, latency_ms, quality, low, high, size_bytes, front and above.

    `front` says that no other row dominates this one, `above` that the label is above the point.
    """
    import pandas as pd

    check_ledger(rows, ["latency_ms", "quality"])
    if (rows["latency_ms"] <= 0).any():
        raise DataError(
            "`latency_ms` must be above zero for the log axis; remove the rows where it is not."
        )
    table = pd.DataFrame(
        {
            "step": rows["step"].astype(str).to_numpy(),
            "latency_ms": rows["latency_ms"].to_numpy(float),
            "quality": rows["quality"].to_numpy(float),
            "low": bound_of(rows, "quality", "low"),
            "high": bound_of(rows, "quality", "high"),
            "size_bytes": rows["size_bytes"].to_numpy(float)
            if "size_bytes" in rows
            else float("nan"),
        }
    )
    costs = (
        table[["latency_ms", "size_bytes"]].assign(loss=-table["quality"]).dropna(axis=1).to_numpy()
    )
    table["front"] = [
        not bool(((costs <= c).all(axis=1) & (costs < c).any(axis=1)).any()) for c in costs
    ]
    # labels of neighbouring latencies alternate above and below, so that they do not overlap
    table["above"] = table["latency_ms"].rank(method="first").astype(int) % 2 == 1
    return table


def _add_points(figure_: Figure, part: DataFrame, max_bytes: float, front: bool) -> None:
    color = palette.better if front else palette.equivalent
    has_sizes = max_bytes > 0
    size = part["size_bytes"].fillna(0.0).to_numpy() if has_sizes else [144.0] * len(part)
    figure_.add_scatter(
        x=part["latency_ms"].to_numpy(),
        y=part["quality"].to_numpy(),
        mode="markers",
        name="worth choosing" if front else "another is better",
        hovertext=[_hover(row) for row in part.itertuples()],
        hovertemplate="%{hovertext}<extra></extra>",
        marker={
            "size": size,
            "sizemode": "area",
            "sizeref": 2 * max_bytes / _MAX_DIAMETER**2 if has_sizes else 2.0,
            "sizemin": 4,
            "color": color if front else "rgba(0,0,0,0)",
            "opacity": 0.9,
            "line": {"width": 2, "color": color},
        },
        error_y={
            "type": "data",
            "symmetric": False,
            "color": palette.text,
            "thickness": 1.5,
            "width": 5,
            "array": (part["high"] - part["quality"]).to_numpy(),
            "arrayminus": (part["quality"] - part["low"]).to_numpy(),
            "visible": bool(part["high"].notna().any()),
        },
    )


def _add_label(figure_: Figure, row: Any) -> None:
    has_interval = not (math.isnan(row.low) or math.isnan(row.high))
    end = row.high if row.above else row.low
    figure_.add_annotation(
        x=math.log10(row.latency_ms),
        y=end if has_interval else row.quality,  # outside the bar of the interval
        text=f"<b>{wrapped(row.step)}</b>{_size_line(row)}",
        showarrow=False,
        yanchor="bottom" if row.above else "top",
        yshift=8 if row.above else -8,
    )


def _hover(row: Any) -> str:
    interval = ""
    if not math.isnan(row.low):
        interval = f" [{amount(row.low, 'quality')}, {amount(row.high, 'quality')}]"
    lines = [
        f"<b>{html.escape(row.step)}</b>",
        f"quality {amount(row.quality, 'quality')}{interval}",
        amount(row.latency_ms, "latency_ms"),
    ]
    return "<br>".join(lines) + _size_line(row)


def _size_line(row: Any) -> str:
    """A line break and the size; empty without a size."""
    return "" if math.isnan(row.size_bytes) else f"<br>{amount(row.size_bytes, 'size_bytes')}"


def _log_axis(table: DataFrame) -> dict[str, object]:
    """Range of a log axis, with room for the labels, and ticks at 1, 2 and 5 in each decade."""
    import numpy as np

    logs = np.log10(table["latency_ms"].to_numpy())
    span = float(logs.max() - logs.min())
    room = max(0.15 * span, 0.15, (0.7 - span) / 2)
    low, high = float(logs.min() - room), float(logs.max() + room)
    ticks = np.array(
        [m * 10.0**e for e in range(int(np.floor(low)), int(np.ceil(high)) + 1) for m in (1, 2, 5)]
    )
    ticks = ticks[(np.log10(ticks) >= low) & (np.log10(ticks) <= high)]
    return {
        "type": "log",
        "range": [low, high],
        "tickvals": ticks,
        "ticktext": [f"{t:g}" for t in ticks],
    }


def _span(table: DataFrame) -> list[float]:
    """Bounds of the quality axis, with room for a label of two lines above and below."""
    low = float(table[["quality", "low"]].min().min())
    high = float(table[["quality", "high"]].max().max())
    room = 0.22 * (high - low) or 0.05 * abs(high) or 1.0
    return [low - room, high + room]
