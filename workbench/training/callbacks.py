"""Callback, code that the training loop calls at fixed moments; the names are those of skorch.

on_train_begin
  on_batch_begin -> forward pass, loss, backward pass -> on_grad_computed -> step -> on_batch_end
  ...
  on_epoch_end
on_train_end
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn

    from workbench.training.settings import FitSettings

__all__ = ["Callback", "TrainingContext"]

Batch = tuple["dict[str, torch.Tensor]", "torch.Tensor"]


@dataclass
class TrainingContext:
    """The training as a callback sees it; `stop()` ends it after the batch under way.

    `step` counts optimizer steps, of `n_steps` at most, `epoch` the finished passes over train.
    `scored_model` is the network that was scored on valid: `model`, or one with averaged weights.
    """

    model: nn.Module
    scored_model: nn.Module
    optimizer: torch.optim.Optimizer
    settings: FitSettings
    n_steps: int
    step: int = 0
    epoch: int = 0
    stopped: bool = False

    def stop(self) -> None:
        """End the training; the weights that score best on valid are kept."""
        self.stopped = True


class Callback:
    """Base of callbacks: every moment does nothing, and there is no state.

    A callback with a state gives it by `state_dict` as tensors and plain values; it lies in the
    checkpoint, so that a training that was interrupted goes on with it.
    """

    def on_train_begin(self, context: TrainingContext) -> None:
        """Before the first batch, also of a training that goes on; not in one of no epochs."""

    def on_batch_begin(
        self, context: TrainingContext, inputs: dict[str, torch.Tensor], targets: torch.Tensor
    ) -> Batch | None:
        """Before the forward pass; returns another batch in place of this one, or None."""
        return None

    def on_grad_computed(self, context: TrainingContext) -> None:
        """After the backward pass, before the optimizer step; gradients may be changed."""

    def on_batch_end(self, context: TrainingContext, loss: torch.Tensor) -> None:
        """After the optimizer step, with the loss of the batch."""

    def on_epoch_end(self, context: TrainingContext, record: dict[str, float]) -> None:
        """After an epoch was scored on valid, with its row of the history."""

    def on_train_end(self, context: TrainingContext) -> None:
        """After the last batch."""

    def state_dict(self) -> dict[str, Any]:
        """The state of this callback for a checkpoint: tensors and plain values."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a state that `state_dict` gave."""
