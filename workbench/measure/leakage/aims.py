"""Aims, the targets of a task as arrays of classes or ranks, which columns are compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from workbench.data.rows import Rows
from workbench.task import Task

__all__ = ["Aim", "aims_of"]

MOST_AIMS = 20  # labels or outputs that are scored each
MOST_CLASSES = 60  # that are scored each; the rarest others count as one


@dataclass(frozen=True, eq=False)
class Aim:
    """Something to predict: arrays `(rows, k)` of train and valid, one column a class.

    `labels` are class numbers or amounts `(rows,)`. Amounts are taken as ranks among train rows.
    """

    name: str
    kind: Literal["classes", "amount"]
    train: np.ndarray
    valid: np.ndarray
    labels: np.ndarray
    valid_labels: np.ndarray


def aims_of(task: Task, train: Rows, valid: Rows, notes: list[str]) -> tuple[Aim, ...]:
    """The targets of train and valid; none where they are neither classes nor amounts."""
    labels, others = np.asarray(train.targets), np.asarray(valid.targets)
    is_number = labels.dtype.kind in "biuf" and others.dtype.kind in "biuf"
    if task.kind == "custom" or not is_number or labels.shape[1:] != others.shape[1:]:
        notes.append("Targets are neither classes nor amounts: only inputs were looked at.")
        return ()
    if labels.ndim > 2:
        notes.append("A row has a target of several dimensions: only inputs were looked at.")
        return ()
    if labels.ndim == 1:
        labels, others = labels[:, None], others[:, None]
    n = labels.shape[1]
    names = task.classes if task.kind == "multilabel" and len(task.classes) == n else range(n)
    if n > MOST_AIMS:
        notes.append(f"The first {MOST_AIMS} of the {n} targets of a row were looked at.")
    return tuple(
        _aim("target" if n == 1 else f"target {name}", labels[:, i], others[:, i], task.kind)
        for i, name in zip(range(min(n, MOST_AIMS)), names, strict=False)
    )


def _aim(name: str, labels: np.ndarray, others: np.ndarray, kind: str) -> Aim:
    if kind == "regression":
        ordered = np.sort(labels.astype(np.float64))
        ranks = [_ranks(ordered, v.astype(np.float64))[:, None] for v in (labels, others)]
        return Aim(name, "amount", ranks[0], ranks[1], labels, others)
    values, counts = np.unique(labels, return_counts=True)
    if len(values) == 2:
        values = values[1:]
    values = values[np.argsort(-counts[-len(values) :], kind="stable")][:MOST_CLASSES]
    parts: list[Any] = [(v[:, None] == values[None]).astype(np.float64) for v in (labels, others)]
    return Aim(name, "classes", parts[0], parts[1], labels, others)


def _ranks(ordered: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Ranks from 0 to 1 among ordered values; equal values have one rank."""
    left = np.searchsorted(ordered, values, "left")
    right = np.searchsorted(ordered, values, "right")
    return (left + right) / (2 * len(ordered))
