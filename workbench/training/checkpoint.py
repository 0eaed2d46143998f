"""Checkpoint, the file from which an interrupted training goes on, and Progress, how far it is."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.training.callbacks import Callback
from workbench.training.settings import FitSettings

if TYPE_CHECKING:
    import torch

__all__ = ["Checkpoint", "Progress"]


@dataclass
class Progress:
    """Optimizer steps, finished epochs and scores of a training so far.

    `best_score` is signed: higher is better for every metric. `history` has a row an epoch.
    """

    step: int = 0
    epoch: int = 0
    best_score: float = -math.inf
    best_epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training after an epoch.

    Attributes
    ----------
    model, best
        Weights now, and those of the best score on valid, as state dicts.
    random, cuda_random
        States of torch's generators; the second is None for a training on another device.
    choices
        Precision and memory format.
    settings
        The settings of the training as plain values.
    callbacks
        The class and the state of each callback, in order.
    """

    model: Mapping[str, torch.Tensor]
    best: dict[str, torch.Tensor]
    optimizer: dict[str, Any]
    random: torch.Tensor
    cuda_random: torch.Tensor | None
    progress: Progress
    choices: dict[str, Any]
    settings: dict[str, Any]
    callbacks: Sequence[tuple[str, dict[str, Any]]]

    @classmethod
    def of(
        cls,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        device: str,
        *,
        best: dict[str, torch.Tensor],
        progress: Progress,
        choices: dict[str, Any],
        settings: FitSettings,
        callbacks: Sequence[Callback],
    ) -> Checkpoint:
        """The checkpoint of a training as it is now."""
        import torch

        return cls(
            model=model.state_dict(),
            best=best,
            optimizer=optimizer.state_dict(),
            random=torch.get_rng_state(),
            cuda_random=torch.cuda.get_rng_state() if "cuda" in device else None,
            progress=progress,
            choices=choices,
            settings=settings.tree(),
            callbacks=[(type(c).__name__, c.state_dict()) for c in callbacks],
        )

    @classmethod
    def read(cls, path: Path, device: str) -> Checkpoint:
        """The checkpoint in a file, its tensors on `device`; the file can run no code."""
        import torch

        content = torch.load(path, weights_only=True, map_location=device)
        progress = Progress(**content.pop("state"))
        return cls(**{"callbacks": [], **content, "progress": progress})

    def write(self, path: Path) -> None:
        """Write the file; a process that is killed meanwhile leaves the one before."""
        import torch

        content = {**vars(self), "state": vars(self.progress)}
        del content["progress"]
        part = path.with_suffix(".part")
        torch.save(content, part)
        os.replace(part, path)

    def fits(self, settings: FitSettings, callbacks: Sequence[Callback]) -> bool:
        """Whether it is of a training with the same settings and the same kinds of callbacks."""
        names = [name for name, _ in self.callbacks]
        is_same = names == [type(c).__name__ for c in callbacks]
        return is_same and self.settings == settings.tree()

    def restore_random(self) -> None:
        """Put the states of torch's generators back."""
        import torch

        torch.set_rng_state(self.random.cpu())
        if self.cuda_random is not None:
            torch.cuda.set_rng_state(self.cuda_random.cpu())
