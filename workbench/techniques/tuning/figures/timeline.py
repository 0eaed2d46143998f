"""How much time was lost? The trials of each worker over time, by state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.figures.theme import figure, palette
from workbench.system.wording import percent, seconds_text
from workbench.techniques.tuning.figures.drawing import set_title
from workbench.techniques.tuning.figures.tables import check_trials

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure

    from workbench.metrics import Metric

__all__ = ["plot_timeline"]

MOST_BARS = 1_500  # a bar a trial up to here; beyond it, bars are sums over spans of time
N_SPANS = 150
ROW_PIXELS = 46
PATTERNS = {"complete": "", "pruned": "/", "failed": "x"}
COLORS = {"complete": palette.total, "pruned": palette.equivalent, "failed": palette.worse}


def plot_timeline(trials: DataFrame, metric: Metric, *, title: str | None = None) -> Figure:
    """How much time was lost? A bar a trial in the row of its worker, from start to end.

    Pruned and failed trials are marked. More than 1,500 trials are summed by state over spans of
    time. `metric` is taken so that all figures of tuning have the same arguments. Raises DataError
    when a column or all rows are missing.
    """
    table = check_trials(trials, "seconds", "started", "worker")
    table = table[np.isfinite(table["seconds"].astype(float)) & table["started"].notna()]
    workers = sorted({int(w) for w in table["worker"].fillna(0)})
    bars = _bars(table)
    drawn = figure()
    for state, color in COLORS.items():
        part = bars[bars["state"] == state]
        if not len(part):
            continue
        drawn.add_bar(
            x=part["seconds"].to_numpy(np.float32),
            base=part["started"].to_numpy(np.float32),
            y=[workers.index(int(w)) for w in part["worker"]],
            orientation="h",
            width=0.6,
            name=f"{state} ({int((table['state'] == state).sum()):,})",
            marker={
                "color": color,
                "line": {"width": 0},
                "pattern": {"shape": PATTERNS[state], "size": 5, "solidity": 0.35},
                "cornerradius": 0,
            },
            customdata=np.stack([part["number"].to_numpy(np.float32)], axis=1),
            hovertemplate=_hover(state, is_sum=len(table) > MOST_BARS),
        )
    set_title(
        drawn,
        title or f"How much time was lost? {_lost(table)}",
        _sentence(table) + ("; bars are sums over spans of time" * (len(table) > MOST_BARS)),
        height=190 + ROW_PIXELS * len(workers),
        legend=True,
    )
    drawn.update_layout(barmode="overlay", bargap=0.4)
    drawn.update_xaxes(title={"text": "seconds since the study began"}, showgrid=True)
    return drawn.update_yaxes(
        tickvals=list(range(len(workers))),
        ticktext=[f"worker {w}" for w in workers],
        range=[len(workers) - 0.5, -0.5],
        showgrid=False,
    )


def _hover(state: str, *, is_sum: bool) -> str:
    if is_sum:
        return f"{state}: %{{x:.3g}} s in this span<extra></extra>"
    return f"trial %{{customdata[0]:.0f}}: %{{x:.3g}} s<extra>{state}</extra>"


def _bars(trials: DataFrame) -> DataFrame:
    """Columns number, worker, state, started and seconds: a row a trial, or sums over spans."""
    import pandas as pd

    columns = ["number", "worker", "state", "started", "seconds"]
    table = trials[columns].assign(worker=trials["worker"].fillna(0).astype(int))
    if len(table) <= MOST_BARS:
        return table
    end = float((table["started"] + table["seconds"]).max())
    width = end / N_SPANS or 1.0
    rows = []
    for worker, own in table.groupby("worker", sort=True):
        used = np.zeros(N_SPANS + 1)
        for state in COLORS:
            part = own[own["state"] == state]
            sums = _by_span(part["started"].to_numpy(float), part["seconds"].to_numpy(float), width)
            for span in np.flatnonzero(sums > 0):
                rows.append((float(span), worker, state, span * width + used[span], sums[span]))
            used += sums
    return pd.DataFrame(rows, columns=columns)


def _by_span(started: np.ndarray, seconds: np.ndarray, width: float) -> np.ndarray:
    """Seconds of trials in each span of time `(spans + 1,)`; a trial may reach over several."""
    edges = np.arange(N_SPANS + 2) * width

    def until(moment: np.ndarray) -> np.ndarray:
        """Seconds of all trials up to each edge."""
        order = np.sort(moment)
        sums = np.concatenate([[0.0], np.cumsum(order)])
        n_before = np.searchsorted(order, edges)
        return n_before * edges - sums[n_before]

    return np.diff(until(started) - until(started + seconds))


def _seconds(trials: DataFrame) -> dict[str, float]:
    """Seconds of all workers, by state, and those between trials (`idle`)."""
    sums = {s: float(trials.loc[trials["state"] == s, "seconds"].sum()) for s in COLORS}
    end = float((trials["started"] + trials["seconds"]).max()) if len(trials) else 0.0
    n_workers = trials["worker"].fillna(0).nunique()
    return {**sums, "idle": max(0.0, end * n_workers - sum(sums.values()))}


def _lost(trials: DataFrame) -> str:
    """Time of the workers that gave no complete trial, with its share."""
    seconds = _seconds(trials)
    total = sum(seconds.values())
    lost = total - seconds["complete"]
    return f"{seconds_text(lost)} of {seconds_text(total)} ({percent(lost / (total or 1), 0)})"


def _sentence(trials: DataFrame) -> str:
    """The parts of the lost time, and the time that pruning saved."""
    seconds = _seconds(trials)
    text = (
        f"pruned trials {seconds_text(seconds['pruned'])}, failed ones "
        f"{seconds_text(seconds['failed'])}, between trials {seconds_text(seconds['idle'])}"
    )
    n_pruned = int((trials["state"] == "pruned").sum())
    complete = trials.loc[trials["state"] == "complete", "seconds"]
    saved = n_pruned * float(complete.mean()) - seconds["pruned"] if len(complete) else 0.0
    if n_pruned and saved > 0:
        text += f"; pruning saved about {seconds_text(saved)}"
    return text
