"""Folders of steps: written under `work/`, then moved to `steps/` in one move.

<run>/work/01-pruning/    the step under way; a checkpoint from before a kill is still in it
<run>/steps/01-pruning/   the finished step
    step.json  candidate.json  model.*  valid-<label>.npy  scorecard-<label>.json  evidence/
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import RunError
from workbench.events import Report
from workbench.keeping.candidates import REFIT, describe, keep, load_kept
from workbench.ledger.rows import Row
from workbench.settings import VERSION
from workbench.system.files import move_folder, read_json, write_json, write_text
from workbench.system.machine import host
from workbench.task import Candidate, Task
from workbench.technique import Decision, Outcome

__all__ = [
    "EXPORTED",
    "FIRST",
    "START",
    "copy_start",
    "decision_in",
    "exported_form",
    "has_candidate",
    "keep_candidate",
    "place_step",
    "saved_outputs",
    "step_folder",
    "work_folder",
    "write_evidence",
]

START = "start"
FIRST = "first"  # beside a start that an earlier run made: the start of that run
EXPORTED = "onnx"  # the row of the runtime alone: the start, unchanged, in ONNX Runtime


def step_folder(run: Path, number: int, label: str) -> Path:
    """The folder of a finished step: `pruning 2` as step 3 is `steps/03-pruning-2`."""
    return run / "steps" / f"{number:02d}-{label.replace(' ', '-')}"


def work_folder(place: Path) -> Path:
    """The folder in which a step is under way, made if it does not exist."""
    work = place.parent.parent / "work" / place.name
    work.mkdir(parents=True, exist_ok=True)
    return work


def has_candidate(place: Path) -> bool:
    """Whether a step is finished and has made a candidate."""
    return (place / "candidate.json").exists()


def keep_candidate(candidate: Candidate, work: Path, task: Task) -> tuple[str, ...]:
    """Keep a candidate in a folder; returns notes about the parts that could not be kept."""
    inputs = task.example(16, candidate.prepare)
    about = keep(candidate, work, inputs, task=task)
    notes = []
    if about.get("kept") == REFIT:
        notes.append(
            f"`{candidate.name}` has no file of its own ({about['reason']}): it is trained "
            "again on the same rows when it is loaded."
        )
    if "onnx_error" in about:
        notes.append(f"Not written as ONNX: {about['onnx_error']}")
    return tuple(notes)


def exported_form(candidate: Candidate, place: Path, task: Task) -> Candidate | None:
    """The ONNX form that was kept beside a candidate; None where it has none, or is one."""
    about = describe(place)
    if about["form"] == "onnx" or "onnx_error" in about:
        return None
    return replace(load_kept(place, form="onnx", task=task), prepare=candidate.prepare)


def copy_start(start: Path, work: Path) -> None:
    """Copy the start of an earlier run beside a step, so that the earlier run may be deleted."""
    shutil.copytree(start, work / FIRST, ignore=shutil.ignore_patterns(FIRST, "evidence"))


def write_evidence(outcome: Outcome, work: Path) -> None:
    """Write the tables of an outcome as CSV; a table without columns is left out."""
    for name, table in outcome.evidence.items():
        if len(table.columns):
            write_text(work / "evidence" / f"{name}.csv", table.to_csv(index=False))


def place_step(
    place: Path,
    work: Path,
    rows: Sequence[Row],
    about: Mapping[str, Any],
    report: Report,
    decision: Decision | None = None,
) -> None:
    """Write `step.json`, delete the checkpoints, and move the folder to the finished steps."""
    lines = [r.to_json() for r in rows]
    write_json(
        work / "step.json",
        {"version": VERSION, **about, "rows": lines, "host": host().to_json()},
    )
    for checkpoint in work.glob("*.pt"):
        checkpoint.unlink()
    move_folder(work, place)
    decided = {} if decision is None else {"decision": decision.to_json()}
    report.send("step_finished", rows=[*about.get("baselines", ()), *lines], **decided)


def decision_in(place: Path) -> Decision | None:
    """The decision that a finished step wrote; None where it decided nothing."""
    return read_json(place / "step.json", _decision, error=RunError)


def saved_outputs(place: Path, label: str) -> np.ndarray | None:
    """Outputs on valid `(rows, ...)` that a step kept; None where it kept none."""
    path = place / f"valid-{label}.npy"
    return np.load(path) if path.exists() else None


def _decision(about: Mapping[str, Any]) -> Decision | None:
    decision = about.get("decision")
    return None if decision is None else Decision.from_json(decision)
