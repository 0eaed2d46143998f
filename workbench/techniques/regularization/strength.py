"""Strengths of a network's switches: scaled, one at a time, and off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from workbench.settings import knobs
from workbench.technique import Job
from workbench.techniques.regularization.switched_fit import SwitchedFit
from workbench.training import RegularizedFit
from workbench.training.regularizers import refusals

if TYPE_CHECKING:
    from workbench.techniques.regularization import RegularizationSettings

__all__ = [
    "NUMERIC",
    "SWITCHES",
    "active_switches",
    "at_strength",
    "control_fit",
    "is_stopping",
    "resolved_settings",
    "with_switch",
    "without_switches",
]

NUMERIC = ("dropout", "weight_decay", "label_smoothing", "mixup", "cutmix", "l1", "l2")
STOPPING = ("patience", "min_delta", "restore_best")
OF_AVERAGING = ("averaging", "ema_decay", "swa_start", "swa_lr")
SWITCHES = (*NUMERIC, "augment", *OF_AVERAGING, "clip_norm")
ENDLESS = 10_000  # epochs without a better score: early stopping never cuts
MEASURED = (
    "precision",
    "memory_format",
)  # a clock may choose them: not a part of a candidate's fit


def resolved_settings(
    job: Job, settings: RegularizationSettings
) -> tuple[RegularizationSettings, list[str]]:
    """Settings of a network with every choice but the strength written down, and notes.

    Switches that the start brings come before the usual ones. A usual switch that the task cannot
    have is off; one that was asked for is refused by `fit`.
    """
    own = job.task.fit_of(job.start)
    resolved = settings.resolved(own={"fit": own})
    defaults = SwitchedFit().flat()
    brought = {
        name: own[name]
        for name in (*SWITCHES, *STOPPING, "schedule")
        if name in own and own[name] is not None and _is_default(settings.fit, name, defaults)
    }
    fit = resolved.fit.model_copy(update=brought)
    asked = {n for n in NUMERIC if getattr(settings.fit, n) is not None or own.get(n) is not None}
    notes = []
    if "label_smoothing" not in asked and fit.label_smoothing:
        alone = RegularizedFit(label_smoothing=fit.label_smoothing)
        if refusals(alone, job.task, {}):
            fit = fit.model_copy(update={"label_smoothing": 0.0})
            notes.append("Label smoothing is off: the loss of this task has no labels to smooth.")
    if "dropout" not in asked and not _can_drop(job.start.model):
        fit = fit.model_copy(update={"dropout": None})
        notes.append("Dropout is off: the network has neither a dropout layer nor a linear layer.")
    return resolved.model_copy(update={"fit": fit}), notes


def _is_default(fit: SwitchedFit, name: str, defaults: Mapping[str, Any]) -> bool:
    return bool(getattr(fit, name) == defaults[name])


def _can_drop(model: Any) -> bool:
    from torch import nn
    from torch.nn.modules.dropout import _DropoutNd

    return any(isinstance(m, (nn.Linear, _DropoutNd)) for m in model.modules())


def at_strength(fit: SwitchedFit, strength: float) -> SwitchedFit:
    """The training with its numeric switches times a strength, at most the highest allowed."""
    values = {k.name: (getattr(fit, k.name), k.high) for k in knobs(SwitchedFit)}
    changes = {
        name: min(value * strength, highest)
        for name, (value, highest) in values.items()
        if name in NUMERIC and value is not None
    }
    return fit.model_copy(update=changes)


def without_switches(fit: SwitchedFit) -> SwitchedFit:
    """The training with every switch off, and without early stopping: the last weights are kept."""
    off: dict[str, Any] = dict.fromkeys((*NUMERIC, "clip_norm"), 0.0)
    off |= {"dropout": None, "averaging": "off", "augment": "off"}
    off |= {"patience": ENDLESS, "min_delta": 0.0, "restore_best": False}
    plain = SwitchedFit()
    return fit.model_copy(update=off | {n: getattr(plain, n) for n in OF_AVERAGING[1:]})


def with_switch(fit: SwitchedFit, name: str, value: Any) -> SwitchedFit:
    """The training with one switch at a value."""
    return fit.model_copy(update={name: value})


def active_switches(fit: SwitchedFit, *, has_augment: bool) -> dict[str, dict[str, Any]]:
    """The switches that are on, by name, each with the fields of the training that it sets."""
    active: dict[str, dict[str, Any]] = {
        name: {name: getattr(fit, name)} for name in (*NUMERIC, "clip_norm") if getattr(fit, name)
    }
    if fit.augment not in ("off", "task") or (fit.augment == "task" and has_augment):
        active["augment"] = {"augment": fit.augment}
    if is_stopping(fit):
        active["early_stopping"] = {name: getattr(fit, name) for name in STOPPING}
    if fit.averaging != "off":
        active["averaging"] = {name: getattr(fit, name) for name in OF_AVERAGING}
    return active


def is_stopping(fit: SwitchedFit) -> bool:
    """Whether scores of epochs decide which weights are kept."""
    return fit.restore_best or fit.patience < (fit.epochs or 0)


def control_fit(job: Job, fit: SwitchedFit) -> dict[str, Any]:
    """Training settings of the control: those of `fit`, with every switch as the start brings it.

    Early stopping is the same for both, so that the difference is that of the switches.
    """
    own = job.task.fit_of(job.start)
    kept = {k.name: getattr(fit, k.name) for k in knobs(RegularizedFit) if k.name not in SWITCHES}
    return {**kept, **{name: own[name] for name in SWITCHES if name in own}}
