"""How much a channel matters: norms of weights, first-order Taylor expansion, batch-norm scales, or
chance as the baseline.

Sources: Li et al., "Pruning Filters for Efficient ConvNets" (2017), norms; Molchanov et al.,
"Importance Estimation for Neural Network Pruning" (2019), Taylor; Liu et al., "Learning Efficient
Convolutional Networks through Network Slimming" (2017), scales. Over the layers of a group scores
are averaged, and divided by the group's mean so that groups compare.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.data.tensors import TensorRows
from workbench.errors import SettingsError
from workbench.models.networks import call_model, first_tensor
from workbench.training.losses import loss_for

if TYPE_CHECKING:
    from torch import nn

    from workbench.technique import Job

__all__ = ["add_gradients", "scorer"]

N_BATCHES, BATCH = 8, 64  # rows whose gradients a Taylor expansion averages


def scorer(name: str, model: nn.Module, seed: int) -> Any:
    """torch-pruning's function from a group to a score a channel; raises SettingsError where it has
    nothing to look at.
    """
    import torch_pruning as tp
    from torch import nn

    if name == "bn_scale" and not any(
        isinstance(m, nn.modules.batchnorm._BatchNorm) for m in model.modules()
    ):
        raise SettingsError(
            "`importance` is bn_scale, and this network has no batch normalization whose scales "
            "could be read. Take l2, or taylor."
        )
    if name == "random":
        return _Chance(seed)
    made = {
        "l1": lambda: tp.importance.GroupMagnitudeImportance(p=1),
        "l2": lambda: tp.importance.GroupMagnitudeImportance(p=2),
        "taylor": tp.importance.GroupTaylorImportance,
        "bn_scale": tp.importance.BNScaleImportance,
    }
    return made[name]()


class _Chance:
    """A random score a channel, decided by the seed alone."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def __call__(self, group: Any) -> Any:
        import torch

        return torch.from_numpy(self._random.random(len(group[0].idxs)))


def add_gradients(model: nn.Module, job: Job) -> None:
    """Add the gradients of the task's loss on a few train batches to the weights of a model, in
    place.
    """
    import torch

    task = job.task
    chosen = np.random.default_rng(job.seed).permutation(len(task.data.train))[: N_BATCHES * BATCH]
    rows = TensorRows(
        task.data.train.take(np.sort(chosen)), job.start.prepare or task.prepare, "cpu"
    )
    loss_of = task.loss or (None if task.train_step else loss_for(task.kind))
    model.eval()
    with torch.enable_grad():
        for p in model.parameters():
            p.requires_grad_(p.is_floating_point())
            p.grad = torch.zeros_like(p) if p.is_floating_point() else None
        for inputs, targets in rows.batches(BATCH):
            job.report.check()
            if task.train_step:
                loss = task.train_step(model, inputs, targets)
            else:
                loss = loss_of(first_tensor(call_model(model, inputs)).float(), targets)
            loss.backward()
