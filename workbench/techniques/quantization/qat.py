"""Quantization-aware training: training with int8 rounding, and an ONNX file that computes in int8.

    torch module
      -- torch.export --> graph
      -- torchao -------> graph with fake quantizers (`OrtQuantizer`)
      -- fit -----------> weights that suit int8: the forward pass rounds, gradients pass unchanged
      -- torch.onnx ----> QDQ ONNX; biases are int32, with the scale of input times weight

Ranges of activations are computed from calibration rows first, change with training, and stay fixed
in its last part; those of weights follow the weights. Batch norms are folded and dropout is
removed: this is fine-tuning, with a learning rate of about a tenth of the one that trained the
network (`DEFAULT_LR`).

Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", 2018; gradients: Bengio et al., "Estimating or Propagating
Gradients Through Stochastic Neurons", 2013; folding and the learning rate: Nagel et al., "A White
Paper on Neural Network Quantization", 2021.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.data.tensors import TensorRows, tensor
from workbench.errors import CandidateError, required
from workbench.metrics import like_targets
from workbench.system.cache import fingerprint
from workbench.technique import Job
from workbench.techniques.quantization.base import DEFAULT_LR, is_symmetric
from workbench.techniques.quantization.pt2e_quantizer import AVERAGING
from workbench.techniques.quantization.qat_file import written
from workbench.techniques.quantization.qat_graph import (
    activation_type_of,
    fake_quantized,
    fake_quantizers,
    recorded,
    without_library_warnings,
)
from workbench.training import FitSettings, fit
from workbench.training.evaluate import predict_batches
from workbench.training.settings import n_steps_of

if TYPE_CHECKING:
    import torch
    from torch import nn

    from workbench.techniques.quantization import QuantizationSettings

__all__ = ["DEFAULT_LR", "AwareResult", "train_aware"]

BATCH = 64
FREEZE_AT = 0.8  # share of the steps after which ranges stay fixed, so that weights settle


@dataclass(frozen=True)
class AwareResult:
    """The QDQ ONNX file, the history of training (a row per epoch), and choices.

    `choices`: `precision` and `memory_format` of the training, `activation_type`,
    `valid_score_calibrated` (score before training, with calibrated ranges), `trained` (whether the
    trained network is in the file, as its score is at least that one), `int8` (operators in int8),
    `float` (layers with weights that stay in float) and `masked` (operators that stay in float for
    their values).
    """

    content: bytes
    history: list[dict[str, float]]
    choices: dict[str, Any]


def train_aware(job: Job, settings: QuantizationSettings) -> AwareResult:
    """Fine-tune a copy of the job's torch network with int8 rounding, and write it as QDQ ONNX.

    The number of rows stays free in the file. Of `settings`, which are resolved, it reads `fit`,
    `per_channel`, `activation_type`, `symmetric`, `keep_float` and `calibration_rows`. Raises
    CandidateError for a network that torch.export cannot record, that has recurrent layers not
    named in `keep_float`, or no operator to quantize; SettingsError for a name in `keep_float` that
    the network does not have; Cancelled on request.
    """
    job.report.message("Recording the network for quantization-aware training.")
    _check_form(job)
    inputs = {
        name: tensor(np.concatenate([array[:2], array[:1]]), "cpu")
        for name, array in job.example(2).items()
    }
    with without_library_warnings():
        graph = recorded(job.start, inputs)
        rows = _calibration_inputs(job, required(settings.calibration_rows))
        model, layers = fake_quantized(graph, job.start.name, settings, rows)
    job.report.message(
        f"{len(layers['int8'])} operators will compute in int8; layers that stay in float: "
        f"{', '.join(layers['float']) or 'none'}."
    )
    _calibrate(model, job, required(settings.calibration_rows))
    calibrated_score = _score(model, job)
    fitted = fit(
        model,
        job.task,
        _in_fp32(settings.fit),
        prepare=job.start.prepare,
        report=job.report,
        seed=job.seed,
        device=job.device,
        checkpoint=job.folder / f"qat-{_checkpoint_key(settings)}.pt",
        step_hook=_freeze_ranges(job, settings.fit),
    )
    is_better = _reaches(fitted.history, calibrated_score, job)
    job.report.message("Writing the trained network as ONNX.")
    with without_library_warnings():
        content = written(fitted.model if is_better else model, inputs, job.start)
    choices = {
        "precision": "fp32",
        "memory_format": "contiguous",
        "activation_type": activation_type_of(settings),
        "valid_score_calibrated": calibrated_score,
        "trained": is_better,
        **layers,
    }
    return AwareResult(content, fitted.history, choices)


def _check_form(job: Job) -> None:
    if job.start.form != "torch":
        raise CandidateError(
            f"Quantization-aware training needs a torch network, and `{job.start.name}` has the "
            f"form {job.start.form}. Start from a torch network, or use the method static."
        )


def _in_fp32(settings: FitSettings) -> FitSettings:
    """Settings with fp32 arithmetic: the rounding of bf16 is coarser than that of int8."""
    return settings.model_copy(update={"precision": "fp32", "memory_format": "contiguous"})


def _checkpoint_key(settings: QuantizationSettings) -> str:
    """A key of the settings that shape the graph: training of another graph cannot be resumed."""
    activation_type = activation_type_of(settings)
    symmetric = is_symmetric(settings, activation_type)
    return fingerprint(
        activation_type,
        str(symmetric),
        str(settings.per_channel),
        ",".join(settings.keep_float),
    )[:12]


def _calibrate(model: nn.Module, job: Job, n_rows: int) -> None:
    """Compute the ranges of activations from calibration rows, without rounding.

    Each range is the mean, over batches, of the smallest and the largest value.
    """
    import torch

    split = job.task.data.calibration.take(slice(0, n_rows))
    rows = TensorRows(split, job.start.prepare, "cpu")
    of_activations = fake_quantizers(model, of_weights=False)
    quantizers = [*fake_quantizers(model, of_weights=True), *of_activations]
    model.train()
    for quantizer in quantizers:
        quantizer.fake_quant_enabled[0] = 0
    for number, (inputs, _) in enumerate(rows.batches(BATCH)):
        job.report.progress(number * BATCH, len(rows), f"computing ranges from {len(rows)} rows")
        for quantizer in of_activations:
            quantizer.activation_post_process.averaging_constant = 1 / (number + 1)
        with torch.no_grad():
            model(*inputs.values())
    for quantizer in of_activations:
        quantizer.activation_post_process.averaging_constant = AVERAGING
    for quantizer in quantizers:
        quantizer.fake_quant_enabled[0] = 1
    model.eval()


def _calibration_inputs(job: Job, n_rows: int) -> tuple[torch.Tensor, ...]:
    """The first rows of the calibration split, prepared: tensors `(rows, ...)`."""
    inputs = job.task.data.calibration.take(slice(0, n_rows)).prepared(job.start.prepare).inputs
    return tuple(tensor(array, "cpu") for array in inputs.values())


def _score(model: nn.Module, job: Job) -> float:
    """Score on valid."""
    targets = np.asarray(job.task.data.valid.targets)
    rows = TensorRows(job.task.data.valid, job.start.prepare, "cpu")
    outputs = np.concatenate(list(predict_batches(model, rows, "cpu", {}, job.report)))
    return job.task.metric(like_targets(outputs, targets), targets)


def _reaches(history: list[dict[str, float]], score: float, job: Job) -> bool:
    """Whether the best score on valid of any epoch is at least as good as `score`."""
    scores = [row["valid_score"] for row in history]
    if not scores:
        return False
    sign = job.task.metric.sign
    return max(sign * each for each in scores) >= sign * score


def _freeze_ranges(job: Job, settings: FitSettings) -> Callable[[nn.Module, int], None]:
    """A step hook that fixes the ranges of activations in the last part of training."""
    first_frozen_step = FREEZE_AT * n_steps_of(settings, len(job.task.data.train))

    def freeze(model: nn.Module, step: int) -> None:
        if step >= first_frozen_step and not bool(model.frozen):
            model.frozen.fill_(True)
            model.train()

    return freeze
