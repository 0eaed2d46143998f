"""FitSettings, how a torch network is trained, and the number of steps that follows from it."""

from __future__ import annotations

from typing import Literal

from workbench.errors import required
from workbench.settings import Settings, inherited, knob, scaled

__all__ = ["FitSettings", "n_steps_of", "steps_an_epoch"]


class FitSettings(Settings):
    """Training of a torch network."""

    epochs: int | None = scaled(
        smoke=15, standard=8, thorough=30, low=0, high=10_000, search=(2, 60)
    )
    """Passes over the train rows."""

    max_steps: int | None = scaled(smoke=300, standard=None, thorough=None, low=1)
    """Limit on the number of optimizer steps."""

    lr: float | None = inherited(
        0.002, above=0, high=10, log=True, search=(1e-4, 0.03), title="Learning rate"
    )
    """Highest learning rate of the schedule."""

    batch_size: int | None = inherited(128, low=2, high=65_536, log=True, search=(16, 512))
    """Rows in a batch."""

    optimizer: Literal["adamw", "sgd"] | None = inherited("adamw")
    """AdamW, or SGD with Nesterov momentum 0.9."""

    weight_decay: float | None = inherited(0.01, low=0, high=10, log=True, search=(1e-5, 0.1))
    """Decay of the weights of matrices and kernels; biases and norms have none."""

    schedule: Literal["cosine", "constant"] = knob("cosine", expert=True)
    """Learning rate over time, after a warm-up over the first twentieth of the steps."""

    patience: int = knob(10, low=1, expert=True)
    """Epochs without a better score on valid before training stops."""

    precision: Literal["auto", "fp32", "bf16"] = knob("auto", expert=True)
    """Arithmetic of the forward pass; auto times both on the first batch and takes the faster."""

    memory_format: Literal["auto", "contiguous", "channels_last"] = knob("auto", expert=True)
    """Layout of images in memory; auto times both and takes the faster."""


def steps_an_epoch(n_rows: int, batch_size: int) -> int:
    """Optimizer steps in one pass over `n_rows`; a last batch of a single row is left out."""
    whole, rest = divmod(n_rows, batch_size)
    return max(1, whole + (rest > 1))


def n_steps_of(settings: FitSettings, n_rows: int) -> int:
    """Optimizer steps that `fit` takes at most with these resolved settings."""
    n_steps = steps_an_epoch(n_rows, required(settings.batch_size)) * (settings.epochs or 0)
    return n_steps if settings.max_steps is None else min(n_steps, settings.max_steps)
