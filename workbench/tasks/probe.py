"""Probe, the one question that `make_task` asks a model, whose answer serves all checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from workbench.data.rows import AnyRows, Rows
from workbench.errors import CandidateError
from workbench.model_form import form_named
from workbench.runtimes.outputs import are_probabilities, one_thread, outputs_of
from workbench.task import Candidate, Task

__all__ = ["Probe", "bad_rows", "clean"]

N_ROWS = 32  # enough to tell probabilities from small logits


@dataclass(frozen=True, eq=False)
class _Answer:
    inputs: Mapping[str, np.ndarray]
    outputs: np.ndarray | None = None
    every: Mapping[str | int, np.ndarray] = field(default_factory=dict)
    error: Exception | None = None


@dataclass(frozen=True, eq=False)
class Probe:
    """A candidate and its answer on a few train rows without missing values."""

    task: Task
    candidate: Candidate

    @cached_property
    def rows(self) -> Rows:
        """Raw rows spread over train, those with values that are not finite left out."""
        train: AnyRows = self.task.data.train
        spread = np.unique(np.linspace(0, len(train) - 1, min(N_ROWS, len(train))).astype(np.int64))
        return clean(train.take(spread))

    @cached_property
    def _answer(self) -> _Answer:
        inputs: Mapping[str, np.ndarray] = self.rows.inputs
        form = form_named(self.candidate.form)
        if not form.is_trained(self.candidate.model):
            return _Answer(inputs, error=CandidateError("It is not fitted yet."))
        try:
            inputs = self.rows.prepared(self.candidate.prepare).inputs
            with one_thread():
                every = form.outputs_by_name(self.candidate, inputs)
                counted = next(iter(every.values()), None)
                outputs = outputs_of(self.candidate, inputs) if counted is None else counted
            return _Answer(inputs, outputs, every)
        except Exception as error:  # the user's model, or their `prepare`: anything can come out
            return _Answer(inputs, error=error)

    @property
    def inputs(self) -> Mapping[str, np.ndarray]:
        """Prepared inputs `(rows, ...)`; raw ones where `prepare` failed."""
        return self._answer.inputs

    @property
    def outputs(self) -> np.ndarray | None:
        """Outputs `(rows, ...)`; None where there are none."""
        return self._answer.outputs

    @property
    def outputs_by_name(self) -> Mapping[str | int, np.ndarray]:
        """All outputs `(rows, ...)`, the one that counts first; empty for forms that give one."""
        return self._answer.every

    @property
    def error(self) -> Exception | None:
        """What the model, or `prepare`, raised."""
        return self._answer.error

    @property
    def gives_probabilities(self) -> bool:
        """Whether the outputs look like probabilities, of classes or one a label."""
        outputs = self.outputs
        return outputs is not None and are_probabilities(self.task, outputs)

    def about(self, task: Task) -> Probe:
        """The same answer beside a task that was completed meanwhile."""
        other = Probe(task, self.candidate)
        other.__dict__.update(
            {k: self.__dict__[k] for k in ("rows", "_answer") if k in self.__dict__}
        )
        return other


def bad_rows(array: np.ndarray) -> np.ndarray:
    """Indices of rows that hold a NaN or an infinity."""
    if array.dtype.kind != "f":
        return np.empty(0, np.int64)
    with np.errstate(invalid="ignore", over="ignore"):
        # One pass without a copy: the sum is finite only if all that is in it is.
        if np.isfinite(array.sum(dtype=np.float64)):
            return np.empty(0, np.int64)
    return np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1))


def clean(rows: Rows) -> Rows:
    """The rows whose inputs are all finite; all rows if there is none."""
    bad = np.unique(np.concatenate([np.empty(0, np.int64), *map(bad_rows, rows.inputs.values())]))
    return rows.take(np.setdiff1d(np.arange(len(rows)), bad)) if 0 < len(bad) < len(rows) else rows
