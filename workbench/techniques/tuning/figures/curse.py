"""The winner's curse: score of the best trial by its folds, against its score on unseen rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import DataError
from workbench.figures.theme import figure, palette
from workbench.system.wording import difference_text
from workbench.techniques.tuning.figures.drawing import set_title

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure

    from workbench.metrics import Metric

__all__ = ["plot_curse"]

COLUMNS = ("n_trials", "score", "unseen", "unseen_low", "unseen_high")
LOG_TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)


def plot_curse(
    curse: DataFrame, metric: Metric, *, change: bool = False, title: str | None = None
) -> Figure:
    """How much of the best score is luck? Best score by the folds and on unseen rows, by trials.

    `curse` has a row for each number of trials, with the score of the best one by its folds and its
    score on rows that no trial saw, with the 95 % interval `unseen_low` to `unseen_high`. `change`
    draws both as differences from the first row, for unseen rows that are harder or easier. Raises
    DataError when a column or all rows are missing.
    """
    missing = [name for name in COLUMNS if name not in curse]
    if missing:
        raise DataError(
            f"This figure needs the columns {', '.join(COLUMNS)}; {', '.join(missing)} missing, "
            f"got {list(curse.columns)}."
        )
    if not len(curse):
        raise DataError("This figure needs at least one number of trials, got none.")
    table = curse.sort_values("n_trials", kind="stable")
    subtitle = _sentence(table, metric)
    if change:
        table = _changes(table)
    scale, unit = (100.0, " (%)") if metric.unit == "points" else (1.0, "")
    digits = ".2f" if metric.unit == "points" else ".4g"
    x = table["n_trials"].to_numpy(float)
    drawn = figure()
    band = table[np.isfinite(table[["unseen_low", "unseen_high"]].astype(float)).all(axis=1)]
    _add_band(drawn, band, scale)
    for column, name, color, dash, symbol in (
        ("score", "best score by its folds", palette.series[1], "solid", "circle"),
        ("unseen", "the same trial on unseen rows", palette.series[2], "dash", "diamond"),
    ):
        drawn.add_scatter(
            x=x,
            y=table[column].to_numpy(float) * scale,
            mode="lines+markers",
            name=name,
            line={"color": color, "dash": dash},
            marker={"color": color, "symbol": symbol, "size": 7},
            hovertemplate=f"{name}, %{{x:.0f}} trials: %{{y:{digits}}}<extra></extra>",
        )
    set_title(drawn, title or "The winner's curse", subtitle, height=420, legend=True)
    towards = "better →" if metric.higher_is_better else "← better"
    drawn.update_yaxes(
        title={"text": f"{'change of ' if change else ''}{metric.name}{unit}     {towards}"}
    )
    dtick = 1 if x.max() <= 12 else None
    drawn.update_xaxes(title={"text": "number of trials"}, dtick=dtick)
    if x.max() >= 20 * x.min() > 0:
        drawn.update_xaxes(
            type="log",
            dtick=None,
            tickvals=LOG_TICKS,
            ticktext=[f"{v:,}" for v in LOG_TICKS],
            title={"text": "number of trials (log)"},
        )
    return drawn


def _changes(curse: DataFrame) -> DataFrame:
    """Both scores as differences from the first row; the interval moves with the unseen score."""
    first = curse.iloc[0]
    unseen = {name: curse[name] - first["unseen"] for name in COLUMNS[2:]}
    return curse.assign(score=curse["score"] - first["score"], **unseen)


def _add_band(drawn: Figure, band: DataFrame, scale: float) -> None:
    """Add the interval of the unseen scores as a band."""
    if not len(band):
        return
    x = band["n_trials"].to_numpy(float)
    low, high = (band[c].to_numpy(float) * scale for c in ("unseen_low", "unseen_high"))
    drawn.add_scatter(
        x=np.concatenate([x, x[::-1]]),
        y=np.concatenate([high, low[::-1]]),
        mode="lines",
        fill="toself",
        fillcolor="rgba(47, 159, 120, 0.18)",
        line={"width": 0},
        name="95 % interval",
        hoverinfo="skip",
    )


def _sentence(table: DataFrame, metric: Metric) -> str:
    """The gap between both scores at the first and at the last number of trials."""
    first, last = (
        metric.sign * float(table["score"].iloc[i] - table["unseen"].iloc[i]) for i in (0, -1)
    )
    n_first, n_last = (int(table["n_trials"].iloc[i]) for i in (0, -1))
    gaps = f"{_gap(last, metric)} after {n_last:,} trials"
    if n_last > n_first:
        after = "trial" if n_first == 1 else "trials"
        gaps = f"{_gap(first, metric)} after {n_first:,} {after}, {gaps}"
        gaps += "; the growth is the winner's curse"
    return f"best score better than on unseen rows by {gaps}"


def _gap(gap: float, metric: Metric) -> str:
    return difference_text(gap, metric.unit, signed=True) if np.isfinite(gap) else "an unknown part"
