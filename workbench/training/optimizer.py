"""The optimizer of a training, and its learning rate over time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from workbench.errors import TaskError
from workbench.training.settings import FitSettings

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["lr_factor", "optimizer_for"]


def optimizer_for(model: nn.Module, settings: FitSettings) -> torch.optim.Optimizer:
    """The optimizer of the parameters that can be trained; biases and norms have no decay.

    `settings` are resolved. Raises TaskError for a model without such a parameter.
    """
    import torch

    trained = [p for p in model.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if not groups:
        raise TaskError(
            "The model has no parameter that can be trained: set `requires_grad` of its parameters."
        )
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=settings.lr, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(groups, lr=settings.lr)


def lr_factor(schedule: str, step: int, n_steps: int) -> float:
    """Learning rate of a step as a fraction of the highest, after a warm-up over a twentieth."""
    warm_up = max(1, n_steps // 20)
    if step < warm_up:
        return (step + 1) / warm_up
    if schedule == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, n_steps - warm_up)))
