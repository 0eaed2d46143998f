"""Baselines beside a run: simple models of the same data, fitted and scored on valid."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from workbench.errors import Cancelled, WorkbenchError, sentence_of
from workbench.events import Report
from workbench.ledger.appraise import Contestant, appraise
from workbench.ledger.rows import BASELINE, Row
from workbench.ledger.words import quality_verdict
from workbench.model_form import Training, form_named
from workbench.models.baselines import BASELINES, Baselines, baselines_for
from workbench.runs.context import RunContext
from workbench.runs.step_folders import saved_outputs
from workbench.system.wording import difference_text
from workbench.task import Candidate, Task

__all__ = ["baseline_rows"]

SIMPLE = ("dummy", "linear")  # measured beside any start; others only beside one of their kind


def baseline_rows(context: RunContext, start: Contestant, work: Path, report: Report) -> list[Row]:
    """A row for each baseline that the run asks for, the simplest first, compared with the start.

    The outputs of the start on valid are read from the folder `work`, where it was appraised.
    A baseline that cannot be fitted on these data is told in a message, and has no row.
    """
    task = context.required_task
    if not _asked(context, start.candidate):
        return []
    try:
        found = baselines_for(task.kind, task.data.train, len(task.classes))
    except WorkbenchError as error:
        report.message(f"No baselines: {sentence_of(error)}")
        return []
    start = replace(start, outputs=saved_outputs(work, start.label))
    rows = []
    for name in _names(found, start.candidate):
        try:
            rows.append(_row(context, found, name, start, work, report))
        except Cancelled:
            raise
        except Exception as error:  # what an estimator raises on data that it was not made for
            report.message(f"No baseline `{name}`: {type(error).__name__}: {sentence_of(error)}")
    if told := _told(rows, start):
        report.message(told)
    return rows


def _asked(context: RunContext, start: Candidate) -> bool:
    choice = context.options.baselines
    if choice != "auto":
        return choice == "always"
    aims = {step.declared.aim for step in context.recipe.steps}
    return "quality" in aims or _is_baseline(start, context.required_task)


def _is_baseline(start: Candidate, task: Task) -> bool:
    """Whether a start is a baseline of a task that was made without a model."""
    return start.name in BASELINES and set(BASELINES[:2]) <= set(task.builders)


def _names(found: Baselines, start: Candidate) -> list[str]:
    """The baselines to measure, the simplest first, without the start itself."""
    of_kind = start.name in found.builders
    names = [n for n in found.builders if n != start.name and (of_kind or n in SIMPLE)]
    return sorted(names, key=lambda n: BASELINES.index(n) if n in BASELINES else len(BASELINES))


def _row(
    context: RunContext,
    found: Baselines,
    name: str,
    start: Contestant,
    work: Path,
    report: Report,
) -> Row:
    task, label = context.required_task, f"{BASELINE} {name}"
    report.progress(0, 1, f"fitting the baseline {name}")
    began = time.perf_counter()
    models = replace(task, builders=found.builders, prepares=found.prepares, output=None)
    untrained, _ = models.candidate(name, seed=context.options.seed)
    untrained = replace(untrained, technique=BASELINE)
    training = Training(
        budget=context.options.budget,
        seed=context.options.seed,
        device=context.device,
        report=report,
    )
    candidate = form_named(untrained.form).fit(untrained, task, training)
    (row,) = appraise(
        [Contestant(label, candidate)],
        task,
        report=report,
        recipe=context.recipe,
        seconds=[time.perf_counter() - began],
        folder=work,
        origin=start,
        timed=False,
    )
    return row


def _told(rows: list[Row], start: Contestant) -> str:
    """Whether the start is better than the best simpler model, in a sentence."""
    order = {f"{BASELINE} {name}": place for place, name in enumerate(BASELINES)}
    place = BASELINES.index(start.candidate.name) if start.candidate.name in BASELINES else 99
    simpler = [row for row in rows if order.get(row.step, 98) < place and row.quality is not None]
    verdicts = [(row, quality_verdict(row.against_start, row.metric)) for row in simpler]
    known = [(row, verdict) for row, verdict in verdicts if verdict is not None]
    if not known:
        return ""
    row, verdict = min(known, key=lambda pair: pair[1].loss[0])
    by, low, high = (difference_text(v, verdict.unit) for v in verdict.loss)
    check = "Quick check, decides nothing: the" if row.budget == "smoke" else "The"
    if verdict.decision == "worse":
        return (
            f"{check} start is better than {row.step}, the best simpler model, by {by} of "
            f"{verdict.metric} ({low} to {high})."
        )
    return (
        f"{check} start is not proved better than {row.step}, a simpler model: {by} of "
        f"{verdict.metric} ({low} to {high})."
        + ("" if row.budget == "smoke" else " Begin with that one, unless there is another reason.")
    )
