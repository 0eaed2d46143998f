"""Mixing, the callback that mixes the rows of a batch with one another: mixup and cutmix.

Sources: Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018; Yun et al., "CutMix",
ICCV 2019.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from workbench.training.callbacks import Batch, Callback, TrainingContext

if TYPE_CHECKING:
    import torch

__all__ = ["Mixing"]

Inputs = dict[str, "torch.Tensor"]
Loss = Callable[["torch.Tensor", "torch.Tensor"], "torch.Tensor"]
STREAM = 71  # keeps its random numbers apart from those of the order of rows


class Mixing(Callback):
    """Mixes each row with another one of its batch; with both alphas, one way is drawn a batch.

    Targets of a regression are mixed. For all others the loss is the weighted mean of those to both
    targets, which is the same for a loss that is linear in the target. Random numbers depend on the
    seed and the step alone.
    """

    def __init__(self, mixup: float, cutmix: float, seed: int, *, mixes_targets: bool) -> None:
        self._alphas = {"mixup": mixup, "cutmix": cutmix}
        self._seed = seed
        self._mixes_targets = mixes_targets
        self._other: tuple[torch.Tensor, float] | None = None

    def on_batch_begin(
        self, context: TrainingContext, inputs: Inputs, targets: torch.Tensor
    ) -> Batch:
        """The mixed batch; the targets mixed in are kept for the loss."""
        import torch

        rng = np.random.default_rng([STREAM, self._seed, context.step])
        way = str(rng.choice([name for name, alpha in self._alphas.items() if alpha > 0]))
        weight = float(rng.beta(self._alphas[way], self._alphas[way]))
        order = torch.from_numpy(rng.permutation(len(targets))).to(targets.device)
        if way == "mixup":
            mixed = {name: weight * t + (1 - weight) * t[order] for name, t in inputs.items()}
        else:
            mixed, weight = _pasted(inputs, order, weight, rng)
        if self._mixes_targets:
            return mixed, weight * targets.float() + (1 - weight) * targets[order].float()
        self._other = (targets[order], weight)
        return mixed, targets

    def loss(self, plain: Loss) -> Loss:
        """The loss of a mixed batch, from that of a plain one."""

        def mixed(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            if self._other is None:
                return plain(outputs, targets)
            others, weight = self._other
            return weight * plain(outputs, targets) + (1 - weight) * plain(outputs, others)

        return mixed


def _pasted(
    inputs: Inputs, order: torch.Tensor, weight: float, rng: np.random.Generator
) -> tuple[Inputs, float]:
    """Images `(batch, channels, height, width)` with one rectangle from others, and its weight."""
    height, width = next(iter(inputs.values())).shape[-2:]
    side = (1 - weight) ** 0.5
    row, column = rng.integers(height), rng.integers(width)
    top, bottom = _span(row, side * height, height)
    left, right = _span(column, side * width, width)
    changed = {}
    for name, images in inputs.items():
        copy = images.clone()
        copy[..., top:bottom, left:right] = images[order][..., top:bottom, left:right]
        changed[name] = copy
    return changed, 1 - (bottom - top) * (right - left) / (height * width)


def _span(middle: int, size: float, limit: int) -> tuple[int, int]:
    """The pixels from a middle to both sides, within the image."""
    half = round(size) // 2
    return max(0, int(middle) - half), min(limit, int(middle) + half)
