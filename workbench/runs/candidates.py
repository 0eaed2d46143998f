"""Candidates to start from: trained where they are not, and found by the reference that settings
name them with.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from workbench.errors import CandidateError, UnknownName, unknown
from workbench.events import Report
from workbench.runs.trail import Trail, load_candidate
from workbench.system.references import resolve
from workbench.task import Candidate, Task

__all__ = ["candidate_named", "train_start"]


def train_start(
    candidate: Candidate,
    task: Task,
    *,
    budget: str,
    seed: int,
    device: str,
    report: Report,
    checkpoint: Path | None = None,
) -> Candidate:
    """An untrained candidate, trained on the task's train rows with the usual settings and what
    `task.fits` changes in them.
    """
    if candidate.form == "sklearn":
        from workbench.models.estimators import as_features

        report.message(f"Fitting {candidate.name}.")
        rows = task.data.train.prepared(candidate.prepare)
        return candidate.fitted(candidate.model.fit(as_features(rows.inputs), rows.targets))
    from workbench.training import FitSettings, fit

    settings = FitSettings(**task.fits.get(candidate.name, {})).resolved(budget)
    fitted = fit(
        candidate.model,
        task,
        settings,
        prepare=candidate.prepare,
        report=report,
        seed=seed,
        device=device,
        checkpoint=checkpoint,
    )
    return candidate.fitted(fitted.model, fitted.choices)


def candidate_named(
    reference: str,
    task: Task,
    *,
    budget: str,
    seed: int,
    device: str,
    report: Report,
    checkpoint: Path | None = None,
) -> Candidate:
    """The candidate that a setting names: one of the task's models, a run or one of its steps by
    folder, or code.

    A model of the task that has no trained weights is trained first. Raises UnknownName for a name
    that is nothing of these, CandidateError for code that makes no model.
    """
    if reference in task.builders or (task.start is not None and reference == task.start.name):
        candidate, trained = task.candidate(reference, seed=seed)
        if trained:
            return candidate
        report.message(f"`{reference}` has no trained weights: training it first.")
        return train_start(
            candidate,
            task,
            budget=budget,
            seed=seed,
            device=device,
            report=report,
            checkpoint=checkpoint,
        )
    folder = Path(reference).expanduser()
    if (folder / "candidate.json").exists():
        return load_candidate(folder, task)
    if (folder / "steps").exists():
        return Trail(folder, task).candidate()
    if ":" in reference and not folder.exists():
        return _from_code(reference, task)
    raise UnknownName(
        unknown("candidate", reference, task.builders)
        + " Or give the folder of a run or of one of its steps, or "
        "package.module:function."
    )


def _from_code(reference: str, task: Task) -> Candidate:
    """A trained module, or a Candidate, or a function that makes one of them."""
    made: Any = resolve(reference)
    if callable(made) and not hasattr(made, "state_dict"):
        made = made()
    name = reference.rpartition(":")[2]
    if isinstance(made, Candidate):
        return replace(made, name=name)
    if hasattr(made, "state_dict"):
        return Candidate(name, "torch", made, prepare=task.prepare)
    raise CandidateError(
        f"`{reference}` gave {type(made).__name__}; it must give a trained torch module, or a "
        "Candidate."
    )
