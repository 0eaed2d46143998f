"""Findings of the leakage guard: the value of each beside the one without a leak."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.figures.given_tables import check_table
from workbench.figures.theme import figure, palette

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure

__all__ = ["plot_leaks"]

COLUMNS = ("severity", "kind", "where", "value", "chance")
LONGEST = 32  # letters of a label
# severity, colour, symbol: colour is never the only difference
SEVERITIES = (("leak", palette.worse, "circle"), ("look at it", palette.series[4], "diamond"))


def plot_leaks(table: DataFrame, *, title: str | None = None) -> Figure:
    """The value of each finding, with a line to the value without a leak.

    `table` is the result of `LeakReport.to_frame()`. Values are in units of their own (AUC, share
    of rows, distance): compare along a line, not between lines. Raises DataError when a column or
    all rows are missing.
    """
    check_table(
        table, COLUMNS, "Give `LeakReport.to_frame()`; without findings there is no figure."
    )
    rows = table.iloc[::-1].reset_index(drop=True)
    labels = [
        f"{i + 1}. {_short(kind)}: {_short(where)}"
        for i, (kind, where) in enumerate(zip(rows["kind"], rows["where"], strict=True))
    ]
    shown = figure()
    for label, value, chance in zip(labels, rows["value"], rows["chance"], strict=True):
        shown.add_scatter(
            x=[chance, value],
            y=[label, label],
            mode="lines",
            line={"color": palette.grid, "width": 4},
            hoverinfo="skip",
            showlegend=False,
        )
    shown.add_scatter(
        x=rows["chance"],
        y=labels,
        mode="markers",
        name="without a leak",
        marker={"color": palette.equivalent, "symbol": "line-ns-open", "size": 14},
        hovertemplate="without a leak <b>%{x:.3g}</b><extra></extra>",
    )
    for severity, color, symbol in SEVERITIES:
        chosen = (rows["severity"] == severity).to_numpy()
        if not chosen.any():
            continue
        shown.add_scatter(
            x=rows["value"][chosen],
            y=[label for label, is_chosen in zip(labels, chosen, strict=True) if is_chosen],
            mode="markers",
            name=severity,
            marker={"color": color, "symbol": symbol, "size": 11},
            hovertemplate="%{y}<br>value <b>%{x:.3g}</b><extra></extra>",
        )
    shown.update_layout(
        title={
            "text": title or "Findings of the leakage guard",
            "subtitle": {"text": "Each line has a unit of its own: see its evidence."},
        },
        height=220 + 34 * len(labels),
        margin={"l": 300, "t": 104},
    )
    shown.update_yaxes(categoryorder="array", categoryarray=labels)
    shown.update_xaxes(title="value")
    return shown


def _short(text: str) -> str:
    text = text.replace("_", " ")
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
