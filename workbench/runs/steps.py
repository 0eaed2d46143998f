"""Running a recipe step by step into a folder.

Every finished step is one folder, put in its place in one move, so a kill loses at most the step
under way, and a second run of the same folder goes on after it. Steps look at valid; `open_test`
looks at test, for the first start and the last candidate.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from workbench.data.rows import AnyRows
from workbench.errors import CandidateError, RunError
from workbench.events import Report
from workbench.keeping.candidates import REFIT, describe, keep, load_kept, onnx_of
from workbench.ledger.appraise import Contestant, appraise
from workbench.ledger.rows import Row, TestLine
from workbench.ledger.test_line import test_line
from workbench.model_form import Training
from workbench.recipe import Recipe, Step
from workbench.runs.candidates import (
    Named,
    candidate_named,
    first_start,
    load_candidate,
    task_name_of,
    trained,
)
from workbench.runs.data import data_named
from workbench.runs.looks import count_look
from workbench.runs.trail import Trail
from workbench.settings import VERSION
from workbench.system.files import move_folder, read_json, write_json, write_text
from workbench.system.machine import device_of, host
from workbench.task import Candidate, SizedBuilder, Task
from workbench.tasks.checks import check_task
from workbench.technique import Decision, Job, Needs, Outcome

__all__ = ["CACHE", "builder_for", "execute", "looked_at", "open_test", "wants_test"]

START = "start"
FIRST = "first"  # beside a start that an earlier run made: the start of that run
SMOKE_ROWS = 2_000  # of valid that a smoke run looks at: it is over sooner, and decides nothing
CACHE = "cache"  # beside the runs of one root, which share it
EXPORTED = "onnx"  # the row of the runtime alone: the start, unchanged, in ONNX Runtime


@dataclass
class _Standing:
    """What the next step starts from: the candidate, and how it is shipped and was measured.

    Both are None in a run that has no start.
    """

    candidate: Candidate | None = None
    shipped: Contestant | None = None

    @property
    def exported(self) -> Candidate | None:
        """The ONNX file that was written of the candidate, if there is one."""
        if self.candidate is None or self.shipped is None:
            return None
        is_other = self.shipped.candidate.form != self.candidate.form
        return self.shipped.candidate if is_other else None


def execute(
    folder: Path,
    task: Task | None,
    recipe: Recipe,
    report: Report,
    data: Mapping[str, Any] | None = None,
) -> Trail:
    """Run the steps of a recipe that are not done yet; `task` comes without test rows.

    `data` are further rows that settings name. Raises what a step raises; finished steps stay in
    the folder.
    """
    seen = None if task is None else looked_at(task, recipe.options.budget)
    runner = _Runner(folder, seen, recipe, report, data or {})
    standing = runner.start()
    for number, step in enumerate(recipe.steps, 1):
        standing = runner.step(number, step, standing)
    write_json(folder / "ledger.json", [r.to_json() for r in Trail(folder).rows])
    return Trail(folder, task=task)


def wants_test(recipe: Recipe) -> bool:
    """Whether the run opens test at its end: unless it is told never to, or no step asks for it."""
    asked = [step.declared.needs.test for step in recipe.steps]
    return recipe.options.test == "at_end" and (not asked or any(asked))


def looked_at(task: Task, budget: str) -> Task:
    """The task with the valid rows that a budget looks at.

    In smoke these are the first ones; of rows ordered in time, some of all times.
    """
    valid = task.data.valid
    if budget != "smoke" or len(valid) <= SMOKE_ROWS:
        return task
    every = (len(valid) + SMOKE_ROWS - 1) // SMOKE_ROWS
    is_ordered = getattr(valid, "times", None) is not None
    chosen = slice(None, None, every) if is_ordered else slice(0, SMOKE_ROWS)
    return replace(task, data=replace(task.data, valid=valid.take(chosen)))


def builder_for(candidate: Candidate, task: Task) -> Any:
    """The function that makes a candidate's model untrained, with the same arguments.

    None where the task has no such builder.
    """
    name = (candidate.builder or "").rpartition("/")[2] or "untrained"
    builder = task.builders.get(name)
    if builder is None:
        return None
    if isinstance(builder, SizedBuilder) and candidate.prepare is not task.prepare:
        first = next(iter(task.example(2, candidate.prepare).values()))
        builder = builder.resized(int(first.shape[1]))

    def build(**args: Any) -> Any:
        return builder(**{**candidate.builder_args, **args})

    return build


class _Runner:
    """What all steps of one run share."""

    def __init__(
        self,
        folder: Path,
        task: Task | None,
        recipe: Recipe,
        report: Report,
        data: Mapping[str, Any],
    ) -> None:
        self.folder, self.task, self.recipe, self.report = folder, task, recipe, report
        self.options, self.data = recipe.options, data
        self.device = device_of(recipe.options.device)
        self.origin: Contestant | None = None
        run = folder / "run.json"
        self.store = read_json(run).get("store", "") if run.exists() else ""

    @property
    def at_hand(self) -> Task:
        """The task; raises RunError in a run that has none."""
        if self.task is None:
            raise RunError("This run has no task, and a step of it needs one: name it as `task`.")
        return self.task

    # The start

    def start(self) -> _Standing:
        """The candidate to start from, measured as it is and as ONNX.

        It is trained where a step needs that. A run whose steps need no start has none.
        """
        needs = [step.declared.needs for step in self.recipe.steps] or [Needs()]
        if self.task is None or not any(n.start for n in needs):
            return _Standing()
        report = self.report.for_step(START)
        place = self.folder / "steps" / f"00-{START}"
        if place.exists() and (place / "candidate.json").exists():
            return self._restore(place, START)
        named = self._named(self.options.start)
        self.recipe.check_forms(named.candidate.form, named.candidate.name)
        if not named.is_trained and not _trains_start(self.recipe):
            return _Standing(named.candidate)
        report.send("step_started", text=f"{named.candidate.name} on {self.at_hand.name}")
        for warning in check_task(self.at_hand, named.candidate):
            report.message(warning)
        work, began = self._work(place), time.perf_counter()
        candidate = trained(named, self.at_hand, self._training(report, work / "fit.pt"))
        seconds = time.perf_counter() - began
        notes = self._keep(candidate, work)
        exporting = time.perf_counter() - began - seconds
        native = Contestant(START, candidate)
        exported = self._exported(candidate, work)
        rivals = [native, *([Contestant(EXPORTED, exported)] if exported is not None else [])]
        origin = self._first(named, work) or native
        rows = appraise(
            rivals,
            self.at_hand,
            report=report,
            recipe=self.recipe,
            seconds=(seconds, exporting),
            folder=work,
            origin=origin,
            notes=notes,
            timed=any(n.timing for n in needs),
        )
        about = {"technique": START, "label": START, "seconds": seconds, "notes": notes}
        self._write(place, work, rows, about, report)
        return self._restore(place, START, candidate)

    def _named(self, reference: str) -> Named:
        return candidate_named(
            reference,
            self.at_hand,
            seed=self.options.seed,
            store=self.store,
            root=self.folder.parent,
        )

    def _first(self, named: Named, work: Path) -> Contestant | None:
        """The start of the run that made this start: comparisons go on against that one.

        Its files are copied, so that the earlier run may be deleted.
        """
        if named.folder is None:
            return None
        earlier = first_start(named.folder)
        if earlier is None or earlier == named.folder:
            return None
        if task_name_of(named.folder) != self.options.task:
            return None
        shutil.copytree(earlier, work / FIRST, ignore=shutil.ignore_patterns(FIRST, "evidence"))
        return Contestant(FIRST, load_candidate(work / FIRST, self.at_hand))

    # Steps

    def step(self, number: int, step: Step, before: _Standing) -> _Standing:
        """One technique: run it, keep and appraise its result, put its folder in place."""
        label = self.recipe.labels[number - 1]
        place = self.folder / "steps" / f"{number:02d}-{label.replace(' ', '-')}"
        report = self.report.for_step(label)
        if place.exists():
            return self._done(place, label, before)
        report.send("step_started", text=step.declared.title)
        work, began = self._work(place), time.perf_counter()
        job = self._job(step, before, work, report)
        outcome = step.declared(job, step.settings)
        seconds = time.perf_counter() - began
        self._write_evidence(outcome, work)
        notes = outcome.notes
        if outcome.candidate is not None:
            notes = (*notes, *self._keep(outcome.candidate, work))
        rows = self._appraised(label, step, outcome, before, work, report, seconds, notes)
        about = _about(step, label, outcome, seconds, notes, before.candidate)
        self._write(place, work, rows, about, report, outcome.decision)
        return self._done(place, label, before, outcome.candidate, job.others)

    def _job(self, step: Step, before: _Standing, work: Path, report: Report) -> Job:
        others = {
            reference: trained(
                self._named(reference),
                self.at_hand,
                self._training(report, work / f"other-{number}.pt"),
            )
            for number, reference in enumerate(step.declared.referred(step.settings))
        }
        data = {
            reference: data_named(reference, self.task, self.data)
            for reference in step.declared.referred_data(step.settings)
        }
        start = before.candidate
        return Job(
            cast(Task, self.task),  # None where the step needs neither
            cast(Candidate, start),
            work,
            others=others,
            data=data,
            build=None if start is None else builder_for(start, self.at_hand),
            seed=self.options.seed,
            device=self.device,
            report=report,
            cache=self.folder.parent / CACHE,
            exported=before.exported,
            threads=self.options.threads,
        )

    def _appraised(
        self,
        label: str,
        step: Step,
        outcome: Outcome,
        before: _Standing,
        work: Path,
        report: Report,
        seconds: float,
        notes: tuple[str, ...],
    ) -> list[Row]:
        """The row of a step: its candidate beside the one before, or its decision."""
        if outcome.candidate is None:
            return [
                Row(
                    label,
                    step.technique,
                    seconds=seconds,
                    budget=self.options.budget,
                    notes=notes,
                    decision=outcome.decision,
                )
            ]
        shipped = self._exported(outcome.candidate, work) or outcome.candidate
        beside = [before.shipped] if before.shipped is not None else []
        rows = appraise(
            [*beside, Contestant(label, shipped)],
            self.at_hand,
            report=report,
            recipe=self.recipe,
            seconds=[0.0] * len(beside) + [seconds],
            folder=work,
            origin=self.origin,
            notes=notes,
            timed=step.declared.needs.timing,
        )[-1:]
        return [replace(row, decision=outcome.decision) for row in rows]

    def _done(
        self,
        place: Path,
        label: str,
        before: _Standing,
        candidate: Candidate | None = None,
        others: Mapping[str, Candidate] | None = None,
    ) -> _Standing:
        """Where the next step starts after a finished step.

        This is its candidate, the one that its decision names, or the one before it.
        """
        if (place / "candidate.json").exists():
            return self._restore(place, label, candidate)
        kept = read_json(place / "step.json").get("decision")
        decision = None if kept is None else Decision.from_json(kept)
        if decision is None or not decision.goes_on:
            return before
        reference = decision.goes_on
        chosen = (others or {}).get(reference) or trained(
            self._named(reference), self.at_hand, self._training(self.report, None)
        )
        return _Standing(chosen, Contestant(f"{label}-choice", chosen))

    # Folders

    def _training(self, report: Report, checkpoint: Path | None) -> Training:
        return Training(
            budget=self.options.budget,
            seed=self.options.seed,
            device=self.device,
            report=report,
            checkpoint=checkpoint,
        )

    def _work(self, place: Path) -> Path:
        """The folder of a step under way; a checkpoint from before a kill is still in it."""
        work = self.folder / "work" / place.name
        work.mkdir(parents=True, exist_ok=True)
        return work

    def _keep(self, candidate: Candidate, work: Path) -> tuple[str, ...]:
        """Keep a candidate; returns notes about what could not be kept."""
        inputs = self.at_hand.example(16, candidate.prepare)
        about = keep(candidate, work, inputs, task=self.at_hand)
        notes = []
        if about.get("kept") == REFIT:
            notes.append(
                f"`{candidate.name}` has no file of its own ({about['reason']}): it is trained "
                "again on the same rows when it is loaded."
            )
        if "onnx_error" in about:
            notes.append(f"Not written as ONNX: {about['onnx_error']}")
        return tuple(notes)

    def _exported(self, candidate: Candidate, work: Path) -> Candidate | None:
        """The ONNX form that was kept beside a candidate; None where it has none, or is one."""
        about = describe(work)
        if about["form"] == "onnx" or "onnx_error" in about:
            return None
        return replace(load_kept(work, form="onnx", task=self.at_hand), prepare=candidate.prepare)

    def _write_evidence(self, outcome: Outcome, work: Path) -> None:
        for name, table in outcome.evidence.items():
            if len(table.columns):
                write_text(work / "evidence" / f"{name}.csv", table.to_csv(index=False))

    def _write(
        self,
        place: Path,
        work: Path,
        rows: list[Row],
        about: Mapping[str, Any],
        report: Report,
        decision: Decision | None = None,
    ) -> None:
        """Write what the step was, drop its checkpoints, and move it where finished steps lie."""
        lines = [r.to_json() for r in rows]
        write_json(
            work / "step.json",
            {"version": VERSION, **about, "rows": lines, "host": host().to_json()},
        )
        for file in work.glob("*.pt"):
            file.unlink()
        move_folder(work, place)
        told = {} if decision is None else {"decision": decision.to_json()}
        report.send("step_finished", rows=lines, **told)

    def _restore(self, place: Path, label: str, candidate: Candidate | None = None) -> _Standing:
        """Where the next step starts, from a finished step's folder.

        The model is of the user's own class where that is at hand.
        """
        kept = candidate or load_candidate(place, self.at_hand)
        exported = self._exported(kept, place)
        if self.origin is None:
            self.origin = self._origin(place, label, kept, exported)
        name = EXPORTED if label == START and exported is not None else label
        shipped = Contestant(name, exported or kept, outputs=_saved(place, name))
        return _Standing(kept, shipped)

    def _origin(
        self, place: Path, label: str, kept: Candidate, exported: Candidate | None
    ) -> Contestant:
        """The candidate that all rows are compared with.

        It is the start of this run, or of the run that it goes on from; the first result in a run
        without a trained start.
        """
        if (place / FIRST / "candidate.json").exists():
            first = load_candidate(place / FIRST, self.at_hand)
            return Contestant(FIRST, first, outputs=_saved(place, FIRST))
        chosen = kept if label == START else exported or kept
        return Contestant(label, chosen, outputs=_saved(place, label))


def _trains_start(recipe: Recipe) -> bool:
    """Whether a step works on the start itself and needs it trained; a run without steps does."""
    for step in recipe.steps:
        if step.declared.needs.trained_start:
            return True
        if step.declared.gives is not None:  # later steps work on the candidate of this one
            return False
    return not recipe.steps


def _about(
    step: Step,
    label: str,
    outcome: Outcome,
    seconds: float,
    notes: tuple[str, ...],
    start: Candidate | None,
) -> dict[str, Any]:
    """What `step.json` says of a step, besides its rows and the machine."""
    own = {"fit": start.fit} if start is not None else None
    return {
        "technique": step.technique,
        "label": label,
        "settings": step.settings.tree(),
        "resolved": outcome.resolved.tree(),
        "resolved_by": step.settings.origins(own=own),
        "seconds": seconds,
        "decision": None if outcome.decision is None else outcome.decision.to_json(),
        "notes": notes,
        "partial": outcome.partial,
    }


def open_test(trail: Trail, test: AnyRows, report: Report) -> TestLine:
    """Measure the first start and the last candidate on test, and count the look.

    Raises RunError where no step made a candidate.
    """
    path = trail.folder / "final.json"
    before = read_json(path)["looks"] if path.exists() else 0
    step_report = report.for_step("test")
    step_report.send("step_started", text="opening test")
    task = trail.task
    if task is None:
        raise RunError(f"The task of {trail.folder.name} is not at hand, so test stays closed.")
    place = trail.steps_with_candidate[-1]
    start = trail.steps_with_candidate[0]
    earlier = start / FIRST
    first, last = (_as_shipped(p, task) for p in (earlier if earlier.exists() else start, place))
    looks = count_look(trail.folder.parent, test, before)
    line = test_line(first, last, task, test, rows=trail.rows, looks=looks, report=step_report)
    write_json(path, line.to_json())
    step_report.send("step_finished", rows=[], text=line.text)
    return line


def _as_shipped(place: Path, task: Task) -> Candidate:
    """A step's candidate as its ONNX file, which answers alike and sooner, where there is one."""
    try:
        exported = onnx_of(place, task=task)
    except CandidateError:
        exported = None
    return exported or load_candidate(place, task)


def _saved(place: Path, label: str) -> np.ndarray | None:
    """Outputs on valid that a step kept; None where it kept none."""
    path = place / f"valid-{label}.npy"
    return np.load(path) if path.exists() else None
