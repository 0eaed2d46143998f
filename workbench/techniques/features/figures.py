"""Figures of features: importance, stability, correlation clusters, and score by number."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import DataError
from workbench.figures.theme import figure, palette
from workbench.metrics import METRICS

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure

__all__ = ["plot_correlation", "plot_importance", "plot_scores", "plot_stability"]

MOST_ROWS = 30
LONGEST = 32  # characters of a feature's name that are shown


def plot_importance(importance: DataFrame, *, metric: str = "accuracy") -> Figure:
    """Permutation importance of raw columns with intervals, the best on top.

    `importance` is the table of the action `importance`. Raises DataError when a column or all rows
    are missing.
    """
    table = _checked(importance, ("column", "importance", "low", "high", "n_folds"))
    shown = table.head(MOST_ROWS).iloc[::-1]
    scale, unit = _scale(metric)
    values, low, high = (scale * shown[c].to_numpy(float) for c in ("importance", "low", "high"))
    has_interval = bool(np.isfinite(low).all() and np.isfinite(high).all())
    drawn = figure()
    drawn.add_vline(x=0, line={"color": palette.text, "width": 1})
    drawn.add_scatter(
        x=values,
        y=_short(shown["column"]),
        mode="markers",
        marker={"size": 10, "color": np.where(low > 0, palette.better, palette.undecided).tolist()},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": high - values,
            "arrayminus": values - low,
            "visible": has_interval,
            "thickness": 2,
            "color": palette.text,
        },
        hovertemplate="%{y}: %{x:.3g}<extra></extra>",
    )
    n = int(table["n_folds"].max())
    left = f"; the best {MOST_ROWS} of {len(table)} columns" if len(table) > MOST_ROWS else ""
    _title(
        drawn,
        f"Loss of {metric} when a column is shuffled{unit}",
        f"rows held out by {n} folds of train; bars are 95 % intervals, green above 0{left}",
    )
    drawn.update_xaxes(title={"text": f"loss of {metric}{unit}"}, showgrid=True)
    drawn.update_yaxes(showgrid=False)
    return drawn.update_layout(height=150 + 24 * len(shown), showlegend=False)


def plot_stability(stability: DataFrame) -> Figure:
    """Heat map of the features that each fold and seed chooses, the most frequent on top.

    `stability` is the evidence or the table of the action `stability`. Raises DataError when a
    column or all rows are missing.
    """
    table = _checked(stability, ("feature", "set", "chosen"))
    share = table.groupby("feature", sort=False)["chosen"].mean()
    share = share[share > 0].sort_values(ascending=False, kind="stable")
    if not len(share):
        raise DataError("No set of this table chooses a feature: give one with chosen features.")
    shown = share.head(MOST_ROWS).iloc[::-1]
    wide = table.pivot(index="feature", columns="set", values="chosen")
    sets = list(dict.fromkeys(table["set"]))
    chosen = wide.loc[shown.index, sets].fillna(False).to_numpy(float)
    labels = [
        f"{name}  {100 * value:.0f} %"
        for name, value in zip(_short(shown.index), shown, strict=True)
    ]
    drawn = figure()
    drawn.add_heatmap(
        x=sets,
        y=labels,
        z=chosen,
        xgap=2,
        ygap=2,
        zmin=0,
        zmax=1,
        colorscale=[[0, palette.grid], [1, palette.series[0]]],
        showscale=False,
        hovertemplate="%{y}<br>%{x}<extra></extra>",
    )
    n_always = int((share == 1).sum())
    left = f"; the first {MOST_ROWS} of {len(share)}" if len(share) > MOST_ROWS else ""
    _title(
        drawn,
        "Features that each fold chooses",
        f"{n_always} of {len(share)} features that any fold chooses are chosen by all{left}",
    )
    drawn.update_yaxes(showgrid=False)
    return drawn.update_layout(height=190 + 20 * len(shown))


def plot_correlation(correlation: DataFrame) -> Figure:
    """Heat map of the correlations of kept features, in the order of their clusters.

    `correlation` is the evidence of that name. Raises DataError when a column or all rows are
    missing.
    """
    table = _checked(correlation, ("feature", "other", "r", "cluster"))
    order = list(dict.fromkeys(table["feature"]))
    wide = table.pivot(index="feature", columns="other", values="r").loc[order, order]
    clusters = table.drop_duplicates("feature").set_index("feature")["cluster"].loc[order]
    names = [f"{name} ({c})" for name, c in zip(_short(order), clusters, strict=True)]
    drawn = figure()
    drawn.add_heatmap(
        x=names,
        y=names,
        z=wide.to_numpy(float),
        zmin=-1,
        zmax=1,
        colorscale="PuOr",
        colorbar={"title": {"text": "r"}, "thickness": 12},
        hovertemplate="%{x}<br>%{y}<br>r %{z:.2f}<extra></extra>",
    )
    _title(
        drawn,
        "Correlation of the features",
        f"{clusters.nunique()} clusters of {len(order)} features, numbers in brackets",
    )
    drawn.update_xaxes(showticklabels=len(order) <= 20, showgrid=False)
    drawn.update_yaxes(autorange="reversed", showgrid=False)
    return drawn.update_layout(height=220 + 18 * len(order))


def plot_scores(scores: DataFrame, *, metric: str = "accuracy", n_features: int = 0) -> Figure:
    """Score by number of features: each fold, their mean, and the number that was chosen.

    `scores` is the evidence of that name, `n_features` the number in the resolved settings. Raises
    DataError when a column or all rows are missing.
    """
    table = _checked(scores, ("fold", "n_features", "score"))
    scale, unit = _scale(metric)
    drawn = figure()
    for fold, part in table.groupby("fold"):
        drawn.add_scatter(
            x=part["n_features"].to_numpy(),
            y=scale * part["score"].to_numpy(),
            mode="lines+markers",
            name="each fold",
            legendgroup="fold",
            showlegend=bool(fold == table["fold"].min()),
            line={"color": palette.equivalent, "width": 1},
            marker={"size": 5},
        )
    mean = table.groupby("n_features")["score"].mean() * scale
    drawn.add_scatter(
        x=mean.index.to_numpy(),
        y=mean.to_numpy(),
        mode="lines+markers",
        name="mean",
        line={"color": palette.series[0], "width": 3},
    )
    if n_features:
        drawn.add_vline(
            x=n_features,
            line={"color": palette.better, "dash": "dash"},
        )
        # An annotation of a logarithmic axis has its place as a logarithm.
        drawn.add_annotation(
            x=float(np.log10(n_features)),
            y=0,
            yref="paper",
            yanchor="bottom",
            xanchor="left",
            text=f" {n_features} chosen",
        )
    _title(
        drawn,
        f"{metric.capitalize()} by number of features{unit}",
        f"rows held out by {table['fold'].nunique()} folds of train, each with its own ranking",
        legend=True,
    )
    drawn.update_xaxes(title={"text": "features (log scale)"}, type="log")
    drawn.update_yaxes(title={"text": f"{metric}{unit}"})
    return drawn.update_layout(height=380)


def _checked(table: DataFrame, columns: tuple[str, ...]) -> DataFrame:
    """The table; raises DataError when a column or all rows are missing."""
    missing = [c for c in columns if c not in table]
    if missing:
        raise DataError(
            f"This figure needs the columns {', '.join(columns)}; {', '.join(missing)} missing, "
            f"got {list(table.columns)}."
        )
    if not len(table):
        raise DataError("This figure needs at least one row, got none.")
    return table


def _scale(metric: str) -> tuple[float, str]:
    """Factor and unit of a metric in a figure: percent for a metric in points, else unchanged."""
    points = metric in METRICS and METRICS[metric].unit == "points"
    return (100.0, " (%)") if points else (1.0, "")


def _short(names: Any) -> list[str]:
    """Names as a figure shows them, all different ones still different."""
    texts = [str(name) for name in names]
    short = [t if len(t) <= LONGEST else f"{t[: LONGEST - 1]}…" for t in texts]
    unique = len(set(short)) == len(set(texts))
    return [html.escape(text) for text in (short if unique else texts)]


def _title(drawn: Figure, title: str, subtitle: str, *, legend: bool = False) -> None:
    drawn.update_layout(
        title={"text": title, "subtitle": {"text": subtitle}},
        margin={"t": 112 if legend else 84},
        hovermode="closest",
    )
