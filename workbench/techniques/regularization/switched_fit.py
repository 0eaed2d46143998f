"""SwitchedFit, the training of a network with the switches that the technique sets."""

from __future__ import annotations

from typing import Literal

from workbench.settings import inherited, knob, scaled
from workbench.training import RegularizedFit

__all__ = ["SwitchedFit"]


class SwitchedFit(RegularizedFit):
    """Training of a network with the switches that help most networks; the others are off."""

    epochs: int | None = scaled(smoke=15, standard=8, thorough=30, low=0, high=10_000, expert=True)
    """Passes over the train rows, for the control too."""

    max_steps: int | None = scaled(smoke=300, standard=None, thorough=None, low=1, expert=True)
    """Limit on the number of optimizer steps, for the control too."""

    lr: float | None = inherited(
        0.002, above=0, high=10, log=True, title="Learning rate", expert=True
    )
    """Highest learning rate of the schedule, for the control too."""

    batch_size: int | None = inherited(128, low=2, high=65_536, log=True, expert=True)
    """Rows in a batch, for the control too."""

    optimizer: Literal["adamw", "sgd"] | None = inherited("adamw", expert=True)
    """AdamW, or SGD with Nesterov momentum 0.9, for the control too."""

    patience: int = knob(10, low=1, expert=True)
    """Epochs without a better score on held-out rows of train before training stops."""

    weight_decay: float | None = inherited(0.05, low=0, high=10, log=True)
    """Decay of the weights of matrices and kernels (decoupled); biases and norms have none."""

    dropout: float | None = inherited(0.2, low=0, high=0.95, step=0.05)
    """Rate of the dropout layers. A network without one gets dropout before its last linear layer
    while it is trained.
    """

    label_smoothing: float | None = inherited(0.1, low=0, high=0.9, step=0.01)
    """Share of a label that is spread evenly over all classes."""
