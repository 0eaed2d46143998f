"""Expected cost, precision and recall of a binary classifier against its decision threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.errors import DataError
from workbench.figures.given_tables import check_table
from workbench.figures.theme import figure, palette

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure

__all__ = ["plot_threshold"]

COLUMNS = ("threshold", "cost", "cost_low", "cost_high", "precision", "recall", "share_flagged")
USUAL = 0.5
NEAR = 0.12  # thresholds as near as this would have labels that overlap
# name, column, number in the palette, dash: colour is never the only difference
SHARES = (
    ("precision", "precision", 2, "solid"),
    ("recall", "recall", 1, "dash"),
    ("share of rows flagged", "share_flagged", 5, "dot"),
)


def plot_threshold(table: DataFrame, chosen: float, *, title: str | None = None) -> Figure:
    """Expected cost with its band above precision, recall and share flagged, by threshold.

    `table` is the result of `Threshold.to_frame()`, `chosen` the threshold that is marked; 0.5 is
    marked too. Raises DataError when a column or all rows are missing, and for a `chosen` that is
    not from 0 to 1.
    """
    _check(table, chosen)
    rows = table.sort_values("threshold")
    shown = figure()
    shown.set_subplots(
        rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.08, row_heights=[0.58, 0.42]
    )
    _add_cost(shown, rows)
    for name, column, number, dash in SHARES:
        shown.add_scatter(
            x=rows["threshold"].to_numpy(float),
            y=100 * rows[column].to_numpy(float),
            mode="lines",
            name=name,
            line={"color": palette.series[number], "dash": dash},
            hovertemplate=f"{name} <b>%{{y:.1f}} %</b><extra></extra>",
            row=2,
            col=1,
        )
    _mark(shown, chosen)
    shown.update_xaxes(range=[-0.01, 1.01], tickformat=".1f")
    shown.update_xaxes(title="threshold on the probability of the positive class", row=2, col=1)
    shown.update_yaxes(title="expected cost a row", row=1, col=1)
    shown.update_yaxes(title="percent", range=[-3, 103], row=2, col=1)
    subtitle = "Band: 95 % interval at each threshold, on the rows that chose."
    shown.update_layout(
        title={"text": title or "Cost by decision threshold", "subtitle": {"text": subtitle}},
        hovermode="x unified",
        height=520,
        margin={"t": 104},
        legend={"yref": "container", "y": 0.02, "yanchor": "bottom"},
    )
    return shown


def _check(table: DataFrame, chosen: float) -> None:
    check_table(table, COLUMNS, "Give `Threshold.to_frame()`.")
    if not 0 <= chosen <= 1:
        raise DataError(f"`chosen` must be from 0 to 1, got {chosen}: it is a probability.")


def _add_cost(shown: Figure, rows: DataFrame) -> None:
    """The band, and the line of the cost above it."""
    x = rows["threshold"].to_numpy(float)
    color = palette.series[0]
    edge: dict[str, Any] = {"x": x, "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    shown.add_scatter(**edge, y=rows["cost_low"].to_numpy(float), showlegend=False, row=1, col=1)
    shown.add_scatter(
        **edge,
        y=rows["cost_high"].to_numpy(float),
        fill="tonexty",
        fillcolor=_translucent(color),
        name="95 % interval",
        row=1,
        col=1,
    )
    shown.add_scatter(
        x=x,
        y=rows["cost"].to_numpy(float),
        mode="lines",
        name="expected cost",
        line={"color": color},
        hovertemplate="expected cost <b>%{y:.4g}</b><extra></extra>",
        row=1,
        col=1,
    )


def _mark(shown: Figure, chosen: float) -> None:
    """Vertical lines at the chosen threshold and at 0.5 through both panels, with labels on top.

    Each label stands on the side of its line that is away from the other line.
    """
    is_right = chosen > USUAL
    marks = [(chosen, f"<b>chosen {chosen:.3g}</b>", "solid", palette.total, is_right)]
    if abs(chosen - USUAL) > 1e-9:
        marks.append((USUAL, f"usual {USUAL:g}", "dot", palette.text, not is_right))
    for x, text, dash, color, to_right in marks:
        shown.add_shape(
            type="line",
            x0=x,
            x1=x,
            y0=0,
            y1=1,
            xref="x",
            yref="paper",
            line={"color": color, "dash": dash, "width": 2},
        )
        if abs(chosen - USUAL) > NEAR:  # enough room: centred, but inside the figure
            anchor = "left" if x < NEAR else "right" if x > 1 - NEAR else "center"
        else:
            anchor = "left" if to_right else "right"
        shown.add_annotation(
            x=x, y=1, xref="x", yref="paper", yanchor="bottom", xanchor=anchor, text=text
        )


def _translucent(color: str) -> str:
    """A colour `#rrggbb` as a fill that lets the page through."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, 0.2)"
