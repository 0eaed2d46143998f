"""Running the steps of a recipe in order, each into a folder of its own.

The folder of a finished step is put in its place in one move. So a kill loses at most the step
under way, and a second run of the same folder goes on after it. Steps score valid rows only.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from workbench.events import Report
from workbench.recipe import Recipe, Step
from workbench.runs.context import RunContext
from workbench.runs.jobs import job_for
from workbench.runs.standing import Standing, standing_after
from workbench.runs.start_step import run_start
from workbench.runs.step_folders import (
    keep_candidate,
    place_step,
    step_folder,
    work_folder,
    write_evidence,
)
from workbench.runs.step_results import StepResult, about_step, rows_of_step
from workbench.runs.trail import Trail
from workbench.runs.valid_rows import limit_valid
from workbench.system.files import write_json
from workbench.task import Task
from workbench.technique import Outcome

__all__ = ["execute"]


def execute(
    folder: Path,
    task: Task | None,
    recipe: Recipe,
    report: Report,
    data: Mapping[str, Any] | None = None,
) -> Trail:
    """Run the steps of a recipe that are not done yet; `task` comes without test rows.

    `data` are further rows that settings name. Raises the error of a step; finished steps stay in
    the folder.
    """
    seen = None if task is None else limit_valid(task, recipe.options.budget)
    context = RunContext.of(folder, seen, recipe, report, data or {})
    standing = run_start(context)
    for number, step in enumerate(recipe.steps, 1):
        standing = _run_step(context, number, step, standing)
    write_json(folder / "ledger.json", [r.to_json() for r in Trail(folder).rows])
    return Trail(folder, task=task)


def _run_step(context: RunContext, number: int, step: Step, before: Standing) -> Standing:
    """Run one technique, keep and appraise its result, and put its folder in place."""
    label = context.recipe.labels[number - 1]
    place = step_folder(context.folder, number, label)
    if place.exists():
        return standing_after(context, place, label, before)
    report = context.report.for_step(label)
    report.send("step_started", text=step.declared.title)
    work, began = work_folder(place), time.perf_counter()
    job = job_for(context, step, before, work, report)
    outcome = step.declared(job, step.settings)
    seconds = time.perf_counter() - began
    report.progress(0, 1, "writing the result")
    notes = _keep(context, outcome, work)
    result = StepResult(step, label, outcome, work, seconds, notes)
    rows = rows_of_step(context, result, before, report)
    about = about_step(replace(result, notes=rows[-1].notes), before.candidate)
    place_step(place, work, rows, about, report, outcome.decision)
    return standing_after(context, place, label, before, outcome.candidate, job.others)


def _keep(context: RunContext, outcome: Outcome, work: Path) -> tuple[str, ...]:
    """Write the tables and the candidate of an outcome; returns all notes on the step."""
    write_evidence(outcome, work)
    if outcome.candidate is None:
        return outcome.notes
    return (*outcome.notes, *keep_candidate(outcome.candidate, work, context.required_task))
