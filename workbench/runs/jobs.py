"""Jobs: the start, the candidates and the rows that the runner hands to a technique."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from workbench.events import Report
from workbench.recipe import Step
from workbench.runs.context import RunContext
from workbench.runs.data import data_named
from workbench.runs.standing import Standing
from workbench.task import Candidate, Task
from workbench.technique import Job

__all__ = ["CACHE", "builder_for", "job_for"]

CACHE = "cache"  # beside the runs of one root, which share it


def job_for(context: RunContext, step: Step, before: Standing, work: Path, report: Report) -> Job:
    """The job of a step, whose references to candidates and rows are resolved.

    Raises UnknownName for a reference that names nothing, and RunError where the step needs a task
    and the run has none.
    """
    others = {
        reference: context.trained(context.named(reference), report, work / f"other-{number}.pt")
        for number, reference in enumerate(step.declared.referred(step.settings))
    }
    data = {
        reference: data_named(reference, context.task, context.data)
        for reference in step.declared.referred_data(step.settings)
    }
    start = before.candidate
    return Job(
        cast(Task, context.task),  # None where the step needs neither
        cast(Candidate, start),
        work,
        others=others,
        data=data,
        build=None if start is None else builder_for(start, context.required_task),
        seed=context.options.seed,
        device=context.device,
        report=report,
        cache=context.folder.parent / CACHE,
        exported=before.exported,
        threads=context.options.threads,
    )


def builder_for(candidate: Candidate, task: Task) -> Callable[..., Any] | None:
    """The function that makes a candidate's model untrained, with the same arguments.

    The model fits the task and the candidate's `prepare`, as `Task.build` makes it. None where the
    task has no such builder.
    """
    name = candidate.builder_name or "untrained"
    if name not in task.builders:
        return None

    def build(**args: Any) -> Any:
        return task.build_behind(candidate.prepare, name, **{**candidate.builder_args, **args})

    return build
