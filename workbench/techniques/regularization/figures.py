"""Figures of regularization: gap, early stopping, weights, validation curve and switches."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import DataError
from workbench.figures.given_tables import check_table
from workbench.figures.theme import figure, palette
from workbench.metrics import METRICS

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure

__all__ = [
    "plot_gap",
    "plot_stopping",
    "plot_switches",
    "plot_validation_curve",
    "plot_weights",
]

OF_RUN = "Take the evidence `history` of a run of `regularization` on a torch network."
OF_SWEEP = "Take the table `summary` of the action `sweep`."
OF_SWITCHES = "Take the table `gains` of the action `switches`."
STYLES = {
    "regularized": (palette.series[0], "circle"),
    "control": (palette.series[1], "square"),
}
OTHER = (palette.series[2], "diamond")
LINES = {"train": "dot", "held_out": "solid"}
NAMES = {"train": "train rows", "held_out": "held-out rows"}


def plot_gap(history: DataFrame, *, metric: str = "accuracy") -> Figure:
    """Scores on train and held-out rows after each epoch; the area between them is the gap.

    `history` is the evidence of that name. Raises DataError when a column or all rows are missing.
    """
    columns = ("training", "epoch", "train_score", "held_out_score")
    check_table(history, columns, OF_RUN)
    scale, unit = _scale(metric)
    drawn = figure()
    for name, part in history.groupby("training", sort=False):
        color, _ = STYLES.get(str(name), OTHER)
        for kind in ("train", "held_out"):
            label = f"{html.escape(str(name))}, {NAMES[kind]}"
            drawn.add_scatter(
                x=part["epoch"],
                y=scale * part[f"{kind}_score"],
                mode="lines+markers" if len(part) == 1 else "lines",
                name=label,
                line={"color": color, "dash": LINES[kind]},
                fill="tonexty" if kind == "held_out" else None,
                fillcolor=_faint(color),
                hovertemplate=f"{label} <b>%{{y:.4g}}</b><extra></extra>",
            )
    gaps = [
        f"{html.escape(str(name))} {scale * float(part['gap'].iloc[-1]):.2f}"
        for name, part in history.groupby("training", sort=False)
    ]
    _title(drawn, f"Gap between train and held-out rows{unit}", f"last epoch: {', '.join(gaps)}")
    drawn.update_xaxes(title={"text": "epoch"})
    return drawn.update_yaxes(title={"text": f"{metric}{unit}"}).update_layout(height=400)


def plot_stopping(history: DataFrame, stops: DataFrame, *, metric: str = "accuracy") -> Figure:
    """Held-out score after each epoch, the epoch whose weights are kept, and the last epoch.

    `history` and `stops` are the evidence of these names. Raises DataError when a column or all
    rows are missing.
    """
    check_table(history, ("training", "epoch", "held_out_score"), OF_RUN)
    columns = ("training", "best_epoch", "last_epoch", "planned", "stopped")
    check_table(stops, columns, OF_RUN)
    scale, unit = _scale(metric)
    drawn, texts = figure(), []
    for row in stops.to_dict("records"):
        name = html.escape(str(row["training"]))
        part = history[history["training"] == row["training"]]
        color, symbol = STYLES.get(str(row["training"]), OTHER)
        scores = scale * part["held_out_score"].to_numpy(float)
        drawn.add_scatter(x=part["epoch"], y=scores, mode="lines", name=name, line={"color": color})
        kept = part["epoch"].to_numpy() == row["best_epoch"]
        drawn.add_scatter(
            x=part["epoch"].to_numpy()[kept],
            y=scores[kept],
            mode="markers",
            marker={"color": color, "symbol": symbol, "size": 13},
            name=f"{name}: kept, epoch {row['best_epoch']}",
        )
        if row["stopped"]:
            drawn.add_vline(
                x=row["last_epoch"], line={"color": color, "dash": "dash", "width": 1.5}
            )
        verb = "cut" if row["stopped"] else "not cut"
        texts.append(f"{name} {verb} after {row['last_epoch']} of {row['planned']} epochs")
    _title(drawn, "Early stopping", "; ".join(texts))
    drawn.update_xaxes(title={"text": "epoch"})
    drawn.update_yaxes(title={"text": f"{metric} on held-out rows{unit}"})
    return drawn.update_layout(height=400)


def plot_weights(history: DataFrame) -> Figure:
    """Norm of the weights and share of zeros after each epoch.

    `history` is the evidence of that name. Raises DataError when a column or all rows are missing.
    """
    check_table(history, ("training", "epoch", "weight_norm", "sparsity"), OF_RUN)
    drawn = figure()
    for name, part in history.groupby("training", sort=False):
        color, _ = STYLES.get(str(name), OTHER)
        label = html.escape(str(name))
        shared: dict[str, Any] = {
            "x": part["epoch"],
            "mode": "lines+markers" if len(part) == 1 else "lines",
            "line": {"color": color},
            "legendgroup": label,
            "name": label,
        }
        drawn.add_scatter(y=part["weight_norm"], **shared)
        drawn.add_scatter(
            y=100 * part["sparsity"], xaxis="x2", yaxis="y2", showlegend=False, **shared
        )
    _title(drawn, "Weights over the training", "matrices and kernels; biases and norms left out")
    return drawn.update_layout(
        height=360,
        xaxis={"domain": [0, 0.44], "title": {"text": "epoch"}},
        xaxis2={"domain": [0.58, 1], "title": {"text": "epoch"}, "anchor": "y2"},
        yaxis={"title": {"text": "norm of all weights"}, "rangemode": "tozero"},
        yaxis2={
            "title": {"text": "weights that are zero (%)"},
            "anchor": "x2",
            "rangemode": "tozero",
        },
    )


def plot_validation_curve(
    summary: DataFrame, *, swept: str = "strength", metric: str = "accuracy"
) -> Figure:
    """Mean score on train and held-out rows at each value, with 95 % bands and the chosen value.

    `summary` is the table of the action `sweep`. Raises DataError when a column or all rows are
    missing.
    """
    columns = ("value", "train", "held_out", "held_out_low", "held_out_high", "n", "is_chosen")
    check_table(summary, columns, OF_SWEEP)
    scale, unit = _scale(metric)
    table = summary.sort_values("value")
    places = np.arange(len(table))
    drawn = figure()
    for kind, color in (("train", palette.series[1]), ("held_out", palette.series[0])):
        _add_band(drawn, places, table, kind, color, scale)
    chosen = int(np.flatnonzero(table["is_chosen"])[0])
    drawn.add_vline(x=chosen, line={"color": palette.text, "dash": "dot", "width": 1.5})
    n = int(table["n"].max())
    bands = (
        f"bands: 95 % intervals over {n} trainings" if n > 1 else "one training a value, no bands"
    )
    value = float(table["value"].iloc[chosen])
    subtitle = f"dotted: {value:g}, by the one-standard-error rule; {bands}"
    _title(drawn, f"Scores by {swept.replace('_', ' ')}", subtitle)
    ticks = [f"{v:g}" for v in table["value"]]
    drawn.update_xaxes(title={"text": swept.replace("_", " ")}, tickvals=places, ticktext=ticks)
    return drawn.update_yaxes(title={"text": f"{metric}{unit}"}).update_layout(height=400)


def _add_band(
    drawn: Figure, places: np.ndarray, table: DataFrame, kind: str, color: str, scale: float
) -> None:
    """Add the means of one kind of rows, with their band where there is one."""
    low, high = (scale * table[f"{kind}_{end}"].to_numpy(float) for end in ("low", "high"))
    if np.isfinite(low).all():
        drawn.add_scatter(
            x=np.concatenate([places, places[::-1]]),
            y=np.concatenate([high, low[::-1]]),
            mode="lines",
            line={"width": 0},
            fill="toself",
            fillcolor=_faint(color),
            hoverinfo="skip",
            showlegend=False,
        )
    drawn.add_scatter(
        x=places,
        y=scale * table[kind].to_numpy(float),
        mode="lines+markers",
        name=NAMES[kind],
        line={"color": color, "dash": LINES[kind]},
        hovertemplate=f"{NAMES[kind]} <b>%{{y:.4g}}</b><extra></extra>",
    )


def plot_switches(gains: DataFrame, *, metric: str = "accuracy") -> Figure:
    """Gain of each switch over none, with its 95 % interval, and of all switches together.

    `gains` is the table of the action `switches`. Raises DataError when a column or all rows are
    missing.
    """
    check_table(gains, ("switch", "value", "gain", "low", "high", "n", "verdict"), OF_SWITCHES)
    scale, _ = _scale(metric)
    rows = gains[gains["switch"] != "none"].iloc[::-1]
    if not len(rows):
        raise DataError(f"The table has no switch beside `none`. {OF_SWITCHES}")
    drawn = figure()
    labels = [
        html.escape(f"{r.switch} {r.value}".strip().replace("_", " ")) for r in rows.itertuples()
    ]
    gain = scale * rows["gain"].to_numpy(float)
    high = scale * rows["high"].to_numpy(float)
    low = scale * rows["low"].to_numpy(float)
    drawn.add_scatter(
        x=gain,
        y=labels,
        mode="markers",
        showlegend=False,
        error_x={
            "type": "data",
            "symmetric": False,
            "array": np.nan_to_num(high - gain),
            "arrayminus": np.nan_to_num(gain - low),
            "width": 6,
        },
        marker={"size": 11, "color": [palette.of(v or "undecided") for v in rows["verdict"]]},
        customdata=rows["verdict"],
        hovertemplate="%{y}: %{x:+.3g}, %{customdata}<extra></extra>",
    )
    drawn.add_vline(x=0, line={"color": palette.text, "width": 1.5})
    n = int(rows["n"].max())
    told = (
        f"95 % intervals over {n} seeds and folds"
        if n > 1
        else "one seed: differences may be random"
    )
    _title(
        drawn, f"Gain of each switch: {metric}", f"against the same training without any; {told}"
    )
    name = "points" if scale > 1 else metric
    drawn.update_xaxes(title={"text": f"gain ({name})"}, showgrid=True)
    drawn.update_yaxes(showgrid=False)
    return drawn.update_layout(height=150 + 34 * len(rows), margin={"t": 84})


def _scale(metric: str) -> tuple[float, str]:
    """Factor and unit of a metric in a figure: percent for a metric in points, else unchanged."""
    points = metric in METRICS and METRICS[metric].unit == "points"
    return (100.0, " (%)") if points else (1.0, "")


def _faint(color: str) -> str:
    """The colour for an area."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, 0.15)"


def _title(drawn: Figure, title: str, subtitle: str) -> None:
    """Title and subtitle; the legend stands below the plot, as its names are long."""
    drawn.update_layout(
        title={"text": title, "subtitle": {"text": subtitle}},
        legend={"yref": "container", "y": 0.02, "yanchor": "bottom"},
        margin={"t": 84, "b": 96},
        hovermode="x unified",
    )
