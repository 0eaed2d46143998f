"""The transfer set: the rows that students are trained on, in several augmented or reworded copies.

Hinton et al. (2015) call the rows that carry a teacher's outputs the transfer set. Here it holds
the train rows and, as further copies ("views"), changed ones.

Augmented images keep their labels. Reworded text is new text without a label: its targets are the
teachers' decisions, and the control is trained without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from workbench.data.rows import AnyRows, Rows
from workbench.errors import required
from workbench.model_form import form_named
from workbench.system.cache import fingerprint
from workbench.task import Candidate, Task

__all__ = ["TransferSet", "make_transfer_set"]

MAX_BYTES = 2**30  # of all views together; larger sets would not stay in memory as tensors
AUGMENT_BATCH = 4096  # rows augmented in one call; changing it changes the random numbers of a row


@dataclass(frozen=True)
class TransferSet:
    """`task`, whose train split holds `n_views` copies of train one after the other, for `prepare`.

    `prepared` says that the rows are prepared already, so that teacher and student get the same
    inputs; else each prepares the raw rows itself, and `task.augment` changes those of the student.
    `labelled_task` is the task with the labelled rows alone, where the other views have no labels.
    """

    task: Task
    prepare: Any
    n_views: int = 1
    prepared: bool = False
    note: str = ""
    labelled_task: Task | None = None

    @property
    def for_control(self) -> TransferSet:
        """The labelled rows alone, for a student without a teacher."""
        if self.labelled_task is None:
            return self
        return TransferSet(self.labelled_task, self.prepare)

    def with_decisions(self, outputs: np.ndarray) -> TransferSet:
        """The set with the decisions of all teachers as targets of rows that have no label.

        `outputs` are those of the teachers, `(rows, teachers, outputs)`.
        """
        if self.labelled_task is None:
            return self
        train = _in_memory(self.task.data.train)
        n_labelled = len(self.labelled_task.data.train)
        targets = np.asarray(train.targets).copy()
        decisions = _decisions(self.task.kind, outputs[n_labelled:].mean(1))
        targets[n_labelled:] = decisions.reshape(targets[n_labelled:].shape)
        return replace(self, task=_with_train(self.task, replace(train, targets=targets)))

    @property
    def digest(self) -> str:
        """Fingerprint of the rows and of how they are prepared."""
        data = self.task.data
        return fingerprint(
            data.train,
            data.valid,
            repr(self.prepare),
            self.n_views,
            self.task.name,
            self.task.augment is None,
        )


def make_transfer_set(
    task: Task, prepare: Any, teachers: Sequence[Candidate], n_views: int, seed: int
) -> TransferSet:
    """The train rows and `n_views - 1` changed copies of them, for students with this `prepare`.

    A task with `reword` gives reworded raw rows; a task with `augment` gives augmented prepared
    rows, as many views as fit in memory. There is one view, of raw rows, if the task has neither,
    if a teacher prepares rows differently, or if rows are read from a dataset.
    """
    if task.reword is not None and isinstance(task.data.train, Rows):
        return _reworded(task, prepare, n_views, seed)
    if task.augment is None:
        return TransferSet(task, prepare)
    same_prepare = all(form_named(t.form).takes_prepared and t.prepare == prepare for t in teachers)
    if not same_prepare:
        reason = "teacher and student prepare rows in different ways"
        return TransferSet(task, prepare, note=_not_augmented(reason))
    if not isinstance(task.data.train, Rows):
        return TransferSet(task, prepare, note=_not_augmented("rows are read from a dataset"))
    return _augmented(task, prepare, n_views, seed)


def _not_augmented(reason: str) -> str:
    return f"The teacher's outputs are those of rows without augmentation, because {reason}."


def _augmented(task: Task, prepare: Any, n_views: int, seed: int) -> TransferSet:
    rows = _in_memory(task.data.train).prepared(prepare)
    n_bytes = sum(array.nbytes for array in rows.inputs.values())
    n = max(1, min(n_views, MAX_BYTES // max(n_bytes, 1)))
    views = [rows.inputs]
    views += [_augmented_inputs(task, rows, seed * 1009 + number) for number in range(1, n)]
    inputs = {name: np.concatenate([view[name] for view in views]) for name in rows.inputs}
    train = Rows(inputs, np.concatenate([np.asarray(rows.targets)] * n))
    data = replace(task.data, train=train, valid=task.data.valid.prepared(prepare))
    return TransferSet(
        replace(task, data=data, prepare=None, augment=None),
        None,
        n,
        prepared=True,
        note=f"{n} of {n_views} views fit in memory." if n < n_views else "",
    )


def _augmented_inputs(task: Task, rows: Rows, seed: int) -> dict[str, np.ndarray]:
    import torch

    from workbench.data.tensors import tensor

    augment = required(task.augment)
    generator = torch.Generator().manual_seed(seed)
    batches = []
    for first in range(0, len(rows), AUGMENT_BATCH):
        part = slice(first, first + AUGMENT_BATCH)
        inputs = {name: tensor(array[part], "cpu").clone() for name, array in rows.inputs.items()}
        batches.append(augment(inputs, generator))
    return {
        name: np.concatenate([batch[name].numpy() for batch in batches]).astype(array.dtype)
        for name, array in rows.inputs.items()
    }


def _reworded(task: Task, prepare: Any, n_views: int, seed: int) -> TransferSet:
    rows = _in_memory(task.data.train)
    reword = required(task.reword)
    views = [rows.inputs]
    views += [
        reword(rows.inputs, np.random.default_rng([seed, number])) for number in range(1, n_views)
    ]
    inputs = {name: np.concatenate([view[name] for view in views]) for name in rows.inputs}
    train = Rows(inputs, np.concatenate([np.asarray(rows.targets)] * n_views))
    return TransferSet(_with_train(task, train), prepare, n_views, labelled_task=task)


def _decisions(kind: str, outputs: np.ndarray) -> np.ndarray:
    """Targets from outputs `(rows, outputs)`: class, true or false for each label, or value."""
    if kind == "classification":
        return outputs.argmax(1)
    return outputs > 0 if kind in ("binary", "multilabel") else outputs


def _in_memory(rows: AnyRows) -> Rows:
    """The rows; they are in memory, as `make_transfer_set` gives those of a dataset one view."""
    assert isinstance(rows, Rows)
    return rows


def _with_train(task: Task, train: Rows) -> Task:
    return replace(task, data=replace(task.data, train=train))
