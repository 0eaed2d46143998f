"""The recorded problems: a task with few train rows, a model, and the space of its trainings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from workbench.data.cut import taken
from workbench.settings.spaces import Space
from workbench.task import Candidate, Task
from workbench.tasks import load_task

__all__ = ["PROBLEMS", "Problem"]

TABLES = Path(__file__).with_name("tables")
FIT = {"precision": "fp32", "memory_format": "contiguous"}  # "auto" would time both in each trial
NETWORK = {
    "fit.lr": {"low": 0.001, "high": 0.3, "log": True},
    "fit.batch_size": {"low": 32, "high": 256, "log": True},
    "fit.weight_decay": {"low": 0.00001, "high": 0.3, "log": True},
    "fit.optimizer": ["adamw", "sgd"],
}


@dataclass(frozen=True)
class Problem:
    """A task cut to a number of train and valid rows, the model that is tuned, and its space.

    Rows are taken at even distances, so that they stay ordered in time.
    """

    name: str
    model: str
    space: Mapping[str, Any]
    n_train: int
    n_valid: int

    @property
    def table(self) -> Path:
        """The file of the recorded trainings."""
        return TABLES / f"{self.name}.csv"

    def read_space(self) -> Space:
        """The space, without checks by the task."""
        return Space.of(self.space)

    def load(self) -> Task:
        """The task without test, cut to the rows of this problem."""
        task = load_task(self.name).without_test()
        data = replace(
            task.data,
            train=_thinned(task.data.train, self.n_train),
            valid=_thinned(task.data.valid, self.n_valid),
        )
        return replace(task, data=data)

    def candidate(self, task: Task, point: Mapping[str, Any], seed: int) -> Candidate:
        """The untrained candidate with the values of a point; an estimator also has the seed."""
        parts = self.read_space().split(point)
        candidate, _ = task.candidate(self.model, args=parts["model"])
        if not parts["estimator"]:
            return replace(candidate, fit={**FIT, **parts["fit"]})
        estimator = candidate.model.set_params(**parts["estimator"], model__random_state=seed)
        # without its builder, a training starts from an unfitted copy with these parameters
        return replace(candidate, model=estimator, builder=None)


def _thinned(rows: Any, n: int) -> Any:
    """At most `n` rows, at even distances."""
    if len(rows) <= n:
        return rows
    return taken(rows, np.linspace(0, len(rows) - 1, n).astype(np.int64))


PROBLEMS = {
    problem.name: problem
    for problem in (
        Problem(
            "digits",
            "cnn",
            {
                **NETWORK,
                "fit.epochs": {"low": 2, "high": 8},
                "model.width": {"low": 4, "high": 16, "log": True},
            },
            n_train=1_000,
            n_valid=350,
        ),
        Problem(
            "flights",
            "boosting",
            {
                "estimator.model__learning_rate": {"low": 0.01, "high": 0.6, "log": True},
                "estimator.model__n_estimators": {"low": 20, "high": 160, "log": True},
                "estimator.model__max_depth": {"low": 2, "high": 8},
                "estimator.model__min_samples_leaf": {"low": 2, "high": 200, "log": True},
                "estimator.model__subsample": {"low": 0.1, "high": 0.8},
                "estimator.model__max_features": ["sqrt", "log2"],
            },
            n_train=6_000,
            n_valid=6_000,
        ),
        Problem(
            "fashion",
            "cnn",
            {
                **NETWORK,
                "fit.epochs": {"low": 2, "high": 5},
                "model.width": {"low": 4, "high": 8, "log": True},
            },
            n_train=1_000,
            n_valid=1_000,
        ),
    )
}
