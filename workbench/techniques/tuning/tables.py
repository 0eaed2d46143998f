"""Tables of a finished search: best score over the trials beside unseen rows, and trade-offs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.measure.statistics.quality import quality
from workbench.techniques.tuning.problem import Problem
from workbench.techniques.tuning.search import outputs_path
from workbench.techniques.tuning.storage import Study
from workbench.techniques.tuning.trials import finished, is_feasible, score_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["curse_table", "front_table"]

Three = tuple[float, float, float]
CURSE = ["n_trials", "score", "unseen", "unseen_low", "unseen_high"]  # columns


def _unseen(problem: Problem, number: int) -> Three | None:
    """The score on valid of a trial's fold models, with its interval, as means over the folds.

    None where its outputs were not kept, as on another machine.
    """
    path = outputs_path(problem.job.folder, number)
    if not path.exists():
        return None
    valid, metric = problem.job.task.data.valid, problem.job.task.metric
    with np.load(path) as kept:
        outputs = kept["outputs"]
    targets = np.asarray(valid.targets)
    scores = [quality(o, targets, metric, blocks=valid.blocks) for o in outputs]
    value, low, high = np.mean([(s.value, s.low, s.high) for s in scores], axis=0).tolist()
    return value, low, high


def curse_table(problem: Problem, study: Study) -> pd.DataFrame:
    """The winner's curse: the best score after each trial, and the same models on unseen rows.

    `score` is the mean over the folds by which a trial is chosen; it is too good, as it is the best
    of many. `unseen` is that of the same models on valid, with the interval where it is known.
    """
    import pandas as pd

    sign = problem.job.task.metric.sign
    rows: list[dict[str, Any]] = []
    best: float | None = None
    last: Three | None = None
    for n_trials, trial in enumerate(finished(study), 1):
        score = score_of(trial)
        is_complete = trial.state.name == "COMPLETE" and is_feasible(trial)
        if score is not None and is_complete and (best is None or sign * score.mean > sign * best):
            best = score.mean
            unseen = float(np.mean(score.unseen)) if score.unseen else np.nan
            last = _unseen(problem, trial.number) or (unseen, np.nan, np.nan)
        if best is not None and last is not None:
            rows.append(dict(zip(CURSE, (n_trials, best, *last), strict=True)))
    return pd.DataFrame(rows, columns=CURSE)


def front_table(study: Study, objectives: list[str]) -> pd.DataFrame:
    """The trials that no other one beats in all objectives: number and a column an objective."""
    import pandas as pd

    rows = [
        {"number": t.number, **dict(zip(objectives, t.values, strict=True))}
        for t in study.best_trials
    ]
    return pd.DataFrame(rows, columns=["number", *objectives]).sort_values("number")
