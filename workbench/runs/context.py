"""RunContext, the folder, task, recipe and data that all steps of one run share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import RunError
from workbench.events import Report
from workbench.model_form import Training
from workbench.recipe import Recipe
from workbench.runs.candidates import Named, candidate_named, trained
from workbench.settings import RunOptions
from workbench.system.files import read_json
from workbench.system.machine import device_of
from workbench.task import Candidate, Task

__all__ = ["RunContext"]


@dataclass(frozen=True)
class RunContext:
    """The values that every step of a run gets.

    Attributes
    ----------
    folder
        Folder of the run.
    task
        The task without test rows; None in a run that has none.
    data
        Further rows by the name that settings use.
    device
        Device for training, such as `cpu`.
    store
        URL of the store; empty: the SQLite file in the folder of runs.
    """

    folder: Path
    task: Task | None
    recipe: Recipe
    report: Report
    data: Mapping[str, Any]
    device: str
    store: str

    @classmethod
    def of(
        cls,
        folder: Path,
        task: Task | None,
        recipe: Recipe,
        report: Report,
        data: Mapping[str, Any],
    ) -> RunContext:
        """The context of a run, with the device and the store that its options and folder name."""
        run = folder / "run.json"
        store = read_json(run).get("store", "") if run.exists() else ""
        return cls(folder, task, recipe, report, data, device_of(recipe.options.device), store)

    @property
    def options(self) -> RunOptions:
        return self.recipe.options

    @property
    def required_task(self) -> Task:
        """The task; raises RunError in a run that has none."""
        if self.task is None:
            raise RunError("This run has no task, and a step of it needs one: name it as `task`.")
        return self.task

    def named(self, reference: str) -> Named:
        """The candidate that a text names, as it is; raises UnknownName for an unknown one."""
        return candidate_named(
            reference,
            self.required_task,
            seed=self.options.seed,
            store=self.store,
            root=self.folder.parent,
        )

    def trained(self, named: Named, report: Report, checkpoint: Path | None = None) -> Candidate:
        """The candidate, trained with the effort and seed of the run if it is not trained yet."""
        training = Training(
            budget=self.options.budget,
            seed=self.options.seed,
            device=self.device,
            report=report,
            checkpoint=checkpoint,
        )
        return trained(named, self.required_task, training)
