"""Variants of the start: the same model with other training settings or other parameters."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.data.cut import taken
from workbench.errors import CandidateError, required
from workbench.task import Candidate
from workbench.technique import Job
from workbench.techniques.regularization.switched_fit import SwitchedFit
from workbench.techniques.regularization.trials import Trials
from workbench.training import RegularizedFit

if TYPE_CHECKING:
    from workbench.techniques.regularization import RegularizationSettings

__all__ = ["trials_of", "variant"]

SMOKE_ROWS = 4_000  # of train that a choice or an analysis learns from in the budget smoke


def variant(
    job: Job,
    settings: RegularizationSettings,
    *,
    fit: SwitchedFit | None = None,
    model: Any = None,
) -> Candidate:
    """The start with other training settings, or with another estimator in its place.

    Raises CandidateError where the start is to be fine-tuned, as folds train it anew.
    """
    if settings.initial == "start":
        raise CandidateError(
            "Folds of train need a model that is trained anew, as the start has seen all their "
            "rows: set `initial` to new."
        )
    if fit is None:
        return replace(job.start, model=model)
    values = {name: getattr(fit, name) for name in RegularizedFit.model_fields}
    return replace(job.start, fit={n: v for n, v in values.items() if v is not None})


def trials_of(job: Job, settings: RegularizationSettings) -> Trials:
    """Trials on the train rows of a job, fewer of them in the budget smoke."""
    task, train = job.task, job.task.data.train
    if settings.budget == "smoke" and len(train) > SMOKE_ROWS:
        index = np.random.default_rng(job.seed).permutation(len(train))[:SMOKE_ROWS]
        task = replace(task, data=replace(task.data, train=taken(train, np.sort(index))))
    return Trials(
        task,
        n_seeds=required(settings.n_seeds),
        seed=job.seed,
        budget=settings.budget,
        device=job.device,
        cache=job.cache,
    )
