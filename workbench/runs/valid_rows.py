"""The valid rows that a run scores its candidates on: all, or a part in a smoke run."""

from __future__ import annotations

from dataclasses import replace

from workbench.task import Task

__all__ = ["SMOKE_ROWS", "limit_valid"]

SMOKE_ROWS = 2_000  # limit of valid in a smoke run, which is quick and decides nothing


def limit_valid(task: Task, budget: str) -> Task:
    """The task with the valid rows that a budget scores.

    A smoke run takes the first 2,000 at most; of rows ordered in time, every k-th row.
    """
    valid = task.data.valid
    if budget != "smoke" or len(valid) <= SMOKE_ROWS:
        return task
    every = (len(valid) + SMOKE_ROWS - 1) // SMOKE_ROWS
    is_ordered = valid.times is not None
    rows = slice(None, None, every) if is_ordered else slice(0, SMOKE_ROWS)
    return replace(task, data=replace(task.data, valid=valid.take(rows)))
