"""Where is the good region? Scores over one parameter a panel, or over two of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.figures.theme import figure, palette
from workbench.settings.spaces import Space
from workbench.techniques.tuning.figures.axes import ParameterAxis, parameter_names, short_name
from workbench.techniques.tuning.figures.drawing import (
    add_best,
    add_trials,
    hover_rows,
    set_title,
)
from workbench.techniques.tuning.figures.tables import (
    MOST_POINTS,
    ScoreAxis,
    best_of,
    check_trials,
    complete,
    thinned,
)

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure

    from workbench.metrics import Metric

__all__ = ["plot_contour", "plot_slices"]

MOST_PANELS = 12
PANELS_A_ROW = 3
PANEL_PIXELS = 230
N_PLACES = 40  # a side of the map
REACH = 0.08  # of the smoothing, in parts of an axis
SEEN_WITHIN = 0.15  # of an axis: further from any trial, the map is empty


def plot_slices(
    trials: DataFrame,
    metric: Metric,
    *,
    parameters: Sequence[str] | None = None,
    space: Space | Mapping[str, Any] | None = None,
    title: str | None = None,
) -> Figure:
    """Where is the good region of each parameter? A panel a parameter, a point a trial.

    `space`, or the data that declare it, tells the whole range of each parameter, and whether it is
    searched by logarithm. `parameters` chooses panels, at most 12. Raises DataError when a column,
    all complete trials or all parameters are missing.
    """
    table = check_trials(trials)
    every = parameter_names(table, parameters)
    names = every[:MOST_PANELS]
    chosen = best_of(table, metric)
    axis = ScoreAxis.of(table["score"].to_numpy(float), metric)
    shown, left_out = thinned(table, metric, max(300, MOST_POINTS * 3 // len(names)))
    n_columns = min(PANELS_A_ROW, len(names))
    n_rows = -(-len(names) // n_columns)
    drawn = _panels(n_rows, n_columns)
    for place, name in enumerate(names):
        row, column = divmod(place, n_columns)
        where = {"row": row + 1, "col": column + 1}
        own = ParameterAxis.of(table[name], space)
        x = _spread(own.positions(shown[name]), own)
        add_trials(drawn, shown, x, axis, legend=place == 0, **where)
        add_best(
            drawn,
            float(own.positions(table.loc[[chosen.name], name])[0]),
            float(chosen["score"]),
            axis,
            legend=place == 0,
            **where,
        )
        drawn.update_xaxes(
            title={"text": own.title, "standoff": 4}, zeroline=False, **own.ticks, **where
        )
        title_y = axis.title if column == 0 else None
        drawn.update_yaxes(
            title={"text": title_y},
            range=[axis.low, axis.high],
            showticklabels=column == 0,
            **where,
        )
    subtitle = f"the star is the best trial, number {int(chosen['number']):,}"
    if len(every) > len(names):
        subtitle += f"; {len(every) - len(names)} more parameters are left out"
    set_title(
        drawn,
        title or "Where is the good region?",
        subtitle + axis.sentence + left_out,
        height=140 + PANEL_PIXELS * n_rows,
        legend=True,
    )
    return drawn


def _panels(n_rows: int, n_columns: int) -> Figure:
    """An empty figure with panels, in the theme."""
    from plotly.subplots import make_subplots

    return make_subplots(
        rows=n_rows,
        cols=n_columns,
        figure=figure(),
        horizontal_spacing=0.05,
        vertical_spacing=0.32 / n_rows,
    )


def _spread(x: np.ndarray, axis: ParameterAxis) -> np.ndarray:
    """Positions, those of categories spread at random so that points do not hide one another."""
    if not axis.categories:
        return x
    return x + 0.4 * (np.random.default_rng(0).random(len(x)) - 0.5)


def plot_contour(
    trials: DataFrame,
    metric: Metric,
    x: str,
    y: str,
    *,
    space: Space | Mapping[str, Any] | None = None,
    title: str | None = None,
) -> Figure:
    """Where do two parameters give good scores? A map of the smoothed scores, with the trials.

    The map is empty where no trial is near. The other parameters vary too, so that it is a mean
    over those values that the trials have. Raises DataError when a column or all complete trials
    are missing.
    """
    table = complete(check_trials(trials))
    names = parameter_names(table, [x, y])
    table = table[table[names].notna().all(axis=1)]
    axes = [ParameterAxis.of(table[name], space) for name in names]
    scores = ScoreAxis.of(table["score"].to_numpy(float), metric)
    values = scores.shown(table["score"].to_numpy(float))
    fractions = np.stack(
        [a.fractions(table[name]) for a, name in zip(axes, names, strict=True)], axis=1
    )
    drawn = figure()
    places, surface = _smoothed(fractions, values)
    low, high = scores.low, scores.high
    at = [a.low + places * (a.high - a.low) for a in axes]
    drawn.add_contour(
        x=at[0],
        y=at[1],
        z=surface.astype(np.float32),
        zmin=low,
        zmax=high,
        ncontours=14,
        colorscale="Cividis",
        reversescale=not metric.higher_is_better,
        connectgaps=False,
        line={"width": 0},
        hoverinfo="skip",
        colorbar={
            "title": {
                "text": scores.title.partition("     ")[0],
                "side": "right",
                "font": {"size": 12},
            },
            "outlinewidth": 0,
            "thickness": 16,
        },
    )
    shown, left_out = thinned(table, metric)
    _add_points(drawn, shown, axes, scores)
    chosen = best_of(table, metric)
    drawn.add_scatter(
        x=axes[0].positions(table.loc[[chosen.name], x]),
        y=axes[1].positions(table.loc[[chosen.name], y]),
        mode="markers",
        hoverinfo="skip",
        marker={
            "symbol": "star",
            "size": 16,
            "color": palette.worse,
            "line": {"width": 1, "color": "#ffffff"},
        },
    )
    subtitle = (
        f"mean of the trials near each place; the star is the best trial, number "
        f"{int(chosen['number']):,}{left_out}"
    )
    heading = title or f"Where are {short_name(x)} and {short_name(y)} good together?"
    set_title(drawn, heading, subtitle, height=460, legend=False)
    drawn.update_xaxes(title={"text": axes[0].title}, zeroline=False, **axes[0].ticks)
    return drawn.update_yaxes(
        title={"text": axes[1].title}, zeroline=False, showgrid=False, **axes[1].ticks
    )


def _add_points(
    drawn: Figure, trials: DataFrame, axes: list[ParameterAxis], scores: ScoreAxis
) -> None:
    """Add a small point for each trial."""
    positions: list[Any] = [_spread(a.positions(trials[a.name]), a) for a in axes]
    drawn.add_scatter(
        x=positions[0],
        y=positions[1],
        mode="markers",
        marker={
            "size": 4 if len(trials) > 300 else 6,
            "color": "rgba(255,255,255,0.75)",
            "line": {"width": 0.8, "color": "#3a3f47"},
        },
        customdata=hover_rows(trials, scores),
        hovertemplate=f"trial %{{customdata[0]:.0f}}: %{{customdata[1]:{scores.digits}}}"
        "<extra></extra>",
    )


def _smoothed(points: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places of the map `(places,)` in parts of an axis, and the map `(places, places)`.

    A place is the mean of all values, weighted by a Gaussian of the distance (Nadaraya and Watson);
    NaN where no point is near. Rows of the map are the second parameter.
    """
    places = np.linspace(0.0, 1.0, N_PLACES)
    x, y = np.meshgrid(places, places)
    total = np.zeros((N_PLACES, N_PLACES))
    weights = np.zeros((N_PLACES, N_PLACES))
    nearest = np.full((N_PLACES, N_PLACES), np.inf)
    for (px, py), value in zip(points, values, strict=True):
        square = (x - px) ** 2 + (y - py) ** 2
        weight = np.exp(-square / (2 * REACH**2))
        total += weight * value
        weights += weight
        nearest = np.minimum(nearest, square)
    smooth = total / np.maximum(weights, 1e-12)
    return places, np.where(nearest <= SEEN_WITHIN**2, smooth, np.nan)
