"""loss_problem(): a loss or a training step tried on a few rows, before a run depends on it."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from workbench.data.tensors import tensor
from workbench.errors import required
from workbench.models.networks import copied
from workbench.system.references import name_of
from workbench.task import Task
from workbench.tasks.probe import Probe

__all__ = ["loss_problem"]


def loss_problem(task: Task, probe: Probe) -> str:
    """Why the task's own loss or training step cannot train; empty where it can, or is not known.

    It must give one finite number that has a gradient. `probe` holds outputs of a network.
    """
    if probe.outputs is None or (task.loss is None and task.train_step is None):
        return ""
    name = name_of(task.train_step or task.loss, "lambda")
    what = "train_step" if task.train_step is not None else "loss"
    try:
        value = _tried(task, probe)
    except UserWarning:
        return (
            f"The {what} `{name}` compares outputs {probe.outputs.shape} with targets "
            f"{np.shape(probe.rows.targets)}, each with each: give both one shape, as in "
            "`outputs.squeeze(1)`."
        )
    except Exception as error:  # the user's code
        return (
            f"The {what} `{name}` raised {type(error).__name__} on outputs "
            f"{probe.outputs.shape} and targets {np.shape(probe.rows.targets)}: {error}"
        )
    if not hasattr(value, "backward"):
        return (
            f"The {what} `{name}` gave {type(value).__name__}: it must give a tensor with one "
            "number, computed by torch from the outputs."
        )
    if value.numel() != 1:
        return (
            f"The {what} `{name}` gave shape {tuple(value.shape)} for {len(probe.rows)} rows: it "
            "must give one number, the mean over the rows (`reduction='mean'`)."
        )
    if not value.requires_grad:
        return (
            f"The {what} `{name}` gave a number without a gradient: compute it by torch from the "
            "outputs, without `.item()`, `.detach()` or numpy."
        )
    if not bool(value.detach().isfinite().all()):
        return f"The {what} `{name}` gave {float(value.detach())} on rows of train."
    return ""


def _tried(task: Task, probe: Probe) -> Any:
    import torch

    targets = tensor(np.asarray(probe.rows.targets), "cpu")
    if task.train_step is not None:
        inputs = {n: tensor(a, "cpu") for n, a in probe.inputs.items()}
        with torch.random.fork_rng(devices=[]):
            return task.train_step(copied(probe.candidate.model).cpu().train(), inputs, targets)
    outputs = tensor(required(probe.outputs), "cpu").float().requires_grad_(True)
    with warnings.catch_warnings():
        # torch only warns where it compares every output with every target
        warnings.filterwarnings("error", "Using a target size", UserWarning)
        return required(task.loss)(outputs, targets)
