"""Regularizers, what the switches of a `RegularizedFit` change in the training loop.

`regularizers_for` is the one place in which switches become callbacks, a loss and an augmentation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.errors import SettingsError, all_of
from workbench.task import Task
from workbench.training.augmentation import BUILT_IN
from workbench.training.averaging import Averaging
from workbench.training.callbacks import Callback
from workbench.training.dropout import Dropout, set_dropout
from workbench.training.losses import loss_for
from workbench.training.mixing import Mixing
from workbench.training.penalties import Penalties
from workbench.training.regularized import RegularizedFit
from workbench.training.settings import FitSettings

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["Regularizers", "refusals", "regularizers_for"]

Loss = Callable[["torch.Tensor", "torch.Tensor"], "torch.Tensor"]
Inputs = dict[str, "torch.Tensor"]
RowsOf = Callable[[int], "Iterator[tuple[Inputs, torch.Tensor]]"]
BATCH = 256  # rows of a forward pass for batch norm statistics


@dataclass(frozen=True)
class Regularizers:
    """Loss, augmentation and callbacks of one training; `notes` are sentences for the user.

    `loss` is None for a task with a training step of its own.
    """

    loss: Loss | None
    augment: Callable[..., Inputs] | None
    callbacks: tuple[Callback, ...] = ()
    averaging: Averaging | None = None
    dropout: Dropout | None = None
    min_delta: float = 0.0
    restore_best: bool = True
    notes: tuple[str, ...] = ()

    def scored(self, model: nn.Module) -> nn.Module:
        """The network to score and keep: with averaged weights where there are some."""
        averaged = None if self.averaging is None else self.averaging.network()
        return model if averaged is None else averaged

    def remove(self) -> None:
        """Make the network of the training the plain one again."""
        if self.dropout is not None:
            self.dropout.remove()


def regularizers_for(
    settings: FitSettings,
    model: nn.Module,
    task: Task,
    rows: RowsOf,
    *,
    seed: int,
    n_steps: int,
    has_beside: bool = False,
) -> Regularizers:
    """The regularizers of resolved settings; dropout of `model` is changed in place.

    `rows(size)` gives the prepared train rows in batches. `has_beside` says that a loss hook gets
    arrays of the same rows, which mixed batches do not have. Raises SettingsError that names every
    switch which this task cannot have.
    """
    loss = task.loss or (None if task.train_step else loss_for(task.kind))
    if not isinstance(settings, RegularizedFit):
        return Regularizers(loss, task.augment)
    inputs, _ = next(rows(2))
    problems = refusals(settings, task, inputs, has_beside=has_beside)
    if problems:
        raise SettingsError(all_of(problems, "This task cannot be trained in this way"))
    if settings.label_smoothing:
        loss = _smoothed(task, settings.label_smoothing)
    callbacks: list[Callback] = []
    if settings.mixup or settings.cutmix:
        mixing = Mixing(
            settings.mixup or 0.0,
            settings.cutmix or 0.0,
            seed,
            mixes_targets=task.kind == "regression",
        )
        loss = mixing.loss(loss) if loss is not None else None
        callbacks.append(mixing)
    if settings.l1 or settings.l2 or settings.clip_norm:
        callbacks.append(
            Penalties(
                l1=settings.l1 or 0.0, l2=settings.l2 or 0.0, clip_norm=settings.clip_norm or 0.0
            )
        )
    averaging = None
    if settings.averaging != "off":
        averaging = Averaging(settings, n_steps, lambda: rows(BATCH))
        callbacks.append(averaging)
    dropout = None
    if settings.dropout is not None:
        dropout = set_dropout(model, settings.dropout, lambda: inputs)
    return Regularizers(
        loss,
        _augment(settings, task),
        tuple(callbacks),
        averaging,
        dropout,
        settings.min_delta,
        settings.restore_best,
        (dropout.note,) if dropout is not None and dropout.note else (),
    )


def _augment(settings: RegularizedFit, task: Task) -> Callable[..., Inputs] | None:
    if settings.augment == "task":
        return task.augment
    return BUILT_IN.get(settings.augment)


def refusals(
    settings: RegularizedFit, task: Task, inputs: Mapping[str, Any], *, has_beside: bool = False
) -> list[str]:
    """Why a task cannot have some switches, a sentence each; `inputs` are a few prepared rows."""
    problems = []
    of_loss = [n for n in ("label_smoothing", "mixup", "cutmix") if getattr(settings, n)]
    mixing = [name for name in of_loss if name != "label_smoothing"]
    if of_loss and task.train_step is not None:
        problems.append(
            f"{_names(of_loss)} changes the loss, and this task computes it in its own "
            "`train_step`: do it there, or give `loss` instead of `train_step`."
        )
    elif settings.label_smoothing:
        problems += _of_smoothing(task)
    if mixing and has_beside:
        problems.append(
            f"{_names(mixing)} mixes rows, and the loss compares each row with an array beside it, "
            "such as a teacher's outputs: set it to 0."
        )
    if mixing:
        problems += _of_mixing(settings, inputs)
    if settings.augment in BUILT_IN and not _are_images(inputs):
        problems.append(
            f"`augment` {settings.augment} moves images (batch, channels, height, width), and the "
            f"inputs are {_shapes(inputs)}: use `augment` task or off."
        )
    return problems


def _of_smoothing(task: Task) -> list[str]:
    if task.kind in ("regression", "custom"):
        return [
            f"`label_smoothing` spreads a label over classes, and the task is of the kind "
            f"{task.kind}: set it to 0."
        ]
    if task.loss is not None:
        return [
            "`label_smoothing` changes the usual loss of a kind of task, and this task has a loss "
            "of its own: set it to 0, or smooth in that loss, as "
            "`nn.CrossEntropyLoss(label_smoothing=0.1)` does."
        ]
    return []


def _of_mixing(settings: RegularizedFit, inputs: Mapping[str, Any]) -> list[str]:
    if settings.cutmix and not _are_images(inputs):
        return [
            "`cutmix` needs images (batch, channels, height, width), and the inputs are "
            f"{_shapes(inputs)}: set it to 0, or use `mixup` for rows of numbers."
        ]
    whole = [name for name, t in inputs.items() if not t.is_floating_point()]
    if settings.mixup and whole:
        return [
            f"`mixup` adds rows, and `{whole[0]}` holds whole numbers, such as the numbers of "
            "words: set it to 0."
        ]
    return []


def _names(names: list[str]) -> str:
    return " and ".join(f"`{name}`" for name in names)


def _are_images(inputs: Mapping[str, Any]) -> bool:
    return all(t.ndim == 4 and t.is_floating_point() for t in inputs.values())


def _shapes(inputs: Mapping[str, Any]) -> str:
    return ", ".join(
        f"`{name}` (batch, {', '.join(map(str, t.shape[1:]))})" for name, t in inputs.items()
    )


def _smoothed(task: Task, share: float) -> Loss:
    """The usual loss of classes or labels with smoothed labels."""
    from torch.nn import functional as F

    plain = loss_for(task.kind)

    def smoothed(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if task.kind == "classification":
            return F.cross_entropy(outputs, targets, label_smoothing=share)
        if task.kind == "binary" and outputs.ndim == 2 and outputs.shape[1] == 2:
            return F.cross_entropy(outputs, targets.long(), label_smoothing=share)
        return plain(outputs, targets.to(outputs.dtype) * (1 - share) + share / 2)

    return smoothed
