"""Small jobs and settings for the tests of regularization."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from workbench.runs.jobs import builder_for
from workbench.technique import Job
from workbench.techniques import get_technique
from workbench.testing.examples import (
    sklearn_candidate,
    sklearn_task,
    torch_candidate,
    torch_task,
)

QUICK = {"max_steps": 30, "lr": 0.01, "precision": "fp32", "memory_format": "contiguous"}


def settings(**values: Any) -> Any:
    """Settings in the budget smoke."""
    return get_technique("regularization").settings(**{"budget": "smoke", **values})


def quick(**values: Any) -> Any:
    """Settings of a network whose training takes a tenth of a second."""
    return settings(fit={**QUICK, **values.pop("fit", {})}, **values)


def few(task: Any, n: int = 300) -> Any:
    """The task without test rows and with `n` train rows."""
    data = task.without_test().data
    return replace(task, data=replace(data, train=data.train.take(slice(0, n))))


def network_job(folder: Any, **changes: Any) -> Job:
    """A job on 300 digits as rows of numbers, with a small trained network."""
    return _job(few(torch_task()), torch_candidate(), folder, changes)


def estimator_job(folder: Any, **changes: Any) -> Job:
    """A job on the same rows, with a scaler and a logistic regression."""
    return _job(few(sklearn_task()), sklearn_candidate(), folder, changes)


def _job(task: Any, start: Any, folder: Any, changes: dict[str, Any]) -> Job:
    values = {"task": task, "start": start, "folder": folder, **changes}
    return Job(**{"build": builder_for(values["start"], values["task"]), **values})
