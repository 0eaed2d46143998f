"""Running a recipe step by step into a folder.

Every finished step is one folder, put in its place in one move, so a kill loses at most the step
under way, and a second run of the same folder goes on after it. Steps look at valid; `open_test`
looks at test, once, for the last candidate.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from workbench.data.rows import Rows
from workbench.events import Report
from workbench.keeping.candidates import keep, load_kept, onnx_of
from workbench.ledger.appraise import Contestant, appraise
from workbench.ledger.rows import Row, TestLine
from workbench.ledger.test_line import test_line
from workbench.recipe import Recipe
from workbench.runs.candidates import candidate_named, train_start
from workbench.runs.trail import Trail, load_candidate
from workbench.system.files import move_folder, read_json, write_json, write_text
from workbench.system.machine import device_of, host
from workbench.task import Candidate, Task
from workbench.tasks.checks import check_task
from workbench.technique import Job

__all__ = ["CACHE", "execute", "looked_at", "open_test"]

START = "start"
SMOKE_ROWS = 2_000  # of valid that a smoke run looks at: it is over sooner, and decides nothing
CACHE = "cache"  # beside the runs of one root, which share it
# the row that tells what the runtime alone bought: the start, unchanged, in ONNX Runtime
EXPORTED = "onnx"


@dataclass
class _Standing:
    """What the next step starts from: the candidate as techniques take it, and how it is shipped
    and was measured.
    """

    candidate: Candidate
    shipped: Contestant

    @property
    def exported(self) -> Candidate | None:
        """The ONNX file that was written of it, if there is one."""
        found = self.shipped.candidate
        return found if found.form == "onnx" and self.candidate.form != "onnx" else None


def execute(folder: Path, task: Task, recipe: Recipe, report: Report) -> Trail:
    """Run the steps of a recipe that are not done yet; `task` comes without test rows.

    Raises what a step raises; finished steps stay in the folder.
    """
    runner = _Runner(folder, looked_at(task, recipe.budget), recipe, report)
    standing = runner.start()
    for number, step in enumerate(recipe.steps, 1):
        standing = runner.step(number, step, standing)
    write_json(folder / "ledger.json", [r.to_json() for r in Trail(folder).rows])
    return Trail(folder, task=task)


def looked_at(task: Task, budget: str) -> Task:
    """The task with the valid rows that a budget looks at: in smoke the first, or, ordered in time,
    rows of all times.
    """
    valid = task.data.valid
    if budget != "smoke" or len(valid) <= SMOKE_ROWS:
        return task
    ordered = getattr(valid, "times", None) is not None
    chosen = slice(None, None, -(-len(valid) // SMOKE_ROWS)) if ordered else slice(0, SMOKE_ROWS)
    return replace(task, data=replace(task.data, valid=valid.take(chosen)))


class _Runner:
    """What all steps of one run share."""

    def __init__(self, folder: Path, task: Task, recipe: Recipe, report: Report) -> None:
        self.folder, self.task, self.recipe, self.report = folder, task, recipe, report
        self.device = device_of(recipe.device)
        self.origin: Contestant | None = None

    def start(self) -> _Standing:
        """The candidate to start from, trained if it is not, measured as it is and as ONNX."""
        report = self.report.for_step(START)
        candidate, trained = self.task.candidate(self.recipe.start, seed=self.recipe.seed)
        self.recipe.check_forms(candidate.form, candidate.name)
        place = self.folder / "steps" / f"00-{START}"
        if place.exists():
            fitted = None
            if (
                candidate.form == "sklearn"
            ):  # nothing kept is a pickle: an estimator is fitted again, on the same rows
                fitted = candidate if trained else self._trained(candidate, place, report)
            return self._restore(place, START, fitted)
        report.send("step_started", text=f"{candidate.name} on {self.task.name}")
        for warning in check_task(self.task, candidate):
            report.message(warning)
        work, began = self._work(place), time.perf_counter()
        if not trained:
            candidate = self._trained(candidate, work, report)
        seconds = time.perf_counter() - began
        about = self._keep(candidate, work)
        exporting = time.perf_counter() - began - seconds
        native = Contestant(START, candidate)
        rivals = [native]
        if candidate.form != "onnx" and "onnx_error" not in about:
            rivals.append(
                Contestant(EXPORTED, load_kept(work, form="onnx", prepare=candidate.prepare))
            )
        rows = appraise(
            rivals,
            self.task,
            report=report,
            recipe=self.recipe,
            seconds=(seconds, exporting),
            folder=work,
            origin=native,
        )
        return self._finish(
            place,
            work,
            candidate,
            rows,
            {"technique": START, "label": START, "seconds": seconds},
            report,
        )

    def step(self, number: int, step: Any, before: _Standing) -> _Standing:
        """One technique: run, keep, measure beside its parent and the start, and put the folder in
        its place.
        """
        label = self.recipe.labels[number - 1]
        place = self.folder / "steps" / f"{number:02d}-{label.replace(' ', '-')}"
        report = self.report.for_step(label)
        if place.exists():
            return self._restore(place, label) if (place / "candidate.json").exists() else before
        report.send("step_started", text=step.declared.title)
        work, began = self._work(place), time.perf_counter()
        job = Job(
            self.task,
            before.candidate,
            work,
            others=self._others(step, work, report),
            build=self._builder(before.candidate),
            seed=self.recipe.seed,
            device=self.device,
            report=report,
            cache=self.folder.parent / CACHE,
            exported=before.exported,
        )
        outcome = step.declared(job, step.settings)
        seconds = time.perf_counter() - began
        about: dict[str, Any] = {
            "technique": step.technique,
            "label": label,
            "settings": step.settings.tree(),
            "resolved": outcome.resolved.tree(),
            "seconds": seconds,
            "decision": outcome.decision,
            "notes": outcome.notes,
            "partial": outcome.partial,
        }
        for name, table in ((n, t) for n, t in outcome.evidence.items() if len(t.columns)):
            write_text(work / "evidence" / f"{name}.csv", table.to_csv(index=False))
        candidate = outcome.candidate
        if candidate is None:  # a decision: the candidate before it goes on
            self._write(place, work, [], about, report)
            return before
        kept = self._keep(candidate, work)
        as_onnx = candidate.form == "onnx" or "onnx_error" in kept
        shipped = candidate if as_onnx else load_kept(work, form="onnx", prepare=candidate.prepare)
        rows = appraise(
            [before.shipped, Contestant(label, shipped)],
            self.task,
            report=report,
            recipe=self.recipe,
            seconds=(0.0, seconds),
            folder=work,
            origin=self.origin,
            notes=outcome.notes,
        )[1:]
        return self._finish(place, work, candidate, rows, about, report)

    def _trained(self, candidate: Candidate, work: Path, report: Report) -> Candidate:
        return train_start(candidate, self.task, **self._shared(report), checkpoint=work / "fit.pt")

    def _others(self, step: Any, work: Path, report: Report) -> dict[str, Candidate]:
        """The candidates that a step's settings refer to."""
        found = {}
        for number, reference in enumerate(step.declared.referred(step.settings)):
            found[reference] = candidate_named(
                reference, self.task, **self._shared(report), checkpoint=work / f"other-{number}.pt"
            )
        return found

    def _shared(self, report: Report) -> dict[str, Any]:
        return {
            "budget": self.recipe.budget,
            "seed": self.recipe.seed,
            "device": self.device,
            "report": report,
        }

    def _builder(self, candidate: Candidate) -> Any:
        name = (candidate.builder or "").rpartition("/")[2]
        return self.task.builders.get(name or "untrained")

    def _work(self, place: Path) -> Path:
        """The folder of a step under way; a checkpoint from before a kill is still in it."""
        work = self.folder / "work" / place.name
        work.mkdir(parents=True, exist_ok=True)
        return work

    def _keep(self, candidate: Candidate, work: Path) -> dict[str, Any]:
        return keep(candidate, work, self.task.example(16, candidate.prepare))

    def _finish(
        self,
        place: Path,
        work: Path,
        candidate: Candidate,
        rows: list[Row],
        about: Mapping[str, Any],
        report: Report,
    ) -> _Standing:
        """Put a step with a candidate in its place; returns where the next one starts."""
        self._write(place, work, rows, about, report)
        return self._restore(place, about["label"], candidate)

    def _write(
        self, place: Path, work: Path, rows: list[Row], about: Mapping[str, Any], report: Report
    ) -> None:
        """Write what the step was, drop its checkpoints, and move it where finished steps lie."""
        write_json(
            work / "step.json",
            {"version": 1, **about, "rows": [r.to_json() for r in rows], "host": host().to_json()},
        )
        for file in work.glob("*.pt"):
            file.unlink()
        move_folder(work, place)
        report.send("step_finished", rows=[r.to_json() for r in rows])

    def _restore(self, place: Path, label: str, candidate: Candidate | None = None) -> _Standing:
        """Where the next step starts, from a finished step's folder; the user's own module where it
        is still at hand.
        """
        made = candidate or load_candidate(place, self.task)
        shipped = made if made.form == "onnx" else onnx_of(place, made.prepare) or made
        if self.origin is None:
            self.origin = Contestant(START, made, outputs=_saved(place, START))
        name = EXPORTED if label == START and shipped is not made else label
        return _Standing(made, Contestant(name, shipped, outputs=_saved(place, name)))


def open_test(trail: Trail, test: Rows, report: Report) -> TestLine:
    """Measure the start and the last candidate on test, and count the look."""
    path = trail.folder / "final.json"
    looks = read_json(path)["looks"] + 1 if path.exists() else 1
    step_report = report.for_step("test")
    step_report.send("step_started", text="opening test")
    task = trail._known_task()
    place = trail._with_candidate()[-1]
    first, last = (_as_shipped(p, task) for p in (trail.steps[0], place))
    line = test_line(first, last, task, test, rows=trail.rows, looks=looks, report=step_report)
    write_json(path, line.to_json())
    step_report.send("step_finished", rows=[], text=line.text)
    return line


def _as_shipped(place: Path, task: Task) -> Candidate:
    """A step's candidate as its ONNX file, which answers alike and sooner, where there is one."""
    kept = load_candidate(place, task)
    return onnx_of(place, kept.prepare) or kept


def _saved(place: Path, label: str) -> np.ndarray | None:
    path = place / f"valid-{label}.npy"
    return np.load(path) if path.exists() else None
