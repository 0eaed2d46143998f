"""RegularizedFit, the training of a torch network with all switches that regularize it."""

from __future__ import annotations

from typing import Literal

from workbench.settings import inherited, knob
from workbench.training.settings import FitSettings

__all__ = ["RegularizedFit"]


class RegularizedFit(FitSettings):
    """Training of a torch network, with switches that regularize it; all are off by default."""

    dropout: float | None = inherited(None, low=0, high=0.95, step=0.05)
    """Rate of the dropout layers. A network without one gets dropout before its last linear layer
    while it is trained. Empty: each layer keeps its rate.
    """

    l1: float | None = inherited(0.0, low=0, high=10, expert=True, title="L1 penalty")
    """L1 penalty on matrices and kernels: after each step weights move towards zero by the learning
    rate times this number, and stop there.
    """

    l2: float | None = inherited(0.0, low=0, high=10, expert=True, title="L2 penalty")
    """L2 penalty on matrices and kernels, added to the gradient (coupled, unlike weight decay)."""

    label_smoothing: float | None = inherited(0.0, low=0, high=0.9, step=0.01)
    """Share of a label that is spread evenly over all classes."""

    mixup: float | None = inherited(0.0, low=0, high=10, step=0.1)
    """Alpha of mixup: rows and targets are mixed in pairs, by a weight from Beta(alpha, alpha)."""

    cutmix: float | None = inherited(0.0, low=0, high=10, step=0.1, expert=True)
    """Alpha of cutmix: a rectangle of each image comes from another one. With mixup, one is drawn
    for each batch.
    """

    augment: Literal["task", "crops", "flips_and_crops", "off"] = knob("task", title="Augmentation")
    """Augmentation of train batches: that of the task, images moved by a few pixels, images also
    mirrored, or none.
    """

    averaging: Literal["off", "ema", "swa"] = knob("off", title="Averaging of weights", expert=True)
    """Weights that are scored and kept: the last ones, an exponential moving average, or their mean
    over the last part of the training. Batch norm statistics are computed anew.
    """

    ema_decay: float = knob(0.99, low=0, high=0.99999, only_if={"averaging": "ema"}, expert=True)
    """Decay of the moving average at each step; it is lower in the first steps."""

    swa_start: float = knob(0.75, low=0, high=0.99, only_if={"averaging": "swa"}, expert=True)
    """Fraction of the steps after which averaging starts."""

    swa_lr: float = knob(0.25, above=0, high=1, only_if={"averaging": "swa"}, expert=True)
    """Learning rate while averaging, as a fraction of the highest one."""

    clip_norm: float | None = inherited(
        0.0, low=0, high=1000, expert=True, title="Gradient clipping"
    )
    """Largest norm of the gradient of a step; longer gradients are scaled down. 0: no limit."""

    min_delta: float = knob(0.0, low=0, expert=True, title="Smallest rise that counts")
    """Smallest rise of the score that counts as better, in units of the metric."""

    restore_best: bool = knob(True, expert=True, title="Keep the best weights")
    """Whether the weights of the best score are kept, instead of the last ones."""
