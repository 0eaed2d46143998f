"""run(): choose on folds of train, fit the preparation, train the model and its control."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import CandidateError
from workbench.events import Report
from workbench.keeping.skops_files import NotWritable, write_skops
from workbench.model_form import Training, form_named
from workbench.models.estimators import unfitted
from workbench.models.networks import build_seeded
from workbench.models.transformed import Transformed
from workbench.task import Candidate
from workbench.technique import Job, Outcome
from workbench.techniques.features.choice import Choice, choose, nested_scores
from workbench.techniques.features.evidence import evidence_of
from workbench.techniques.features.notes import notes_of
from workbench.techniques.features.setup import (
    Setup,
    chooses_number,
    on_step_of,
    setup_of,
    with_settings,
)

if TYPE_CHECKING:
    from workbench.techniques.features import FeaturesSettings

__all__ = ["run", "untrained"]


def run(job: Job, settings: FeaturesSettings) -> Outcome:
    """The candidate behind its features, with the tables that show the choice."""
    with warnings.catch_warnings():
        # A column with few different values has fewer bins; that needs no warning in each fold.
        warnings.filterwarnings("ignore", message="Bins whose width are too small")
        return _run(job, settings)


def _run(job: Job, settings: FeaturesSettings) -> Outcome:
    setup = setup_of(job, settings)
    has_choice = settings.select != "none"
    has_nested = bool(settings.nested_folds) and not setup.is_network
    n_parts = has_choice + has_nested + 2
    parts = iter(range(n_parts))

    def next_part(text: str) -> Report:
        return job.report.part(next(parts), n_parts, text)

    nested = nested_scores(setup, next_part("nested folds")) if has_nested else None
    choice: Choice | None = None
    if has_choice:
        part = next_part("choosing on folds of train")
        choice = choose(setup, setup.sample, part, n_features=settings.n_features)
    if choice is not None and chooses_number(settings):
        setup = with_settings(setup, n_features=choice.n_features)
    candidate = _trained(setup, next_part("training behind the features"))
    control = _control(setup, next_part("training the same model with its plain preparation"))
    evidence = evidence_of(setup, candidate, choice, nested)
    return Outcome(
        candidate,
        setup.settings,
        evidence=evidence,
        notes=notes_of(setup, candidate, evidence),
        control=control,
    )


def untrained(setup: Setup, report: Report) -> Candidate:
    """The candidate before its training; the preparation of a network is fitted."""
    start, n = setup.job.start, setup.settings.n_features
    name = f"{start.name}-features"
    if not setup.is_network:
        return start.child(name, "features", trains_anew=True, model=setup.pipeline(n), training={})
    preparation = setup.preparation(n)
    report.progress(0, 1, "fitting the preparation")
    fitted = _fitted_with_steps(preparation, setup, report)
    prepare = Transformed(fitted)
    task, builder = setup.job.task, start.builder_name
    model = build_seeded(
        lambda: task.build_behind(prepare, builder, **start.builder_args), setup.job.seed
    )
    return start.child(
        name,
        "features",
        trains_anew=True,
        model=model,
        prepare=prepare,
        training={},
        macs=None,
        fit=task.fit_of(start),
        outputs=form_named(start.form).usual_outputs(task.kind, model),
    )


def _trained(setup: Setup, report: Report) -> Candidate:
    candidate = untrained(setup, report)
    if setup.is_network:
        _refuse_unkept(setup, candidate.prepare.transformer)
        return _fit(setup, candidate, report)
    report.progress(0, 1, "fitting encoding, selection and model")
    pipeline = _fitted_with_steps(candidate.model, setup, report)
    _refuse_unkept(setup, pipeline)
    return candidate.fitted(pipeline)


def _fitted_with_steps(pipeline: Any, setup: Setup, report: Report) -> Any:
    """The pipeline fitted on train; its selector tells of its steps."""
    every = np.arange(len(setup.train))
    has_selector = "select" in dict(pipeline.steps)
    told = {"select__on_step": on_step_of(report)} if has_selector else {}
    return setup.fitted(pipeline, setup.features_of(every), setup.targets_of(every), **told)


def _control(setup: Setup, report: Report) -> Candidate:
    """The start's model behind its own preparation, trained on the same rows with its defaults."""
    job, start = setup.job, setup.job.start
    report.progress(0, 1, start.name)
    if setup.is_network:
        name = start.builder_name
        model = build_seeded(
            lambda: job.task.build_behind(start.prepare, name, **start.builder_args), job.seed
        )
    else:
        model = unfitted(start.model)
    fresh = replace(
        start.child(f"{start.name}-plain", "features", trains_anew=True, training={}),
        model=model,
        fit=job.task.fit_of(start),
    )
    return _fit(setup, fresh, report)


def _fit(setup: Setup, candidate: Candidate, report: Report) -> Candidate:
    training = Training(setup.settings.budget, setup.job.seed, setup.job.device, report)
    return form_named(candidate.form).fit(candidate, setup.job.task, training)


def _refuse_unkept(setup: Setup, fitted: Any) -> None:
    """Raise CandidateError for a pipeline that cannot be kept: a kept one is never another one."""
    try:
        write_skops(fitted)
    except NotWritable as error:
        raise CandidateError(
            f"`{setup.job.start.name}` behind its features cannot be kept: {error}. Move its "
            "classes into a module, and its lambdas into functions."
        ) from error
