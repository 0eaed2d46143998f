"""Outputs of a candidate of any form: their kind, and whether their shape fits a task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.data.rows import AnyRows
from workbench.events import Report
from workbench.metrics import like_targets
from workbench.model_form import form_named
from workbench.models.networks import copied
from workbench.runtimes import predictor
from workbench.task import Candidate, Task

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "BATCH",
    "are_probabilities",
    "ends_in",
    "misfit",
    "one_thread",
    "outputs_of",
    "outputs_on",
    "predict_rows",
]

BATCH = 256  # rows a batch, where any size will do
BATCH_OF_ESTIMATORS = 4096  # a pipeline of columns takes milliseconds a call, however few the rows


def outputs_of(candidate: Candidate, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """Outputs `(rows, ...)` on prepared inputs; the candidate's model keeps its mode and device."""
    return form_named(candidate.form).outputs(candidate, inputs)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread, for a few rows only.

    On a busy machine, waiting for a second thread took five times as long.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def misfit(task: Task, outputs: np.ndarray, targets: np.ndarray, n_rows: int) -> str:
    """The shape that outputs should have, as text; empty when they have it."""
    shape = outputs.shape
    fits: bool
    if task.kind == "classification":
        n = len(task.classes) or (
            int(targets.max()) + 1 if targets.dtype.kind in "iu" and len(targets) else 0
        )
        fits = len(shape) == 2 and (shape[1] == n if task.classes else shape[1] >= n)
        expected = f"(batch, n_classes) with n_classes = {n}"
    elif task.kind == "binary":
        fits = shape[1:] in ((), (1,), (2,))
        expected = "(batch,), (batch, 1) or (batch, 2)"
    elif task.kind in ("multilabel", "regression"):
        size = int(np.prod(targets.shape[1:]))
        fits = int(np.prod(shape[1:])) == size
        expected = f"(batch, {size})"
    else:
        fits = True
        expected = "(batch, ...)"
    return "" if len(shape) >= 1 and shape[0] == n_rows and fits else expected


def are_probabilities(task: Task, outputs: np.ndarray) -> bool:
    """Whether outputs of a classifier are probabilities, not logits.

    All must be from 0 to 1. They must sum to 1 a row, unless there is one value a label.
    """
    if task.kind not in ("classification", "binary", "multilabel"):
        return False
    if not ((outputs >= 0) & (outputs <= 1 + 1e-6)).all():
        return False
    return bool(_one_a_label(task, outputs) or np.allclose(outputs.sum(axis=1), 1, atol=1e-3))


def ends_in(
    task: Task,
    network: Candidate,
    inputs: Mapping[str, np.ndarray],
    outputs: np.ndarray | None = None,
) -> str:
    """`softmax` or `sigmoid` if a network for classes or labels seems to end in one, else empty.

    An untrained network's logits may all lie between 0 and 1 by chance. Behind a sigmoid they stay
    there even if the weights of the last layer are large and negative.
    """
    outputs = outputs_of(network, inputs) if outputs is None else outputs
    if not are_probabilities(task, outputs):
        return ""
    if not _one_a_label(task, outputs):
        return "softmax"
    changed = copied(network.model)
    for weight in _last_weights(changed):
        weight.data.fill_(-1e3)
    outputs_then = outputs_of(replace(network, model=changed), inputs)
    return "sigmoid" if are_probabilities(task, outputs_then) else ""


def _last_weights(network: nn.Module) -> list[Any]:
    """Weights of the last module that has any."""
    for module in reversed(list(network.modules())):
        weights = [w for w in module.parameters(recurse=False) if w.is_floating_point()]
        if weights:
            return weights
    return []


def _one_a_label(task: Task, outputs: np.ndarray) -> bool:
    return task.kind == "multilabel" or outputs.ndim == 1 or outputs.shape[1] == 1


def predict_rows(
    candidate: Candidate,
    rows: Any,
    *,
    text: str = "measuring quality",
    batch_size: int | None = None,
    threads: int | None = None,
    device: str = "cpu",
    report: Report | None = None,
    runtime: str = "auto",
) -> np.ndarray:
    """Outputs `(rows, ...)` on prepared rows; `runtime="auto"` is the one that the form prefers.

    `batch_size` None is one that suits the form.
    """
    form = form_named(candidate.form)
    batch_size = batch_size or (BATCH_OF_ESTIMATORS if form.settings_in_model else BATCH)
    runner = predictor(
        candidate,
        runtime,
        threads=threads,
        device=device if form.on_device else "cpu",
    )
    report = report or Report()
    parts = []
    for done, (inputs, _) in enumerate(rows.batches(batch_size)):
        report.progress(done * batch_size, len(rows), text)
        parts.append(runner.predict(inputs))
    runner.close()
    return np.concatenate(parts)


def outputs_on(
    candidate: Candidate, rows: AnyRows, report: Report | None = None, device: str = "cpu"
) -> np.ndarray:
    """A candidate's outputs `(rows, ...)` on rows that are not prepared yet, as targets are."""
    outputs = predict_rows(
        candidate, rows.prepared(candidate.prepare), device=device, report=report
    )
    return like_targets(outputs, rows.targets)
