"""Training after channels or weights are gone, with the network before it, or another, as a teacher
if wanted.

Distillation: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network" (2015); the
dense parent is the teacher.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING

from workbench.errors import SettingsError
from workbench.models.networks import call_model, first_tensor
from workbench.training import FitSettings, Fitted, LossContext, fit
from workbench.training.evaluate import autocast
from workbench.training.losses import soft_loss

if TYPE_CHECKING:
    import torch
    from torch import nn

    from workbench.technique import Job
    from workbench.techniques.pruning import PruningSettings

__all__ = ["fine_tune", "parts_of"]


def fine_tune(
    model: nn.Module,
    job: Job,
    settings: PruningSettings,
    *,
    part: FitSettings | None = None,
    name: str = "fit",
    step_hook: Callable[[nn.Module, int], None] | None = None,
    keep: bool = True,
) -> Fitted:
    """`fit` on the job's task with what was chosen for its start; `name` is the checkpoint's,
    `keep` False writes none.
    """
    return fit(
        model,
        job.task,
        part or settings.fit,
        prepare=job.start.prepare,
        report=job.report,
        seed=job.seed,
        device=job.device,
        choices=job.start.training,
        checkpoint=job.folder / f"{name}.pt" if keep else None,
        loss_hook=_from_parent(job, settings),
        step_hook=step_hook,
    )


def parts_of(settings: FitSettings, n: int) -> list[FitSettings]:
    """The fine-tuning in `n` shares of about equal length, in order; `settings` are resolved. Every
    share is an epoch or more.
    """

    def share(total: int | None, i: int) -> int | None:
        return None if total is None else max(1, total * (i + 1) // n - total * i // n)

    if n == 1 or not settings.epochs:
        return [settings] * n
    shares = [
        {"epochs": share(settings.epochs, i), "max_steps": share(settings.max_steps, i)}
        for i in range(n)
    ]
    return [settings.model_copy(update=s) for s in shares]


def _from_parent(
    job: Job, settings: PruningSettings
) -> Callable[[LossContext], torch.Tensor] | None:
    """The loss hook that mixes in what the dense parent, or another teacher, answers to the same
    inputs; None when that is off.
    """
    import torch

    alpha, temperature = settings.distill_alpha, settings.distill_temperature
    if not alpha:
        return None
    if job.task.train_step is not None:
        raise SettingsError(
            "`distill_alpha` needs the outputs of a batch, and this task's `train_step` keeps "
            "them to itself: set it to 0."
        )
    teacher = job.others.get(settings.distill_from, job.start)
    if teacher.form != "torch" or teacher.prepare != job.start.prepare:
        raise SettingsError(
            f"`distill_from` names `{teacher.name}`, which does not take the same rows as "
            f"`{job.start.name}`: the teacher must be a torch network with the same `prepare`. The "
            "technique `distillation` takes any."
        )
    parent = copy.deepcopy(teacher.model).to(job.device).eval().requires_grad_(False)

    def hook(context: LossContext) -> torch.Tensor:
        if any(
            p.ndim == 4 and p.is_contiguous(memory_format=torch.channels_last)
            for p in context.model.parameters()
        ):
            parent.to(
                memory_format=torch.channels_last
            )  # as fast as the one that learns; nothing to do from the second call on
        precision = "bf16" if context.outputs.dtype == torch.bfloat16 else "fp32"
        with torch.no_grad(), autocast(job.device, precision):
            wanted = first_tensor(call_model(parent, context.inputs)).reshape(
                len(context.targets), 1, -1
            )
        if job.task.kind == "binary" and wanted.shape[2] == 2:
            wanted = wanted[:, :, 1:] - wanted[:, :, :1]
        soft = soft_loss(job.task.kind, context.outputs, wanted, temperature)
        return (1 - alpha) * context.loss + alpha * soft

    return hook
