"""Importance of channels: weight norms, first-order Taylor expansion, batch-norm scales, random.

Sources: Li et al., "Pruning Filters for Efficient ConvNets" (2017), norms; Molchanov et al.,
"Importance Estimation for Neural Network Pruning" (2019), Taylor; Liu et al., "Learning Efficient
Convolutional Networks through Network Slimming" (2017), batch-norm scales. The scores of a group
are averaged over its layers, and divided by their mean so that groups can be compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.data.tensors import TensorRows
from workbench.errors import SettingsError, required
from workbench.models.networks import call_model, first_tensor
from workbench.training.losses import loss_for

if TYPE_CHECKING:
    from torch import nn

    from workbench.technique import Job

__all__ = ["add_gradients", "channel_importance"]

N_BATCHES = 8  # of train, whose gradients a Taylor expansion adds up
BATCH_SIZE = 64


def channel_importance(name: str, model: nn.Module, seed: int) -> Any:
    """A function from a group of torch-pruning to scores `(channels,)`.

    With bn_scale, groups without a batch-norm scale are scored by l2. Raises SettingsError for
    bn_scale where no batch normalization of the network has scales.
    """
    import torch_pruning as tp

    if name == "random":
        return _RandomImportance(seed)
    l2 = tp.importance.GroupMagnitudeImportance(p=2)
    if name == "bn_scale":
        _require_batch_norm_scales(model)
        return _FirstOf(tp.importance.BNScaleImportance(), l2)
    if name == "taylor":
        return _FirstOf(tp.importance.GroupTaylorImportance())
    return _FirstOf(tp.importance.GroupMagnitudeImportance(p=1) if name == "l1" else l2)


def _require_batch_norm_scales(model: nn.Module) -> None:
    from torch import nn

    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        raise SettingsError(
            "`importance` bn_scale needs batch normalization, and this network has none. Use l2 or "
            "taylor."
        )
    if all(norm.weight is None for norm in norms):
        raise SettingsError(
            "`importance` bn_scale needs the scales of batch normalization, and this network's "
            "batch norms have none (`affine=False`). Use l2 or taylor."
        )


class _FirstOf:
    """The scores of the first criterion that applies to a group; equal scores if none does."""

    def __init__(self, *criteria: Any) -> None:
        self._criteria = criteria

    def __call__(self, group: Any) -> Any:
        import torch

        for criterion in self._criteria:
            scores = criterion(group)
            if scores is not None and len(scores):
                return scores
        return torch.ones(len(group[0].idxs))


class _RandomImportance:
    """Random scores that depend on the seed alone."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def __call__(self, group: Any) -> Any:
        import torch

        return torch.from_numpy(self._random.random(len(group[0].idxs)))


def add_gradients(model: nn.Module, job: Job) -> None:
    """Compute the gradients of the task's loss on some rows of train, in the model in place."""
    import torch

    task = job.task
    train = task.data.train
    order = np.random.default_rng(job.seed).permutation(len(train))
    row_numbers = np.sort(order[: N_BATCHES * BATCH_SIZE])
    rows = TensorRows(train.take(row_numbers), job.start.prepare or task.prepare, "cpu")
    loss_of = task.loss or (None if task.train_step else loss_for(task.kind))
    model.eval()
    with torch.enable_grad():
        for parameter in model.parameters():
            is_float = parameter.is_floating_point()
            parameter.requires_grad_(is_float)
            parameter.grad = torch.zeros_like(parameter) if is_float else None
        for inputs, targets in rows.batches(BATCH_SIZE):
            job.report.check()
            if task.train_step:
                loss = task.train_step(model, inputs, targets)
            else:
                loss = required(loss_of)(first_tensor(call_model(model, inputs)).float(), targets)
            loss.backward()
