"""Quantization-aware training: the network rehearses int8 while it trains, and leaves as an ONNX
file that computes in it.

    module --torch.export--> graph --torchao--> graph with fake quantizers --fit--> int8 weights --torch.onnx--> QDQ ONNX
                                    (OrtQuantizer)   rounding in the forward pass,      biases on the grid of
                                                     gradients pass straight through    input times weight (int32)

Ranges of activations are read from calibration rows first, then move with training, and hold still
in its last part; those of weights follow the weights. Batch norms are folded and dropout is left
out: this is fine-tuning, with a learning rate of about a tenth of the one that trained the network
(`DEFAULT_LR`).

Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", 2018; gradients: Bengio et al., "Estimating or Propagating
Gradients Through Stochastic Neurons", 2013; folding and the learning rate: Nagel et al., "A White
Paper on Neural Network Quantization", 2021.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.data.tensors import TensorRows, tensor
from workbench.errors import CandidateError
from workbench.metrics import like_targets
from workbench.system.cache import fingerprint
from workbench.technique import Job
from workbench.techniques.quantization.pt2e_quantizer import AVERAGING
from workbench.techniques.quantization.qat_file import written
from workbench.techniques.quantization.qat_graph import (
    grid_of,
    prepared,
    quantizers,
    recorded,
    silent,
)
from workbench.training import FitSettings, fit
from workbench.training.evaluate import predict_batches
from workbench.training.settings import n_steps_of

if TYPE_CHECKING:
    from torch import nn

__all__ = ["DEFAULT_LR", "Aware", "train_aware"]

DEFAULT_LR = 2e-4
CALIBRATION_ROWS = 512
BATCH = 64
# share of the steps after which ranges hold still, so that the weights settle on a fixed grid
FREEZE_AT = 0.8


@dataclass(frozen=True)
class Aware:
    """The QDQ ONNX file, how training went (a row an epoch), and what was chosen on the way.

    `choices`: `precision` and `memory_format` of the training, `activation_type`,
    `valid_score_calibrated` (calibrated only, before training), `trained` (whether training did not
    lose against that, and was kept), and `int8` and `float`: the operators that compute in int8,
    and the layers with weights that do not.
    """

    content: bytes
    history: list[dict[str, float]]
    choices: dict[str, Any]


def train_aware(job: Job, settings: Any) -> Aware:
    """Fine-tune a copy of the job's torch network under int8 rounding and write it as QDQ ONNX with
    a dynamic batch.

    Of `settings` it reads `fit` (FitSettings), `per_channel`, `activation_type`, `keep_float`, and,
    if there, `symmetric` and `calibration_rows`. Raises CandidateError for a network that
    torch.export cannot follow, that has recurrent layers not named in `keep_float`, or nothing to
    quantize; SettingsError for a name in `keep_float` that nothing has; Cancelled on request.
    """
    job.report.message("Recording the network for quantization-aware training.")
    _check_form(job)
    inputs = {
        name: tensor(np.concatenate([a[:2], a[:1]]), "cpu") for name, a in job.example(2).items()
    }
    with silent():
        rehearsal, found = prepared(recorded(job.start, inputs), job.start.name, settings)
    left = ", ".join(found["float"]) or "none"
    job.report.message(
        f"{len(found['int8'])} operators will compute in int8; layers that stay in float: {left}."
    )
    _calibrate(rehearsal, job, getattr(settings, "calibration_rows", None) or CALIBRATION_ROWS)
    before = _score(rehearsal, job)
    fitted = fit(
        rehearsal,
        job.task,
        _plain(settings.fit),
        prepare=job.start.prepare,
        report=job.report,
        seed=job.seed,
        device=job.device,
        checkpoint=job.folder / f"qat-{_key(settings)}.pt",
        step_hook=_freezing(job, settings.fit),
    )
    sign = 1 if job.task.metric.higher_is_better else -1
    kept = (
        max((sign * row["valid_score"] for row in fitted.history), default=-math.inf)
        >= sign * before
    )
    job.report.message("Writing the trained network as ONNX.")
    with silent():
        content = written(fitted.model if kept else rehearsal, inputs, job.start)
    choices = {
        "precision": "fp32",
        "memory_format": "contiguous",
        "activation_type": grid_of(settings)[0],
        "valid_score_calibrated": before,
        "trained": kept,
        **found,
    }
    return Aware(content, fitted.history, choices)


def _check_form(job: Job) -> None:
    if job.start.form != "torch":
        raise CandidateError(
            f"Quantization-aware training trains, so it takes a torch network; `{job.start.name}` "
            f"is in the form {job.start.form}. Take the method static, or put this step before the "
            "one that changes the form."
        )


def _plain(settings: FitSettings) -> FitSettings:
    """Fake quantizers round in fp32; in bf16 the rounding of the number format would drown theirs."""
    return settings.model_copy(update={"precision": "fp32", "memory_format": "contiguous"})


def _key(settings: Any) -> str:
    """What shapes the recorded graph: a checkpoint of another one must not be continued."""
    return fingerprint(
        *map(str, grid_of(settings)), str(settings.per_channel), ",".join(settings.keep_float or ())
    )[:12]


def _calibrate(rehearsal: nn.Module, job: Job, n_rows: int) -> None:
    """Read the ranges of activations from calibration rows, without rounding: the mean over batches
    of their extremes.
    """
    import torch

    rows = TensorRows(job.task.data.calibration.take(slice(0, n_rows)), job.start.prepare, "cpu")
    every = [*quantizers(rehearsal, of_weights=True), *quantizers(rehearsal, of_weights=False)]
    rehearsal.train()
    for quantizer in every:
        quantizer.fake_quant_enabled[0] = 0
    for done, (inputs, _) in enumerate(rows.batches(BATCH)):
        job.report.progress(done * BATCH, len(rows), f"reading ranges from {len(rows)} rows")
        for quantizer in quantizers(rehearsal, of_weights=False):
            quantizer.activation_post_process.averaging_constant = 1 / (done + 1)
        with torch.no_grad():
            rehearsal(*inputs.values())
    for quantizer in quantizers(rehearsal, of_weights=False):
        quantizer.activation_post_process.averaging_constant = AVERAGING
    for quantizer in every:
        quantizer.fake_quant_enabled[0] = 1
    rehearsal.eval()


def _score(rehearsal: nn.Module, job: Job) -> float:
    """Score on valid of what was calibrated and not yet trained."""
    targets = np.asarray(job.task.data.valid.targets)
    rows = TensorRows(job.task.data.valid, job.start.prepare, "cpu")
    outputs = np.concatenate(list(predict_batches(rehearsal, rows, "cpu", {}, job.report)))
    return job.task.metric(like_targets(outputs, targets), targets)


def _freezing(job: Job, settings: FitSettings) -> Callable[[nn.Module, int], None]:
    """A step hook that holds the ranges of activations still in the last part of training."""
    last = FREEZE_AT * n_steps_of(settings, len(job.task.data.train))

    def freeze(model: nn.Module, step: int) -> None:
        if step >= last and not bool(model.frozen):
            model.frozen.fill_(True)
            model.train()

    return freeze
