"""Which sampler when? Samplers replayed on recorded trainings, a panel a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import DataError
from workbench.figures.theme import figure, palette
from workbench.techniques.tuning.figures.axes import shortened
from workbench.techniques.tuning.figures.drawing import set_title

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure

__all__ = ["plot_replays"]

COLUMNS = ("task", "method", "n_trials", "mean", "low", "high")
DASHES = ("dot", "dash", "solid", "dashdot", "longdash")
FROM_TRIALS = 5  # before, all methods draw at random


def plot_replays(replays: DataFrame, *, title: str | None = None) -> Figure:
    """Which sampler when? The best point's score on unseen rows over the trials, a line a method.

    `replays` is the result of `workbench.techniques.tuning.recorded.replays`; the bars are 95 %
    intervals of the mean over seeds. Raises DataError when a column or all rows are missing.
    """
    from plotly.subplots import make_subplots

    missing = [name for name in COLUMNS if name not in replays]
    if missing:
        raise DataError(
            f"This figure needs the columns {', '.join(COLUMNS)}; {', '.join(missing)} missing, "
            f"got {list(replays.columns)}."
        )
    table = replays[replays["n_trials"] >= FROM_TRIALS]
    if not len(table):
        raise DataError(f"This figure needs at least one row with {FROM_TRIALS} trials or more.")
    tasks = list(dict.fromkeys(table["task"]))
    drawn = make_subplots(
        rows=1,
        cols=len(tasks),
        figure=figure(),
        subplot_titles=[shortened(str(t), 24) for t in tasks],
    )
    for i, method in enumerate(dict.fromkeys(table["method"])):
        for j, task in enumerate(tasks):
            rows = table[(table["method"] == method) & (table["task"] == task)]
            if not len(rows):
                continue
            mean = rows["mean"].to_numpy(float)
            drawn.add_scatter(
                x=rows["n_trials"].to_numpy(float) * (1 + 0.012 * (i - 2)),  # side by side
                y=mean,
                mode="lines+markers",
                name=shortened(str(method), 24),
                legendgroup=str(method),
                showlegend=j == 0,
                line={
                    "color": palette.series[i % len(palette.series)],
                    "dash": DASHES[i % len(DASHES)],
                },
                marker={"size": 5},
                error_y={
                    "type": "data",
                    "symmetric": False,
                    "array": rows["high"].to_numpy(float) - mean,
                    "arrayminus": mean - rows["low"].to_numpy(float),
                    "thickness": 1,
                    "width": 2,
                },
                hovertemplate=f"{shortened(str(method), 24)}: %{{y:.4f}}<extra></extra>",
                row=1,
                col=j + 1,
            )
    ticks = np.array([5, 10, 20, 50, 100, 200])
    drawn.update_xaxes(type="log", tickvals=ticks, title={"text": "trials (log)"})
    drawn.update_yaxes(title={"text": "score on unseen rows"}, col=1)
    subtitle = "the point that looked best so far, on rows that no trial saw; mean over seeds, 95 %"
    set_title(drawn, title or "Which sampler when?", subtitle, height=380, legend=True)
    return drawn.update_layout(margin={"t": 128}, legend={"y": 1.12})
