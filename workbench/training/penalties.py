"""Penalties, the callback for L1, L2 and the limit on the norm of the gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.training.callbacks import Callback, TrainingContext

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["Penalties", "penalized"]


def penalized(model: nn.Module) -> list[nn.Parameter]:
    """Matrices and kernels that are trained; biases and norms have no penalty."""
    return [p for p in model.parameters() if p.requires_grad and p.ndim > 1]


class Penalties(Callback):
    """L2 in the gradient, then its limit; L1 as a soft threshold after the optimizer step.

    The soft threshold is the proximal step of L1 (Parikh, Boyd, "Proximal Algorithms", 2014): other
    than a penalty in the loss, it gives weights that are exactly zero.
    """

    def __init__(self, *, l1: float, l2: float, clip_norm: float) -> None:
        self._l1, self._l2, self._clip_norm = l1, l2, clip_norm

    def on_grad_computed(self, context: TrainingContext) -> None:
        """Add the gradient of L2, and scale a gradient that is too long."""
        import torch

        if self._l2:
            for p in penalized(context.model):
                if p.grad is not None:
                    p.grad.add_(p.detach(), alpha=self._l2)
        if self._clip_norm:
            torch.nn.utils.clip_grad_norm_(context.model.parameters(), self._clip_norm)

    def on_batch_end(self, context: TrainingContext, loss: torch.Tensor) -> None:
        """Move weights towards zero by the learning rate times L1."""
        import torch

        if not self._l1:
            return
        threshold = context.optimizer.param_groups[0]["lr"] * self._l1
        with torch.no_grad():
            for p in penalized(context.model):
                p.copy_(p.sign() * (p.abs() - threshold).clamp_(min=0))
