"""How to train, as settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from workbench.settings import Settings, knob, scaled

if TYPE_CHECKING:
    pass

__all__ = ["FitSettings"]


class FitSettings(Settings):
    """How to train."""

    epochs: int | None = scaled(smoke=15, standard=8, thorough=30, low=0, high=10_000)
    """Passes over the train rows."""

    max_steps: int | None = scaled(smoke=300, standard=None, thorough=None, low=1)
    """Stop after this many optimizer steps, however many epochs that is."""

    lr: float = knob(0.002, above=0, high=10, log=True)
    """Highest learning rate of the schedule."""

    batch_size: int = knob(128, low=2, high=65_536)
    """Rows in a batch."""

    optimizer: Literal["adamw", "sgd"] = "adamw"
    """AdamW, or SGD with Nesterov momentum 0.9."""

    weight_decay: float = knob(0.01, low=0, high=10)
    """Decay of the weights of matrices and kernels; biases and norms are spared."""

    schedule: Literal["cosine", "constant"] = "cosine"
    """Learning rate over time, after a warm-up over the first twentieth."""

    patience: int = knob(10, low=1)
    """Stop early after this many epochs without a better score on valid."""

    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic of the forward pass; auto times both on the first batch and takes the faster."""

    memory_format: Literal["auto", "contiguous", "channels_last"] = "auto"
    """Layout of images in memory; auto times both."""
