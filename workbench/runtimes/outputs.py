"""Outputs of a candidate, whatever its form: of which kind they are, and whether they are what a
task needs.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from workbench.events import Report
from workbench.model_form import form_named
from workbench.runtimes import predictor
from workbench.task import Candidate, Task

__all__ = [
    "BATCH",
    "are_probabilities",
    "ends_in",
    "misfit",
    "one_thread",
    "outputs_of",
    "predict_rows",
]


def outputs_of(candidate: Candidate, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """Outputs `(rows, ...)` on prepared inputs; the candidate's model keeps its mode and device."""
    return form_named(candidate.form).outputs(candidate, inputs)


@contextmanager
def one_thread() -> Iterator[None]:
    """Two rows are no work to share: on a busy machine, waiting for a second thread took five times
    as long.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def misfit(task: Task, outputs: np.ndarray, targets: np.ndarray, n_rows: int) -> str:
    """The shape that outputs should have, in words; empty when they have it."""
    shape = outputs.shape
    if task.kind == "classification":
        n = len(task.classes) or (
            int(targets.max()) + 1 if targets.dtype.kind in "iu" and len(targets) else 0
        )
        fits = len(shape) == 2 and (shape[1] == n if task.classes else shape[1] >= n)
        wanted = f"(batch, n_classes) with n_classes = {n}"
    elif task.kind == "binary":
        fits, wanted = shape[1:] in ((), (1,), (2,)), "(batch,), (batch, 1) or (batch, 2)"
    elif task.kind in ("multilabel", "regression"):
        size = int(np.prod(targets.shape[1:]))
        fits, wanted = int(np.prod(shape[1:])) == size, f"(batch, {size})"
    else:
        fits, wanted = True, "(batch, ...)"
    return "" if len(shape) >= 1 and shape[0] == n_rows and fits else wanted


def are_probabilities(task: Task, outputs: np.ndarray) -> bool:
    """Whether outputs of a classifier are no logits: shares that sum to one, or one value a label,
    all from 0 to 1.
    """
    if (
        task.kind not in ("classification", "binary", "multilabel")
        or not ((outputs >= 0) & (outputs <= 1 + 1e-6)).all()
    ):
        return False
    return bool(_one_a_label(task, outputs) or np.allclose(outputs.sum(axis=1), 1, atol=1e-3))


def ends_in(
    task: Task,
    network: Candidate,
    inputs: Mapping[str, np.ndarray],
    outputs: np.ndarray | None = None,
) -> str:
    """`softmax` or `sigmoid` where a network for classes or labels seems to end in one, else empty.

    An untrained network's logits may all lie between 0 and 1 by chance. Only behind a sigmoid do
    they stay there when the weights of the last layer are large and negative.
    """
    outputs = outputs_of(network, inputs) if outputs is None else outputs
    if not are_probabilities(task, outputs):
        return ""
    if not _one_a_label(task, outputs):
        return "softmax"
    changed = copy.deepcopy(network.model)
    owners = [
        own
        for m in changed.modules()
        if (own := [w for w in m.parameters(recurse=False) if w.is_floating_point()])
    ]
    for weight in owners[-1] if owners else ():
        weight.data.fill_(-1e3)
    return (
        "sigmoid"
        if are_probabilities(task, outputs_of(replace(network, model=changed), inputs))
        else ""
    )


def _one_a_label(task: Task, outputs: np.ndarray) -> bool:
    return task.kind == "multilabel" or outputs.ndim == 1 or outputs.shape[1] == 1


BATCH = 256


def predict_rows(
    candidate: Candidate,
    rows: Any,
    *,
    text: str = "measuring quality",
    batch_size: int = BATCH,
    threads: int | None = None,
    device: str = "cpu",
    report: Report | None = None,
    runtime: str = "auto",
) -> np.ndarray:
    """Outputs `(rows, ...)` on rows that are prepared already, by `runtime` or the one that the
    candidate's form prefers.
    """
    runner = predictor(
        candidate,
        runtime,
        threads=threads,
        device=device if form_named(candidate.form).on_device else "cpu",
    )
    report, parts = report or Report(), []
    for done, (inputs, _) in enumerate(rows.batches(batch_size)):
        report.progress(done * batch_size, len(rows), text)
        parts.append(runner.predict(inputs))
    runner.close()
    return np.concatenate(parts)
