"""Regularization of torch networks: the training with its switches, and the control without."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from workbench.data.cut import taken
from workbench.data.rows import Splits
from workbench.errors import CandidateError
from workbench.events import PartReport
from workbench.measure.anew import inner_hold_out
from workbench.model_form import form_named, form_of
from workbench.models.networks import build_seeded
from workbench.settings import BUDGETS
from workbench.system.references import resolve
from workbench.system.wording import difference_text
from workbench.task import Candidate, Task
from workbench.technique import Job, Outcome
from workbench.techniques.regularization.history import History, history_table, stops_table
from workbench.techniques.regularization.strength import (
    MEASURED,
    at_strength,
    control_fit,
    is_stopping,
    resolved_settings,
)
from workbench.techniques.regularization.sweep import choose_strength
from workbench.training import Fitted, RegularizedFit, fit

if TYPE_CHECKING:
    import pandas as pd

    from workbench.techniques.regularization import RegularizationSettings

__all__ = ["regularize_network"]

REGULARIZED, CONTROL = "regularized", "control"
LENGTH = ("epochs", "max_steps")


@dataclass(frozen=True)
class _Trainer:
    """Trains one untrained network with several settings on the same rows, with the same seed."""

    job: Job
    task: Task
    start: Candidate
    stops_early: bool

    @classmethod
    def of(cls, job: Job, settings: RegularizationSettings) -> _Trainer:
        """With an inner valid part of train if it stops early; else all train rows are learned."""
        start, task = _initial(job, settings), job.task
        if not is_stopping(settings.fit):
            return cls(job, replace(task, start=None), start, stops_early=False)
        train = task.data.train
        rest, held = inner_hold_out(train, task.kind, seed=job.seed)
        learned, valid = taken(train, rest), taken(train, held)
        task = replace(task, data=Splits(learned, valid, valid), start=None)
        return cls(job, task, start, stops_early=True)

    def train(
        self, name: str, settings: RegularizedFit, choices: Mapping[str, Any], report: PartReport
    ) -> Fitted:
        """Train with resolved settings, and write down the gap after each epoch."""
        return fit(
            self.start.model,
            self.task,
            settings,
            prepare=self.job.start.prepare,
            report=report,
            seed=self.job.seed,
            device=self.job.device,
            choices=choices,
            checkpoint=self.job.folder / f"fit-{name}.pt",
            callbacks=[History(self.task, self.job.start.prepare, self.job.device)],
        )


class _HeldOutReport(PartReport):
    """The report of a training whose scores are of held-out rows of train, and not of valid."""

    def curve(self, name: str, x: float, y: float) -> None:
        """Send a point; a score of the inner hold-out is not called one of valid."""
        super().curve(re.sub("^valid ", "held-out ", name), x, y)


def _initial(job: Job, settings: RegularizationSettings) -> Candidate:
    """The start with the weights that the training begins from.

    Raises CandidateError where new weights cannot be drawn, or would undo an earlier step.
    """
    start, way_out = (
        job.start,
        "Or set `initial` to start, which fine-tunes the weights that it has.",
    )
    if settings.initial == "start":
        return start
    if not start.trains_anew:
        raise CandidateError(
            f"`{start.name}` cannot be trained anew: `{start.technique}` changed trained weights, "
            f"and training alone does not repeat that. Put `regularization` before it. {way_out}"
        )
    make = job.build
    if make is None and ":" in start.builder_name:
        make = lambda: resolve(start.builder_name)(**start.builder_args)  # noqa: E731
    if make is None:
        make = form_named("torch").untrained(start.model)
    if make is None or form_of(made := build_seeded(make, job.seed)).name != "torch":
        raise CandidateError(
            f"The weights of `{start.name}` cannot be drawn again: some layers have no "
            f"`reset_parameters`, and there is no builder. Give `model=` as a function. {way_out}"
        )
    return replace(
        start, model=made.requires_grad_(True) if job.build is None else made, training={}
    )


def regularize_network(job: Job, settings: RegularizationSettings) -> Outcome:
    """The network trained anew with its switches, beside a control with default settings."""
    resolved, notes = resolved_settings(job, settings)
    trainer = _Trainer.of(job, resolved)
    evidence: dict[str, pd.DataFrame] = {}
    strength, n_parts = settings.strength, 2
    if strength is None and (resolved.budget == "smoke" or settings.initial == "start"):
        strength = 1.0
    if strength is None:
        strength, evidence, sentence = choose_strength(
            job, resolved, PartReport(job.report, 0, 2, "choosing the strength", curves=False)
        )
        notes.append(sentence)
        n_parts = 4  # the choice is the first half
    scaled = at_strength(resolved.fit, strength)
    first = n_parts - 2
    part = _HeldOutReport if trainer.stops_early else PartReport
    report = part(job.report, first, n_parts, REGULARIZED)
    fitted = trainer.train(REGULARIZED, scaled, trainer.start.training, report)
    plain = RegularizedFit(**control_fit(job, scaled)).resolved(resolved.budget)
    report = PartReport(job.report, first + 1, n_parts, CONTROL, curves=False)
    beside = trainer.train(CONTROL, plain, fitted.choices, report)
    measured = {name: fitted.choices[name] for name in MEASURED}
    outcome_settings = resolved.model_copy(
        update={"strength": strength, "fit": resolved.fit.model_copy(update=measured)}
    )
    history = history_table({REGULARIZED: fitted.history, CONTROL: beside.history}, job.task.metric)
    stops = stops_table({REGULARIZED: (fitted, scaled), CONTROL: (beside, plain)}, trainer.task)
    return Outcome(
        _child(job, settings, fitted, _travelling(job, scaled), "regularized", "regularization"),
        outcome_settings,
        evidence={**evidence, "history": history, "stops": stops},
        notes=(*fitted.notes, *notes, *_notes(trainer, history, stops)),
        control=_child(job, settings, beside, _travelling(job, plain), CONTROL, CONTROL),
    )


def _travelling(job: Job, settings: RegularizedFit) -> dict[str, Any]:
    """The training settings that travel with a candidate: all that `fit` would not choose itself.

    Epochs and steps are left out where the budget decided them, so that a later budget can.
    """
    own, neutral = job.task.fit_of(job.start), RegularizedFit().resolved()
    values = {name: getattr(settings, name) for name in RegularizedFit.model_fields}
    kept = {n: v for n, v in values.items() if n in own or v != getattr(neutral, n)}
    budgets = [RegularizedFit().resolved(budget) for budget in BUDGETS]
    by_budget = [n for n in LENGTH if values[n] in [getattr(b, n) for b in budgets]]
    left_out = (*MEASURED, *(n for n in by_budget if n not in own))
    return {n: v for n, v in kept.items() if n not in left_out and v is not None}


def _child(
    job: Job,
    settings: RegularizationSettings,
    fitted: Fitted,
    own: Mapping[str, Any],
    suffix: str,
    step: str,
) -> Candidate:
    return job.start.child(
        f"{job.start.name}-{suffix}",
        step,
        model=fitted.model,
        training=fitted.choices,
        fit=own,
        trains_anew=settings.initial == "new",
    )


def _notes(trainer: _Trainer, history: pd.DataFrame, stops: pd.DataFrame) -> list[str]:
    """Sentences about early stopping and about the gap."""
    held_out = "held-out rows of train" if trainer.stops_early else "valid"
    notes = [
        "Early stopping looked at 15 % of train, for the control too; valid was not used for any "
        "choice."
        if trainer.stops_early
        else "Early stopping is off, for the control too: both learned from all train rows, and "
        "valid was not used for any choice."
    ]
    kept = stops.merge(history, left_on=["training", "best_epoch"], right_on=["training", "epoch"])
    if len(kept) == 2:
        unit = trainer.task.metric.unit
        texts = [
            f"{difference_text(row.gap, unit, signed=False)} ({row.training})"
            for row in kept.itertuples()
        ]
        notes.append(f"Gap between train rows and {held_out}: {', '.join(texts)}.")
    return notes
