"""The step before the first: the start, trained where a step needs that, and measured."""

from __future__ import annotations

import time
from pathlib import Path

from workbench.ledger.appraise import Contestant, appraise
from workbench.measure.timing.templates import template_of
from workbench.model_form import form_named
from workbench.recipe import Recipe
from workbench.runs.baselines import baseline_rows
from workbench.runs.candidates import Named, first_start, load_candidate, task_name_of
from workbench.runs.context import RunContext
from workbench.runs.cross_validated import cross_validated
from workbench.runs.standing import Standing, restore
from workbench.runs.step_folders import (
    EXPORTED,
    FIRST,
    START,
    copy_start,
    exported_form,
    has_candidate,
    keep_candidate,
    place_step,
    step_folder,
    work_folder,
)
from workbench.runtimes import runtimes_for
from workbench.tasks.checks import check_task
from workbench.technique import Needs

__all__ = ["run_start"]


def run_start(context: RunContext) -> Standing:
    """The candidate to start from, measured as it is and as ONNX.

    It is trained where a step needs that. A run whose steps need no start has none. Raises
    UnknownName for a start that names nothing, RecipeError for one of a form that no step takes.
    """
    needs = [step.declared.needs for step in context.recipe.steps] or [Needs()]
    if context.task is None or not any(n.start for n in needs):
        return Standing()
    place = step_folder(context.folder, 0, START)
    if has_candidate(place):
        return restore(context, place, START)
    named = context.named(context.options.start)
    context.recipe.check_forms(named.candidate.form, named.candidate.name)
    if not named.is_trained and not _trains_start(context.recipe):
        if context.options.baselines == "always" or context.options.cv is not None:
            context.report.message(
                f"`{named.candidate.name}` is not trained, and no step needs it trained: it is not "
                "measured, nor are baselines beside it."
            )
        return Standing(named.candidate)
    return _train_and_measure(context, named, place, timed=any(n.timing for n in needs))


def _train_and_measure(context: RunContext, named: Named, place: Path, *, timed: bool) -> Standing:
    """Train the start if it is not trained yet; keep and appraise it, put its folder in place."""
    task, report = context.required_task, context.report.for_step(START)
    report.send("step_started", text=f"{named.candidate.name} on {task.name}")
    for warning in check_task(task, named.candidate):
        report.message(warning)
    if timed:
        for runtime in {runtimes_for(named.candidate)[0], form_named("onnx").runtimes[0]}:
            template_of(runtime)  # it imports while the start is trained
    work, began = work_folder(place), time.perf_counter()
    candidate = context.trained(named, report, work / "fit.pt")
    seconds = time.perf_counter() - began
    report.progress(0, 1, "writing the model as ONNX")
    notes = keep_candidate(candidate, work, task)
    exporting = time.perf_counter() - began - seconds
    native = Contestant(START, candidate)
    exported = exported_form(candidate, work, task)
    rows = appraise(
        [native, *([Contestant(EXPORTED, exported)] if exported is not None else [])],
        task,
        report=report,
        recipe=context.recipe,
        seconds=(seconds, exporting),
        folder=work,
        origin=_first_start(context, named, work) or native,
        notes=notes,
        timed=timed,
    )
    rows = [cross_validated(context, rows[0], candidate, work, report), *rows[1:]]
    baselines = baseline_rows(context, native, work, report)
    about = {
        "technique": START,
        "label": START,
        "seconds": seconds,
        "notes": rows[0].notes,
        "baselines": [row.to_json() for row in baselines],
    }
    place_step(place, work, rows, about, report)
    return restore(context, place, START, candidate=candidate)


def _first_start(context: RunContext, named: Named, work: Path) -> Contestant | None:
    """The start of the run of the same task that made this start; rows are compared with it."""
    if named.folder is None or task_name_of(named.folder) != context.options.task:
        return None
    earlier = first_start(named.folder)
    if earlier is None or earlier == named.folder:
        return None
    copy_start(earlier, work)
    return Contestant(FIRST, load_candidate(work / FIRST, context.required_task))


def _trains_start(recipe: Recipe) -> bool:
    """Whether a step works on the start itself and needs it trained; a run without steps does."""
    for step in recipe.steps:
        if step.declared.needs.trained_start:
            return True
        if step.declared.gives is not None:  # later steps work on the candidate of this one
            return False
    return not recipe.steps
