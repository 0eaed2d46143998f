"""A candidate's `prepare` on disk: plain JSON, a fitted transformer as a skops file, or a name."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workbench.data.prepare import from_json, to_json
from workbench.errors import CandidateError, WorkbenchError
from workbench.keeping.skops_files import NotWritable, read_skops, write_skops
from workbench.models.transformed import Transformed
from workbench.system.files import UNFIT, write_bytes
from workbench.system.records import misfit
from workbench.system.references import resolve
from workbench.task import Task

__all__ = ["keep_prepare", "load_prepare"]

PREPARE_FILE = "prepare.skops"


@dataclass(frozen=True)
class NamedPrepare:
    """A function of the user's own that stands before a kept model; only its name was kept.

    It is called only if its module was imported here already, or its name is trusted: what a file
    names is not run otherwise.
    """

    reference: str
    is_trusted: bool = False

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        module = self.reference.partition(":")[0]
        if module not in sys.modules and not self.is_trusted:
            raise CandidateError(
                f"The kept candidate is prepared by `{self.reference}`, code that was not loaded "
                f"here. Import `{module}` first, or load with trusted=[{self.reference!r}]."
            )
        return resolve(self.reference)(inputs)


def keep_prepare(prepare: Any, folder: Path, task: Task | None) -> dict[str, Any] | None:
    """JSON that `load_prepare` reads; a transformer is written beside it.

    Raises CandidateError for a transformer that skops cannot write.
    """
    if isinstance(prepare, NamedPrepare):
        return {"kind": "yours", "reference": prepare.reference}
    if isinstance(prepare, Transformed):
        try:
            write_bytes(folder / PREPARE_FILE, write_skops(prepare.transformer))
        except NotWritable as error:
            owner = _owner(prepare, task)
            if owner is not None:
                return {"kind": "of_task", "model": owner, "reason": str(error)}
            raise CandidateError(
                f"The transformer `{type(prepare.transformer).__name__}` before the model cannot "
                f"be kept: {error}. Move its class into a module, and its lambdas into functions."
            ) from error
        return {"kind": "transformer", "file": PREPARE_FILE}
    described = to_json(prepare)
    if described is not None and described["kind"] == "yours":
        owner = _owner(prepare, task)
        return described | ({"model": owner} if owner is not None else {})
    return described


def load_prepare(
    kept: Mapping[str, Any] | None,
    folder: Path,
    *,
    task: Task | None = None,
    trusted: Sequence[Any] = (),
) -> Any:
    """The `prepare` that was kept: never another one.

    One that the task at hand holds under the kept name is taken from there. Raises CandidateError
    where that task is missing and nothing else was kept.
    """
    if kept is None:
        return None
    try:
        return _loaded(kept, folder, task, trusted)
    except UNFIT as error:
        if isinstance(error, WorkbenchError):
            raise
        raise CandidateError(
            f"{folder} holds a damaged `prepare` ({misfit(error)}): run the step again."
        ) from error


def _loaded(
    kept: Mapping[str, Any], folder: Path, task: Task | None, trusted: Sequence[Any]
) -> Any:
    if kept["kind"] == "transformer":
        return Transformed(read_skops(folder / kept["file"], trusted=trusted))
    if kept["kind"] in ("yours", "of_task"):
        if task is not None and "model" in kept:
            return task.prepares.get(kept["model"], task.prepare)
        if task is not None and "reference" in kept:  # of a version that kept the name alone
            for own in (task.prepare, *task.prepares.values()):
                if own is not None and to_json(own) == {
                    "kind": "yours",
                    "reference": kept["reference"],
                }:
                    return own
        if kept["kind"] == "of_task":
            raise CandidateError(
                f"{folder} was kept without its transformer ({kept['reason']}): load it with the "
                "task at hand."
            )
        return NamedPrepare(kept["reference"], kept["reference"] in trusted)
    return from_json(kept)


def _owner(prepare: Any, task: Task | None) -> str | None:
    """The name under which a task holds a `prepare`; empty for that of all its models."""
    if task is None:
        return None
    if prepare is task.prepare:
        return ""
    return next((n for n, own in task.prepares.items() if own is prepare), None)
