"""Training after pruning, with the network before pruning or another one as a teacher if asked.

Distillation: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network" (2015).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from workbench.errors import SettingsError
from workbench.models.networks import call_model, copied, first_tensor
from workbench.training import FitSettings, Fitted, LossContext, fit
from workbench.training.evaluate import autocast
from workbench.training.losses import soft_loss

if TYPE_CHECKING:
    import torch
    from torch import nn

    from workbench.technique import Job
    from workbench.techniques.pruning import PruningSettings

__all__ = ["fine_tune", "split_fit"]


def fine_tune(
    model: nn.Module,
    job: Job,
    settings: PruningSettings,
    *,
    fit_settings: FitSettings | None = None,
    name: str = "fit",
    step_hook: Callable[[nn.Module, int], None] | None = None,
    keep: bool = True,
) -> Fitted:
    """Train on the job's task with the precision and memory format of the network before pruning.

    `fit_settings` replace `settings.fit`. `name` is that of the checkpoint; `keep=False` writes
    none.
    """
    return fit(
        model,
        job.task,
        fit_settings or settings.fit,
        prepare=job.start.prepare,
        report=job.report,
        seed=job.seed,
        device=job.device,
        choices=job.start.training,
        checkpoint=job.folder / f"{name}.pt" if keep else None,
        loss_hook=_distillation(job, settings),
        step_hook=step_hook,
    )


def split_fit(settings: FitSettings, n: int) -> list[FitSettings]:
    """Resolved fit settings split into `n` of about equal length, each an epoch or more."""
    if n == 1 or not settings.epochs:
        return [settings] * n
    epochs = _split(settings.epochs, n)
    max_steps = [None] * n if settings.max_steps is None else _split(settings.max_steps, n)
    return [
        settings.model_copy(update={"epochs": epochs[i], "max_steps": max_steps[i]})
        for i in range(n)
    ]


def _split(total: int, n: int) -> list[int]:
    """`n` whole numbers of about equal size, each at least 1; their sum is `total` if it can be."""
    return [max(1, total * (i + 1) // n - total * i // n) for i in range(n)]


def _distillation(
    job: Job, settings: PruningSettings
) -> Callable[[LossContext], torch.Tensor] | None:
    """Loss hook that adds the loss against the teacher's outputs; None without distillation."""
    import torch

    alpha = settings.distill_alpha
    if not alpha:
        return None
    teacher = _teacher(job, settings)

    def hook(context: LossContext) -> torch.Tensor:
        if _is_channels_last(context.model):
            # The network and its teacher run fastest in the same layout. Only the first call
            # changes anything.
            teacher.to(memory_format=torch.channels_last)
        precision = "bf16" if context.outputs.dtype == torch.bfloat16 else "fp32"
        with torch.no_grad(), autocast(job.device, precision):
            outputs = first_tensor(call_model(teacher, context.inputs))
        answers = outputs.reshape(len(context.targets), 1, -1)
        if job.task.kind == "binary" and answers.shape[2] == 2:
            answers = answers[:, :, 1:] - answers[:, :, :1]
        soft = soft_loss(job.task.kind, context.outputs, answers, settings.distill_temperature)
        return (1 - alpha) * context.loss + alpha * soft

    return hook


def _teacher(job: Job, settings: PruningSettings) -> nn.Module:
    """A frozen copy of the teacher's network, on the job's device."""
    if job.task.train_step is not None:
        raise SettingsError(
            "`distill_alpha` needs the outputs of each batch, and this task's `train_step` returns "
            "only a loss: set `distill_alpha` to 0."
        )
    teacher = job.others.get(settings.distill_from, job.start)
    if teacher.form != "torch" or teacher.prepare != job.start.prepare:
        raise SettingsError(
            f"`distill_from` names `{teacher.name}`, which does not take the same rows as "
            f"`{job.start.name}`: the teacher must be a torch network with the same `prepare`. The "
            "technique `distillation` accepts any teacher."
        )
    return copied(teacher.model).to(job.device).eval().requires_grad_(False)


def _is_channels_last(model: nn.Module) -> bool:
    """Whether a kernel of the network lies in memory with its channels last."""
    import torch

    return any(
        p.ndim == 4 and p.is_contiguous(memory_format=torch.channels_last)
        for p in model.parameters()
    )
