"""Opening the test split: once a run, for its first start and its last candidate."""

from __future__ import annotations

from pathlib import Path

from workbench.data.rows import AnyRows
from workbench.errors import CandidateError, RunError
from workbench.events import Report
from workbench.keeping.candidates import onnx_of
from workbench.ledger.rows import TestLine
from workbench.ledger.test_line import test_line
from workbench.recipe import Recipe
from workbench.runs.candidates import load_candidate
from workbench.runs.looks import count_look
from workbench.runs.step_folders import FIRST
from workbench.runs.trail import Trail
from workbench.system.files import read_json, write_json
from workbench.task import Candidate, Task

__all__ = ["open_test", "wants_test"]


def wants_test(recipe: Recipe) -> bool:
    """Whether the run opens test at its end: unless it is told never to, or no step asks for it."""
    asked = [step.declared.needs.test for step in recipe.steps]
    return recipe.options.test == "at_end" and (not asked or any(asked))


def open_test(trail: Trail, test: AnyRows, report: Report) -> TestLine:
    """Measure the first start and the last candidate on test, and count the look.

    The result is also written to `final.json` in the folder of the run. Raises RunError where the
    task is not at hand, or no step made a candidate.
    """
    task = trail.task
    if task is None:
        raise RunError(f"The task of {trail.folder.name} is not at hand, so test stays closed.")
    if not trail.steps_with_candidate:
        raise RunError(f"No step of {trail.folder.name} made a candidate to measure on test.")
    path = trail.folder / "final.json"
    before = read_json(path)["looks"] if path.exists() else 0
    step_report = report.for_step("test")
    step_report.send("step_started", text="opening test")
    start, last = trail.steps_with_candidate[0], trail.steps_with_candidate[-1]
    earlier = start / FIRST
    first = _as_shipped(earlier if earlier.exists() else start, task)
    shipped = _as_shipped(last, task)
    looks = count_look(trail.folder.parent, test, before)
    line = test_line(first, shipped, task, test, rows=trail.rows, looks=looks, report=step_report)
    write_json(path, line.to_json())
    step_report.send("step_finished", rows=[], text=line.text)
    return line


def _as_shipped(place: Path, task: Task) -> Candidate:
    """The ONNX file of a step's candidate, which is faster, else the candidate itself."""
    try:
        exported = onnx_of(place, task=task)
    except CandidateError:
        exported = None
    return exported or load_candidate(place, task)
