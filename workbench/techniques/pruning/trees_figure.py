"""Figure of the pruning of a boosted ensemble: score and latency over the rounds that are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.figures.given_tables import check_table
from workbench.figures.theme import figure, palette

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure

__all__ = ["plot_rounds"]

COLUMNS = ("n_rounds", "quality", "difference", "low", "high", "margin", "chosen", "latency_ms")
SCORES = [0.42, 1.0]  # heights of the two panels
TIMES = [0.0, 0.28]


def plot_rounds(table: DataFrame, *, title: str | None = None) -> Figure:
    """How many rounds are enough? Score on valid above, latency below, over the rounds kept.

    `table` is the evidence `rounds`. Bars are intervals of the difference from all rounds, the band
    is the margin of the metric around the score with all rounds. Raises DataError when a column or
    all rows are missing.
    """
    check_table(table, COLUMNS, "Give the evidence `rounds` of a pruned ensemble.")
    table = table.sort_values("n_rounds")
    whole, chosen = table.iloc[-1], table[table["chosen"]].iloc[0]
    chart = figure()
    chart.add_hrect(
        y0=whole["quality"] - whole["margin"],
        y1=whole["quality"] + whole["margin"],
        fillcolor=palette.equivalent,
        opacity=0.2,
        line_width=0,
    )
    chart.add_scatter(
        x=table["n_rounds"].to_numpy(),
        y=table["quality"].to_numpy(float),
        error_y={
            "type": "data",
            "symmetric": False,
            "array": (table["high"] - table["difference"]).fillna(0).to_numpy(float),
            "arrayminus": (table["difference"] - table["low"]).fillna(0).to_numpy(float),
            "thickness": 1.5,
        },
        mode="lines+markers",
        line={"color": palette.series[0]},
        hovertemplate="%{x} rounds<br>score %{y:.4f}<extra></extra>",
    )
    timed = table.dropna(subset=["latency_ms"])
    chart.add_scatter(
        x=timed["n_rounds"].to_numpy(),
        y=timed["latency_ms"].to_numpy(float),
        mode="lines+markers",
        line={"color": palette.series[1]},
        yaxis="y2",
        hovertemplate="%{x} rounds<br>%{y:.3g} ms<extra></extra>",
    )
    chart.add_vline(x=chosen["n_rounds"], line={"color": palette.text, "width": 1, "dash": "dot"})
    chart.update_layout(
        title={
            "text": title or "How many rounds are enough?",
            "subtitle": {"text": _subtitle(int(chosen["n_rounds"]), int(whole["n_rounds"]))},
        },
        height=480,
        showlegend=False,
        margin={"t": 84},
        yaxis={"domain": SCORES, "title": {"text": "score on valid"}},
        yaxis2={"domain": TIMES, "title": {"text": "latency in ms"}, "rangemode": "tozero"},
    )
    chart.update_xaxes(title={"text": "rounds kept"}, anchor="y2", showgrid=True)
    return chart


def _subtitle(n: int, n_all: int) -> str:
    return (
        f"{n} of {n_all} rounds are kept (dotted line); the band is the margin around the score "
        "with all rounds"
    )
