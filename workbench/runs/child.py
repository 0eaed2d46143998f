"""The run's own process: execute the recipe of a folder, and say in state.json how it ended.

Without the word for a folder it is a spare, which waits for one; see `workbench.runs.processes`.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from pathlib import Path

from workbench.errors import Cancelled, RunError, WorkbenchError
from workbench.events import Event, Report, append_to
from workbench.measure.timing.templates import warm_templates
from workbench.recipe import Recipe
from workbench.runs.automatic import CHOICES_FILE, settle_threads, write_resolved
from workbench.runs.durations import Stopwatch
from workbench.runs.folders import is_full
from workbench.runs.handle import Run
from workbench.runs.processes import awaited_folder
from workbench.runs.sealed import discard, find_modules, open_data, open_sealed, open_task
from workbench.store.pending import mark_pending, record_pending
from workbench.system.choices import VARIABLE, put_choices
from workbench.system.files import read_json
from workbench.system.own_process import settle_in, step_back
from workbench.system.threads import use_threads
from workbench.task import Task
from workbench.tasks import load_task

__all__ = ["main"]

BEGINNINGS = ("run_started", "step_started")  # kinds of events


def main(folder: Path) -> int:
    """The run's own process: execute the recipe, and say in state.json how it ended."""
    from filelock import FileLock, Timeout

    os.environ[VARIABLE] = str(folder / CHOICES_FILE)
    run = Run(folder)
    try:
        lock = FileLock(folder / "lock").acquire(timeout=5)
    except Timeout:
        return 3  # another process is at it
    with lock:
        run._mark("running", pid=os.getpid())
        report = Report(append_to(folder / "events.jsonl"), cancelled=(folder / "cancel").exists)
        try:
            _execute(run, report)
            mark_pending(folder)
            run._mark("finished", pid=os.getpid())
            step_back()  # the next run may be choosing its threads by what is left of the machine
            _record(folder)
            return 0
        except Cancelled:
            run._mark("cancelled", pid=os.getpid())
            return 2
        except Exception as error:
            traceback.print_exc()
            text = (
                str(error)
                if isinstance(error, WorkbenchError)
                else f"{type(error).__name__}: {error}"
            )
            if is_full(folder):
                text += f" The disk of {folder} is full: free some space, and resume the run."
            run._mark("failed", pid=os.getpid(), error=text)
            append_to(folder / "events.jsonl")(Event("run_failed", "", {"error": text}))
            return 1


def _execute(run: Run, report: Report) -> None:
    from workbench.runs.opening_test import open_test, wants_test
    from workbench.runs.steps import execute

    recipe, private = run.recipe, run.folder / "private"
    find_modules(private)
    options = recipe.options
    sealed = open_task(private)
    needs_task = not recipe.steps or any(s.declared.needs.task for s in recipe.steps)
    task = sealed or (load_task(options.task, options.task_args) if needs_task else None)
    started = time.time()
    report = report.with_listener(_stopwatch(run, recipe, task, sealed))
    report.send("run_started", recipe=recipe.tree())
    threads = settle_threads(run.folder, options, report)
    use_threads(threads)
    seen = None if task is None else task.without_test()
    put_choices(run.folder / CHOICES_FILE, options.choices)
    try:
        with warm_templates():
            trail = execute(run.folder, seen, recipe, report, open_data(private))
    finally:
        try:
            write_resolved(run.folder, recipe)
        except WorkbenchError:  # the result of the run, or its own error, counts
            traceback.print_exc()
    if wants_test(recipe) and task is not None and trail.steps_with_candidate:
        test = open_sealed(private) if sealed else task.data.test
        if test is not None and trail.test is None:  # a run that is gone on with has had its look
            open_test(trail, test, report)
    report.send("run_finished", seconds=time.time() - started)
    if sealed is None or options.test == "at_end":
        discard(private)


def _stopwatch(run: Run, recipe: Recipe, task: Task | None, sealed: Task | None) -> Stopwatch:
    """The listener that keeps the times of a run, without those begun by an earlier process."""
    earlier = frozenset(e.step for e, _ in run.events() if e.kind in BEGINNINGS)
    now = time.time()  # in place of a time that a file of a run lacks: an estimate stops no run
    created = read_json(
        run.folder / "run.json", lambda a: float(a.get("created", now)), error=RunError
    )
    return Stopwatch(recipe, task, sealed, earlier, created)


def _record(folder: Path) -> None:
    """Put the finished run into the store, an index of the folders, which are the truth."""
    error = record_pending(folder)
    if error:
        text = f"Not recorded in the store: {error} `workbench store rebuild` records it later."
        append_to(folder / "events.jsonl")(Event("message", "", {"text": text}))


if __name__ == "__main__":
    settle_in()
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else awaited_folder()
    raise SystemExit(0 if folder is None else main(folder))
