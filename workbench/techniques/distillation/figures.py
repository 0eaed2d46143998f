"""Figures of distillation: temperature against alpha, with against without, agreement with the
teacher, and reliability.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import DataError
from workbench.figures.theme import figure, palette
from workbench.measure.statistics.intervals import student as student_interval
from workbench.metrics import METRICS
from workbench.techniques.distillation.grid import summary

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure

__all__ = ["plot_agreement", "plot_gain", "plot_grid", "plot_reliability"]

STYLES = {
    "student": (palette.series[0], "circle", "solid"),
    "control": (palette.series[1], "square", "dash"),
    "teacher": (palette.equivalent, "diamond", "dot"),
}
NAMES = {"student": "student", "control": "same student without a teacher", "teacher": "teacher"}


def plot_grid(grid: DataFrame, *, metric: str = "accuracy") -> Figure:
    """Mean score and its spread over seeds at each temperature and alpha, as a heat map; the best
    cell is framed.

    `grid` has a row a temperature, alpha and seed, with `score`. Raises DataError when a column is
    missing.
    """
    cells = _cells(grid, ("temperature", "alpha", "seed", "score"))
    scale, unit = _scale(metric)
    table = summary(cells)
    mean = table.pivot(index="alpha", columns="temperature", values="mean") * scale
    spread = table.pivot(index="alpha", columns="temperature", values="spread") * scale
    better = METRICS[metric].higher_is_better if metric in METRICS else True
    text = [
        [_cell_text(m, s, scale > 1) for m, s in zip(*pair, strict=True)]
        for pair in zip(mean.to_numpy(), spread.to_numpy(), strict=True)
    ]
    drawn = figure()
    drawn.add_heatmap(
        x=np.arange(mean.shape[1]),
        y=np.arange(mean.shape[0]),
        z=mean.to_numpy(),
        text=text,
        texttemplate="%{text}",
        xgap=3,
        ygap=3,
        colorscale="Cividis",
        reversescale=not better,
        showscale=False,
        hovertemplate="%{text}<extra></extra>",
    )
    row, column = np.unravel_index(int(np.nanargmax(mean if better else -mean)), mean.shape)
    drawn.add_shape(
        type="rect",
        x0=column - 0.47,
        x1=column + 0.47,
        y0=row - 0.47,
        y1=row + 0.47,
        line={"color": palette.worse, "width": 3},
    )
    n_seeds = int(table["n"].max())
    told = (
        f"mean ± standard deviation over {n_seeds} seeds"
        if n_seeds > 1
        else "one seed: differences may be chance"
    )
    _title(
        drawn,
        f"{metric.capitalize()} on valid by temperature and alpha{unit}",
        f"{told}; framed is the best cell",
    )
    drawn.update_xaxes(
        title={"text": "temperature"},
        tickvals=np.arange(mean.shape[1]),
        ticktext=[f"{t:g}" for t in mean.columns],
    )
    ticks = ["0 (no teacher)" if a == 0 else f"{a:g}" for a in mean.index]
    drawn.update_yaxes(
        title={"text": "alpha, the teacher's weight"},
        tickvals=np.arange(mean.shape[0]),
        ticktext=ticks,
        showgrid=False,
    )
    return drawn.update_layout(height=120 + 64 * mean.shape[0])


def plot_gain(gain: DataFrame, *, metric: str = "accuracy") -> Figure:
    """Each seed's student without and with a teacher, and beside it the mean difference with
    Student's t interval.

    `gain` has the columns seed, with, without, difference. Raises DataError when one is missing, or
    no seed is.
    """
    cells = _cells(gain, ("seed", "with", "without", "difference"))
    scale, unit = _scale(metric)
    drawn = figure()
    for row in cells.to_dict("records"):
        drawn.add_scatter(
            x=[0, 1],
            y=np.array([row["without"], row["with"]]) * scale,
            mode="lines+markers",
            showlegend=False,
            line={"color": palette.equivalent, "width": 1.5},
            hovertemplate=f"seed {row['seed']:g}<br>%{{y:.4g}}<extra></extra>",
            marker={
                "size": 10,
                "color": [STYLES["control"][0], STYLES["student"][0]],
                "symbol": ["square", "circle"],
            },
        )
    differences = cells["difference"].to_numpy(float) * scale
    offsets = np.linspace(-0.12, 0.12, len(differences)) if len(differences) > 1 else np.zeros(1)
    drawn.add_scatter(
        x=offsets - 0.25,
        y=differences,
        mode="markers",
        xaxis="x2",
        yaxis="y2",
        showlegend=False,
        marker={"size": 9, "color": palette.equivalent},
        hovertemplate="%{y:+.3g}<extra></extra>",
    )
    mean, (low, high) = float(differences.mean()), student_interval(differences)
    bounded = bool(np.isfinite(low))
    error = {
        "type": "data",
        "symmetric": False,
        "array": [high - mean],
        "arrayminus": [mean - low],
        "width": 8,
        "visible": bounded,
    }
    drawn.add_scatter(
        x=[0.25],
        y=[mean],
        mode="markers",
        xaxis="x2",
        yaxis="y2",
        showlegend=False,
        error_y=error,
        marker={"size": 13, "color": palette.series[0], "symbol": "diamond"},
        hovertemplate="mean %{y:+.3g}<extra></extra>",
    )
    told = (
        f"{len(cells)} seeds; the bar is the 95 % interval of the mean difference"
        if bounded
        else "one seed: these two models only"
    )
    _title(drawn, f"What the teacher bought: {metric} on valid{unit}", told)
    drawn.update_layout(
        height=380,
        xaxis={
            "domain": [0, 0.56],
            "tickvals": [0, 1],
            "ticktext": ["labels only", "with teacher"],
            "range": [-0.3, 1.3],
        },
        xaxis2={
            "domain": [0.70, 1],
            "tickvals": [-0.25, 0.25],
            "ticktext": ["each seed", "mean"],
            "range": [-0.6, 0.6],
            "anchor": "y2",
            "showgrid": False,
        },
        yaxis={"title": {"text": f"{metric}{unit}"}},
        yaxis2={
            "anchor": "x2",
            "title": {"text": "difference"},
            "zeroline": True,
            "zerolinewidth": 2,
            "zerolinecolor": palette.text,
        },
    )
    return drawn


def plot_agreement(table: DataFrame) -> Figure:
    """For each class, on which share of its rows the student, and the control, decide as the
    teacher does.

    `table` is the evidence `agreement` of a task with classes or labels. Raises DataError for
    another.
    """
    cells = _cells(table, ("class", "n", "student_agreement")).iloc[::-1]
    drawn = figure()
    shown = [name for name in ("control", "student") if f"{name}_agreement" in cells]
    labels = [
        f"<b>{html.escape(str(c))}</b>" if c == "all" else html.escape(str(c))
        for c in cells["class"]
    ]
    if len(shown) == 2:
        for label, a, b in zip(
            labels, cells["control_agreement"], cells["student_agreement"], strict=True
        ):
            line = {"color": palette.equivalent, "width": 2}
            drawn.add_scatter(
                x=[100 * a, 100 * b],
                y=[label] * 2,
                mode="lines",
                line=line,
                showlegend=False,
                hoverinfo="skip",
            )
    for name in shown:
        color, symbol, _ = STYLES[name]
        drawn.add_scatter(
            x=100 * cells[f"{name}_agreement"].to_numpy(),
            y=labels,
            mode="markers",
            name=NAMES[name],
            customdata=cells["n"].to_numpy(),
            marker={"color": color, "symbol": symbol, "size": 11},
            hovertemplate="%{y}: %{x:.1f} % of %{customdata} rows<extra></extra>",
        )
    overall = (
        cells[cells["class"] == "all"].iloc[0]
        if (cells["class"] == "all").any()
        else cells.iloc[-1]
    )
    _title(
        drawn,
        "Where the student decides as its teacher",
        f"{100 * overall['student_agreement']:.1f} % of all rows of valid",
        legend=True,
    )
    drawn.update_xaxes(title={"text": "rows on which both choose the same (%)"}, showgrid=True)
    drawn.update_yaxes(showgrid=False)
    return drawn.update_layout(height=170 + 26 * len(cells))


def plot_reliability(table: DataFrame) -> Figure:
    """How often a model is right when it claims a confidence; on the diagonal it can be believed.

    `table` is the evidence `reliability`; the area of a point is how many decisions it holds.
    Raises DataError for another.
    """
    cells = _cells(table, ("model", "confidence", "accuracy", "n"))
    drawn = figure()
    drawn.add_scatter(
        x=[0, 100],
        y=[0, 100],
        mode="lines",
        line={"color": palette.text, "width": 1, "dash": "dot"},
        showlegend=False,
        hoverinfo="skip",
    )
    most = float(cells["n"].max())
    for name, part in cells.groupby("model", sort=False):
        color, symbol, dash = STYLES.get(str(name), (palette.series[2], "cross", "solid"))
        gap = float(
            ((part["confidence"] - part["accuracy"]).abs() * part["n"]).sum() / part["n"].sum()
        )
        drawn.add_scatter(
            x=100 * part["confidence"].to_numpy(),
            y=100 * part["accuracy"].to_numpy(),
            mode="lines+markers",
            name=f"{html.escape(NAMES.get(str(name), str(name)))} <b>{100 * gap:.1f} %</b>",
            line={"color": color, "dash": dash},
            customdata=part["n"].to_numpy(),
            hovertemplate="claims %{x:.0f} %, right %{y:.0f} %, n %{customdata}<extra></extra>",
            marker={
                "color": color,
                "symbol": symbol,
                "size": 6 + 14 * np.sqrt(part["n"].to_numpy() / most),
                "opacity": 0.85,
                "line": {"width": 0},
            },
        )
    lowest = max(0.0, 100 * float(cells["confidence"].min()) - 5)
    told = (
        "above the dotted line it knows more than it claims; in bold the expected calibration error"
    )
    _title(drawn, "Can its confidence be believed?", told, legend=True)
    drawn.update_xaxes(title={"text": "confidence claimed (%)"}, range=[lowest, 102], showgrid=True)
    drawn.update_yaxes(
        title={"text": "right (%)"},
        range=[min(lowest, 100 * float(cells["accuracy"].min()) - 5), 103],
    )
    return drawn.update_layout(height=420, legend={"itemsizing": "constant"})


def _cells(table: DataFrame, columns: tuple[str, ...]) -> DataFrame:
    missing = [c for c in columns if c not in table]
    if missing:
        raise DataError(
            f"This figure needs the columns {', '.join(columns)}; {', '.join(missing)} missing, "
            f"got {list(table.columns)}."
        )
    if not len(table):
        raise DataError(
            "This figure needs at least one row, got none: train a control (`control_seeds`), or "
            "run the grid."
        )
    return table


def _scale(metric: str) -> tuple[float, str]:
    """The factor and unit with which a metric is shown: shares in percent, all else as it is."""
    points = metric in METRICS and METRICS[metric].unit == "points"
    return (100.0, " (%)") if points else (1.0, "")


def _cell_text(mean: float, spread: float, percent: bool) -> str:
    if mean != mean:
        return ""
    digits = ".2f" if percent else ".4g"
    return (
        f"{mean:{digits}}"
        if spread != spread
        else f"{mean:{digits}}<br>± {spread:{digits if percent else '.2g'}}"
    )


def _title(drawn: Figure, title: str, subtitle: str, *, legend: bool = False) -> Any:
    margin = {"t": 112 if legend else 84}
    return drawn.update_layout(
        title={"text": title, "subtitle": {"text": subtitle}}, margin=margin, hovermode="closest"
    )
