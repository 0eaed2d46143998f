"""StepResult, a step that has run: its rows in the ledger, and its entry in `step.json`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workbench.events import Report
from workbench.ledger.appraise import Contestant, appraise
from workbench.ledger.rows import CONTROL, Row
from workbench.ledger.words import quality_verdict
from workbench.recipe import Step
from workbench.runs.context import RunContext
from workbench.runs.cross_validated import cross_validated
from workbench.runs.standing import Standing
from workbench.runs.step_folders import exported_form, keep_candidate
from workbench.task import Candidate
from workbench.technique import Outcome

__all__ = ["StepResult", "about_step", "rows_of_step"]


@dataclass(frozen=True)
class StepResult:
    """The outcome of a step, kept in the folder `work` and not appraised yet."""

    step: Step
    label: str
    outcome: Outcome
    work: Path
    seconds: float
    notes: tuple[str, ...]


def rows_of_step(
    context: RunContext, result: StepResult, before: Standing, report: Report
) -> list[Row]:
    """The row of a step: its candidate beside the one before, or its decision alone.

    The control of a step has a row before it, which its candidate is compared with.
    """
    candidate, decision = result.outcome.candidate, result.outcome.decision
    if candidate is None:
        return [
            Row(
                result.label,
                result.step.technique,
                seconds=result.seconds,
                budget=context.options.budget,
                notes=result.notes,
                decision=decision,
            )
        ]
    shipped = exported_form(candidate, result.work, context.required_task) or candidate
    beside = [before.shipped] if before.shipped is not None else []
    controls = _controls(context, result)
    rows = appraise(
        [*beside, *controls, Contestant(result.label, shipped)],
        context.required_task,
        report=report,
        recipe=context.recipe,
        seconds=[0.0] * len(beside + controls) + [result.seconds],
        folder=result.work,
        origin=before.origin,
        notes=result.notes,
        timed=result.step.declared.needs.timing,
    )
    row = cross_validated(context, rows[-1], candidate, result.work, report)
    row = replace(row, decision=decision, aim=result.step.declared.aim)
    beside_it = [replace(r, notes=()) for r in rows[len(beside) : -1]]
    return [*beside_it, replace(row, notes=(*row.notes, *_not_better(row)))]


def _controls(context: RunContext, result: StepResult) -> list[Contestant]:
    """The control of a step in the form that is measured; empty where it has none."""
    control = result.outcome.control
    if control is None:
        return []
    control = replace(control, technique=CONTROL)
    work = result.work / CONTROL
    keep_candidate(control, work, context.required_task)
    shipped = exported_form(control, work, context.required_task) or control
    return [Contestant(f"{result.label} {CONTROL}", shipped)]


def _not_better(row: Row) -> tuple[str, ...]:
    """A note on a step that should raise the score and is not proved to; none for others."""
    verdict = quality_verdict(row.against_parent, row.metric)
    if row.aim != "quality" or verdict is None or verdict.decision == "better":
        return ()
    other = f"`{row.parent}`, " + (
        "the same model with default settings"
        if row.parent == f"{row.step} {CONTROL}"
        else "the simpler model before it"
    )
    found = f"Not proved better than {other} ({verdict.text})"
    if row.budget == "smoke":
        return (f"{found}, in a quick check, which decides nothing.",)
    return (f"{found}: without another reason for this step, keep that one.",)


def about_step(result: StepResult, start: Candidate | None) -> dict[str, Any]:
    """The entries of `step.json` besides the rows and the machine."""
    step, outcome = result.step, result.outcome
    own = {"fit": start.fit} if start is not None else None
    return {
        "technique": step.technique,
        "label": result.label,
        "settings": step.settings.tree(),
        "resolved": outcome.resolved.tree(),
        "resolved_by": step.settings.origins(own=own),
        "seconds": result.seconds,
        "decision": None if outcome.decision is None else outcome.decision.to_json(),
        "notes": result.notes,
        "partial": outcome.partial,
    }
