"""Recorded searches that come with the package: samplers, the winner's curse, and other tools.

About 600 real trainings a task are recorded in `tests/benchmarks/tuning`, which says how the tables
of samplers and of the curse were made from them, and how other tools were run on the same rows.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["recorded_curses", "recorded_tools", "replays"]


def replays() -> DataFrame:
    """Samplers replayed on surrogates of recorded trainings, over 20 seeds each.

    Columns: task, method, n_trials, `mean` (the score on unseen rows of the point that looked
    best), `low` and `high` (95 % interval of the mean over seeds), `seen` (the score by which that
    point was chosen).
    """
    return _table("replays.csv")


def recorded_curses() -> DataFrame:
    """Random searches drawn from recorded trainings, without a surrogate, 1,000 for each size.

    Columns: task, n_trials, `score` (the mean best score on held-out train rows), `unseen` (the
    mean score of the same models on valid), `unseen_low` and `unseen_high` (between them are 95 %
    of the searches).
    """
    return _table("curses.csv")


def recorded_tools() -> DataFrame:
    """Tools for tuning on `flights`, each with the same train rows and the same time, three seeds.

    Columns: tool, seed, `score` (the deciding metric on valid, which no search saw), `low` and
    `high` (its 95 % interval over the days of valid), `trials`, `learner` (the kind of model that
    was taken), `search_seconds`. `flaml` chooses among learners of its own, the others tune
    `boosting`.
    """
    return _table("against.csv")


def _table(name: str) -> DataFrame:
    import pandas as pd

    with (files("workbench.techniques.tuning") / "files" / name).open(encoding="utf-8") as file:
        return pd.read_csv(file)
