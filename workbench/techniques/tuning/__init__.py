"""Hyperparameter tuning: trials of other settings on folds of train, the best one trained on all.

Samplers and trial pruners are those of Optuna (Akiba et al., "Optuna: A Next-generation
Hyperparameter Optimization Framework", KDD 2019), and of Hyperopt where it is asked for. Trials see
folds of train only; valid is not looked at by any choice, so that it shows how much of the best
score is luck (Cawley, Talbot, "On Over-fitting in Model Selection", JMLR 2010).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from workbench.technique import Job, Outcome, technique
from workbench.techniques.tuning.settings import TrialFit, TuningSettings

if TYPE_CHECKING:
    import pandas as pd

    from workbench.techniques.tuning.search import Search

__all__ = ["TrialFit", "TuningSettings", "tune"]


def _search(job: Job, settings: TuningSettings) -> Search:
    """The search of a job, its automatic choices made."""
    from workbench.techniques.tuning.problem import Problem
    from workbench.techniques.tuning.samplers import sampler_of, trial_pruner_of
    from workbench.techniques.tuning.search import Search

    resolved = settings.resolved(own={"fit": job.task.fit_of(job.start)})
    space = Problem(job, resolved).space
    chosen: dict[str, Any] = {"sampler": sampler_of(resolved, space), "space": space.to_data()}
    if resolved.second_objective == "none":
        chosen["trial_pruner"] = trial_pruner_of(resolved)
    return Search(Problem(job, resolved.model_copy(update=chosen)), began=time.time())


def worker(job: Job, settings: TuningSettings) -> Mapping[str, pd.DataFrame]:
    """Run trials of a study that other machines share, until it has enough of them."""
    from workbench.errors import SettingsError
    from workbench.techniques.tuning.trials import trial_table

    if not settings.storage:
        raise SettingsError(
            "A worker needs `storage`, the URL of the study's database, and `study`, its name."
        )
    search = _search(job, settings.model_copy(update={"n_workers": 2}))
    search.prepare()
    search.run(job.report)
    return {"trials": trial_table(search.study, search.problem.space)}


@technique(
    "tuning",
    title="Tuning",
    accepts=("torch", "sklearn"),
    gives="same",
    aim="quality",
    actions={"worker": worker},
)
def tune(job: Job, settings: TuningSettings) -> Outcome:
    """Searches settings of training, of the builder or of the estimator that raise the score."""
    from workbench.techniques.tuning.result import outcome_of
    from workbench.techniques.tuning.workers import run_workers

    search = _search(job, settings)
    search.prepare()
    search.tell_progress(job.report)
    if search.problem.settings.n_workers > 1:
        run_workers(search)
    else:
        search.run(job.report)
    return outcome_of(search)
