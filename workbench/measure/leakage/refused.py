"""Tasks with test rows that are in train too: `make_task` refuses them, the guard reports them."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from workbench.data.overlap import row_hashes
from workbench.data.rows import AnyRows, Rows
from workbench.errors import DataError
from workbench.task import Task

__all__ = ["task_for_guard"]


def task_for_guard(name: str, *, test: Any = None, **values: Any) -> Task:
    """The task of `make_task`, or the same with a test split that `make_task` refuses.

    Such a task serves the guard only: what is measured on its test split would not be honest.
    Raises DataError and TaskError as `make_task` does, for all problems but those of test.
    """
    from workbench.tasks.make import make_task

    if test is None:
        return make_task(name, **values)
    try:
        return make_task(name, test=test, **values)
    except DataError as error:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            task = _with_test(make_task(name, **values), test)
        if task is None:
            raise error
        return task


def _with_test(task: Task, test: Any) -> Task | None:
    """The task with these test rows, the ones that were cut from train put back.

    None where the test rows do not fit it, or are in no other split.
    """
    data, rows = task.data, task.reading(test, "test")
    if not (isinstance(rows, Rows) and isinstance(data.train, Rows)) or not len(rows):
        return None
    if not _fit(data.train, rows):
        return None
    others = [r for r in data.named().values() if isinstance(r, Rows)]
    if not any(np.isin(row_hashes(r), row_hashes(rows)).any() for r in others):
        return None  # it was refused for another reason
    train = _joined(data.train, data.test) if isinstance(data.test, Rows) else data.train
    return replace(task, data=replace(data, train=train, test=rows))


def _fit(train: Rows, test: Rows) -> bool:
    """Whether rows have the same inputs with the same shapes."""
    shapes = [{n: a.shape[1:] for n, a in rows.inputs.items()} for rows in (train, test)]
    return shapes[0] == shapes[1] and train.targets.shape[1:] == test.targets.shape[1:]


def _joined(one: Rows, other: Rows) -> AnyRows:
    """The rows of both, in order of time where they have times."""
    labels = {
        name: np.concatenate([getattr(one, name), getattr(other, name)])
        for name in ("times", "groups")
        if getattr(one, name) is not None
    }
    inputs = {n: np.concatenate([a, other.inputs[n]]) for n, a in one.inputs.items()}
    rows = Rows(inputs, np.concatenate([one.targets, other.targets]), **labels)
    return rows if rows.times is None else rows.take(np.argsort(rows.times, kind="stable"))
