"""A small task whose trials take milliseconds: wines, a logistic regression behind a scaler."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import workbench as wb
from workbench.task import Candidate, Task
from workbench.technique import Job, Outcome

C = "estimator.logisticregression__C"
RANGE = {"low": 1e-4, "high": 10.0, "log": True}


def wine(model: Any = None) -> tuple[Task, Candidate]:
    """The task with its fitted start; train has 89 rows, valid the others."""
    x, y = load_wine(return_X_y=True)
    if model is None:
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    task = wb.make_task(
        "wine", model=model.fit(x[::2], y[::2]), train=(x[::2], y[::2]), valid=(x[1::2], y[1::2])
    )
    return task, task.candidate()[0]


def job(folder: Path, task: Task, start: Candidate, **changes: Any) -> Job:
    """A job of the task in a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    return Job(task.without_test(), start, folder, **changes)


def tuned(folder: Path, pair: tuple[Task, Candidate], **settings: Any) -> Outcome:
    """The outcome of tuning, with two folds where the settings do not say otherwise."""
    tuning = wb.get_technique("tuning")
    report = {k: settings.pop(k) for k in ("report", "seed", "cache") if k in settings}
    return tuning(job(folder, *pair, **report), tuning.settings(**{"folds": 2, **settings}))
