"""Figures of distillation: grid, gain by the teacher, agreement and reliability."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import DataError
from workbench.figures.theme import figure, palette
from workbench.measure.statistics.intervals import student as student_interval
from workbench.metrics import METRICS
from workbench.system.wording import percent
from workbench.techniques.distillation.grids import summary

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure

__all__ = ["plot_agreement", "plot_gain", "plot_grid", "plot_reliability"]

STYLES = {
    "student": (palette.series[0], "circle", "solid"),
    "control": (palette.series[1], "square", "dash"),
    "teacher": (palette.equivalent, "diamond", "dot"),
}
RELIABILITY_HOVER = "confidence %{x:.0f} %, accuracy %{y:.0f} %, n %{customdata}<extra></extra>"
NAMES = {"student": "student", "control": "same student without a teacher", "teacher": "teacher"}


def plot_grid(grid: DataFrame, *, metric: str = "accuracy") -> Figure:
    """Heat map of the mean score at each temperature and alpha, with a frame on the best cell.

    `grid` has the columns temperature, alpha, seed and score, a row for each training. Raises
    DataError when a column or all rows are missing.
    """
    cells = _checked(grid, ("temperature", "alpha", "seed", "score"))
    scale, unit = _scale(metric)
    table = summary(cells)
    mean = table.pivot(index="alpha", columns="temperature", values="mean") * scale
    spread = table.pivot(index="alpha", columns="temperature", values="spread") * scale
    sign = METRICS[metric].sign if metric in METRICS else 1.0
    drawn = figure()
    texts = _cell_texts(mean, spread, percent=scale > 1)
    _add_heatmap(drawn, mean, texts, sign=sign)
    n_seeds = int(table["n"].max())
    subtitle = (
        f"mean ± standard deviation over {n_seeds} seeds"
        if n_seeds > 1
        else "one seed: differences may be random"
    )
    _title(
        drawn,
        f"{metric.capitalize()} on valid by temperature and alpha{unit}",
        f"{subtitle}; the best cell has a frame",
    )
    drawn.update_xaxes(
        title={"text": "temperature"},
        tickvals=np.arange(mean.shape[1]),
        ticktext=[f"{t:g}" for t in mean.columns],
    )
    ticks = ["0 (no teacher)" if a == 0 else f"{a:g}" for a in mean.index]
    drawn.update_yaxes(
        title={"text": "alpha, weight of the teacher"},
        tickvals=np.arange(mean.shape[0]),
        ticktext=ticks,
        showgrid=False,
    )
    return drawn.update_layout(height=120 + 64 * mean.shape[0])


def plot_gain(gain: DataFrame, *, metric: str = "accuracy") -> Figure:
    """Scores without and with the teacher for each seed, and the mean difference with its interval.

    The interval is Student's t. `gain` has the columns seed, with, without and difference. Raises
    DataError when a column or all rows are missing.
    """
    seeds = _checked(gain, ("seed", "with", "without", "difference"))
    scale, unit = _scale(metric)
    drawn = figure()
    _add_scores(drawn, seeds, scale)
    has_interval = _add_differences(drawn, seeds["difference"].to_numpy(float) * scale)
    subtitle = (
        f"{len(seeds)} seeds; the bar is the 95 % interval of the mean difference"
        if has_interval
        else "one seed: holds for these two models only"
    )
    _title(drawn, f"Gain by the teacher: {metric} on valid{unit}", subtitle)
    drawn.update_layout(
        height=380,
        xaxis={
            "domain": [0, 0.56],
            "tickvals": [0, 1],
            "ticktext": ["without teacher", "with teacher"],
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
    """Share of each class's rows on which student and control decide as the teacher does.

    `table` is the evidence `agreement` of a task with classes or labels. Raises DataError when a
    column or all rows are missing.
    """
    classes = _checked(table, ("class", "n", "student_agreement")).iloc[::-1]
    drawn = figure()
    models = [name for name in ("control", "student") if f"{name}_agreement" in classes]
    labels = [
        f"<b>{html.escape(str(c))}</b>" if c == "all" else html.escape(str(c))
        for c in classes["class"]
    ]
    if len(models) == 2:
        for label, a, b in zip(
            labels, classes["control_agreement"], classes["student_agreement"], strict=True
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
    for name in models:
        color, symbol, _ = STYLES[name]
        drawn.add_scatter(
            x=100 * classes[f"{name}_agreement"].to_numpy(),
            y=labels,
            mode="markers",
            name=NAMES[name],
            customdata=classes["n"].to_numpy(),
            marker={"color": color, "symbol": symbol, "size": 11},
            hovertemplate="%{y}: %{x:.1f} % of %{customdata} rows<extra></extra>",
        )
    overall = (
        classes[classes["class"] == "all"].iloc[0]
        if (classes["class"] == "all").any()
        else classes.iloc[-1]
    )
    _title(
        drawn,
        "Agreement of the student with its teacher",
        f"{percent(overall['student_agreement'], 1)} of all rows of valid",
        legend=True,
    )
    drawn.update_xaxes(title={"text": "rows with the same decision (%)"}, showgrid=True)
    drawn.update_yaxes(showgrid=False)
    return drawn.update_layout(height=170 + 26 * len(classes))


def plot_reliability(table: DataFrame) -> Figure:
    """Accuracy against confidence of each model; a calibrated model lies on the diagonal.

    `table` is the evidence `reliability`; the area of a point is its number of decisions. Raises
    DataError when a column or all rows are missing.
    """
    bins = _checked(table, ("model", "confidence", "accuracy", "n"))
    drawn = figure()
    drawn.add_scatter(
        x=[0, 100],
        y=[0, 100],
        mode="lines",
        line={"color": palette.text, "width": 1, "dash": "dot"},
        showlegend=False,
        hoverinfo="skip",
    )
    largest = float(bins["n"].max())
    for name, part in bins.groupby("model", sort=False):
        color, symbol, dash = STYLES.get(str(name), (palette.series[2], "cross", "solid"))
        gap = float(
            ((part["confidence"] - part["accuracy"]).abs() * part["n"]).sum() / part["n"].sum()
        )
        drawn.add_scatter(
            x=100 * part["confidence"].to_numpy(),
            y=100 * part["accuracy"].to_numpy(),
            mode="lines+markers",
            name=f"{html.escape(NAMES.get(str(name), str(name)))} <b>{percent(gap, 1)}</b>",
            line={"color": color, "dash": dash},
            customdata=part["n"].to_numpy(),
            hovertemplate=RELIABILITY_HOVER,
            marker={
                "color": color,
                "symbol": symbol,
                "size": 6 + 14 * np.sqrt(part["n"].to_numpy() / largest),
                "opacity": 0.85,
                "line": {"width": 0},
            },
        )
    lowest = max(0.0, 100 * float(bins["confidence"].min()) - 5)
    subtitle = "below the dotted line: too confident; bold: expected calibration error"
    _title(drawn, "Reliability: accuracy by confidence", subtitle, legend=True)
    drawn.update_xaxes(title={"text": "confidence (%)"}, range=[lowest, 102], showgrid=True)
    drawn.update_yaxes(
        title={"text": "accuracy (%)"},
        range=[min(lowest, 100 * float(bins["accuracy"].min()) - 5), 103],
    )
    return drawn.update_layout(height=420, legend={"itemsizing": "constant"})


def _add_heatmap(drawn: Figure, mean: DataFrame, texts: list[list[str]], *, sign: float) -> None:
    """Add the means with their texts, and a frame on the best cell."""
    drawn.add_heatmap(
        x=np.arange(mean.shape[1]),
        y=np.arange(mean.shape[0]),
        z=mean.to_numpy(),
        text=texts,
        texttemplate="%{text}",
        xgap=3,
        ygap=3,
        colorscale="Cividis",
        reversescale=sign < 0,
        showscale=False,
        hovertemplate="%{text}<extra></extra>",
    )
    best = np.nanargmax(sign * mean)
    row, column = np.unravel_index(int(best), mean.shape)
    drawn.add_shape(
        type="rect",
        x0=column - 0.47,
        x1=column + 0.47,
        y0=row - 0.47,
        y1=row + 0.47,
        line={"color": palette.worse, "width": 3},
    )


def _add_scores(drawn: Figure, seeds: DataFrame, scale: float) -> None:
    """Add a line for each seed, from the score without the teacher to that with it."""
    for row in seeds.to_dict("records"):
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


def _add_differences(drawn: Figure, differences: np.ndarray) -> bool:
    """Add the difference of each seed and their mean; returns whether the mean has an interval."""
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
    has_interval = bool(np.isfinite(low))
    error = {
        "type": "data",
        "symmetric": False,
        "array": [high - mean],
        "arrayminus": [mean - low],
        "width": 8,
        "visible": has_interval,
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
    return has_interval


def _checked(table: DataFrame, columns: tuple[str, ...]) -> DataFrame:
    """The table; raises DataError when a column or all rows are missing."""
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
    """Factor and unit of a metric in a figure: percent for a metric in points, else unchanged."""
    points = metric in METRICS and METRICS[metric].unit == "points"
    return (100.0, " (%)") if points else (1.0, "")


def _cell_texts(mean: DataFrame, spread: DataFrame, *, percent: bool) -> list[list[str]]:
    rows = zip(mean.to_numpy(), spread.to_numpy(), strict=True)
    return [[_cell_text(m, s, percent) for m, s in zip(*row, strict=True)] for row in rows]


def _cell_text(mean: float, spread: float, percent: bool) -> str:
    """Mean and spread on two lines; the mean alone for one seed, empty without a score."""
    if np.isnan(mean):
        return ""
    digits = ".2f" if percent else ".4g"
    if np.isnan(spread):
        return f"{mean:{digits}}"
    return f"{mean:{digits}}<br>± {spread:{'.2f' if percent else '.2g'}}"


def _title(drawn: Figure, title: str, subtitle: str, *, legend: bool = False) -> Any:
    margin = {"t": 112 if legend else 84}
    return drawn.update_layout(
        title={"text": title, "subtitle": {"text": subtitle}}, margin=margin, hovermode="closest"
    )
