"""Losses: the usual one of a kind of task, the one against a teacher, and the hook's context."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.data.labels import Kind
from workbench.errors import TaskError

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["LossContext", "loss_for", "soft_loss"]


@dataclass(frozen=True)
class LossContext:
    """One batch for a loss hook: tensors `(batch, ...)`, `outputs` with their gradient.

    `loss` is the task's own loss. `beside` holds this batch's rows of the arrays given to `fit` as
    `beside`, such as a teacher's outputs.
    """

    model: nn.Module
    inputs: dict[str, torch.Tensor]
    outputs: torch.Tensor
    targets: torch.Tensor
    loss: torch.Tensor
    beside: dict[str, torch.Tensor]


def loss_for(kind: Kind) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """The usual loss of a kind of task, on outputs `(batch, ...)` and targets `(batch, ...)`."""
    from torch.nn import functional as F

    def binary(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if outputs.ndim == 2 and outputs.shape[1] == 2:
            return F.cross_entropy(outputs, targets.long())
        return F.binary_cross_entropy_with_logits(
            outputs.reshape(len(outputs)), targets.to(outputs.dtype)
        )

    losses = {
        "classification": lambda o, t: F.cross_entropy(o, t),
        "binary": binary,
        "multilabel": lambda o, t: F.binary_cross_entropy_with_logits(o, t.to(o.dtype)),
        "regression": lambda o, t: F.mse_loss(o.reshape(t.shape), t.to(o.dtype)),
    }
    if kind not in losses:
        raise TaskError("A task of kind `custom` needs `loss=` or `train_step=`.")
    return losses[kind]


def soft_loss(
    kind: str, outputs: torch.Tensor, answers: torch.Tensor, temperature: float
) -> torch.Tensor:
    """Distance of outputs `(batch, ...)` from `answers`, the outputs of one or more teachers.

    `answers` have the shape `(batch, teachers, outputs)`. Classes: T^2 times the divergence from
    the mean of the teachers' softened distributions. Binary and labels: the same with a sigmoid
    each, mean over labels. Values, and outputs of a custom task: mean squared error to the
    teachers' mean.
    """
    import torch
    from torch.nn import functional as F

    outputs, answers = outputs.float().reshape(len(outputs), -1), answers.float()
    if kind == "binary" and outputs.shape[1] == 2:
        outputs = outputs[:, 1:] - outputs[:, :1]
    if kind == "classification":
        target = torch.softmax(answers / temperature, dim=2).mean(1)
        return temperature**2 * F.kl_div(
            F.log_softmax(outputs / temperature, dim=1), target, reduction="batchmean"
        )
    if kind in ("binary", "multilabel"):
        target = torch.sigmoid(answers / temperature).mean(1)
        entropy = F.binary_cross_entropy(target, target)
        return temperature**2 * (
            F.binary_cross_entropy_with_logits(outputs / temperature, target) - entropy
        )
    return F.mse_loss(outputs, answers.mean(1))
