"""Outputs of a torch network on rows: in batches, in evaluation mode, in fp32 or bf16."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.data.tensors import TensorRows
from workbench.events import Report
from workbench.models.networks import call_model, first_tensor

if TYPE_CHECKING:
    from torch import nn

__all__ = ["autocast", "predict_batches", "predict_torch"]


def predict_batches(
    model: nn.Module,
    rows: TensorRows,
    device: str,
    choices: Mapping[str, Any],
    report: Report | None = None,
) -> Iterator[np.ndarray]:
    """Outputs of a network in evaluation mode, float32 arrays `(batch, ...)`."""
    import torch

    was_training = model.training
    model.eval()
    with torch.inference_mode(), autocast(device, choices.get("precision", "fp32")):
        for inputs, _ in rows.batches(256):
            if report:
                report.check()
            yield first_tensor(call_model(model, inputs)).float().cpu().numpy()
    model.train(was_training)


def predict_torch(
    model: nn.Module, rows: Any, *, prepare: Any = None, device: str = "cpu"
) -> np.ndarray:
    """Outputs `(rows, ...)` of a network on rows, in fp32."""
    tensors = TensorRows(rows, prepare, device)
    return np.concatenate(list(predict_batches(model.to(device), tensors, device, {})))


def autocast(device: str, precision: str) -> Any:
    """A context in which the forward pass runs in bf16; it does nothing for other precisions."""
    import torch

    if precision == "bf16":
        return torch.autocast(torch.device(device).type, torch.bfloat16)
    return nullcontext()
