"""Regularization of estimators: their parameters at a strength, chosen on folds of train."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.events import PartReport
from workbench.model_form import Training, form_named
from workbench.models.estimators import unfitted
from workbench.technique import Job, Outcome
from workbench.techniques.regularization.estimators import (
    check_parameters,
    configured,
    parameters_of,
    strengthened,
)
from workbench.techniques.regularization.sweep import choose_strength
from workbench.techniques.regularization.variants import trials_of

if TYPE_CHECKING:
    import pandas as pd

    from workbench.task import Candidate
    from workbench.techniques.regularization import RegularizationSettings

__all__ = ["regularize_estimator"]


def regularize_estimator(job: Job, settings: RegularizationSettings) -> Outcome:
    """The estimator fitted anew at a strength, beside a control with its own parameters."""
    resolved = settings.resolved()
    estimator, notes = configured(job.start.model, settings)
    check_parameters(estimator, job.start.name)
    evidence: dict[str, pd.DataFrame] = {}
    strength, told = settings.strength, list(notes)
    if strength is None:
        report = PartReport(job.report, 0, 2, "choosing the strength", curves=False)
        strength, evidence, sentence = choose_strength(job, resolved, report)
        told += [sentence, *_few_rows(job, resolved)]
    model = strengthened(estimator, strength)
    evidence["parameters"] = _table(estimator, strength)
    regularized = _fitted(job, model, "regularized", "regularization", 0.5)
    control = _fitted(job, unfitted(job.start.model), "control", "control", 0.75)
    job.report.progress(1, 1, "fitted")
    changed = evidence["parameters"].query("before != after")
    words = [f"{r.parameter} {r.before:g} to {r.after:g}" for r in changed.itertuples()]
    told.append(f"Strength {strength:g}: {', '.join(words) or 'parameters are as they were'}.")
    return Outcome(
        regularized,
        resolved.model_copy(update={"strength": strength, "fit": settings.fit}),
        evidence=evidence,
        notes=tuple(told),
        control=control,
    )


def _few_rows(job: Job, settings: RegularizationSettings) -> list[str]:
    """A sentence about a choice on a part of train; none where all rows took part."""
    n, n_all = len(trials_of(job, settings).task.data.train), len(job.task.data.train)
    if n == n_all:
        return []
    return [
        f"The strength was chosen on {n:,} of {n_all:,} train rows, as this is a quick check; "
        "fewer rows ask for a stronger one."
    ]


def _fitted(job: Job, model: Any, suffix: str, step: str, done: float) -> Candidate:
    job.report.progress(done, 1, f"fitting the {suffix} estimator")
    candidate = job.start.child(
        f"{job.start.name}-{suffix}", step, model=model, trains_anew=job.start.trains_anew
    )
    training = Training("standard", job.seed, job.device)
    return form_named(candidate.form).fit(candidate, job.task, training)


def _table(estimator: Any, strength: float) -> pd.DataFrame:
    """Table of parameter, before and after: those that regularize the estimator."""
    import pandas as pd

    rows = [
        {"parameter": p.name, "before": p.value, "after": p.at(strength)}
        for p in parameters_of(estimator)
    ]
    return pd.DataFrame(rows, columns=["parameter", "before", "after"])
