"""fit(), the one training loop of torch networks, which all techniques use.

Techniques change it through two hooks: `loss_hook(context) -> loss` (distillation, penalties) and
`step_hook(model, step)` after each optimizer step (masks, schedules of sparsity). The switches of
`RegularizedFit` become callbacks, a loss and an augmentation in `workbench.training.regularizers`.

The order of batches and of augmentation depends on (seed, epoch, step) alone. So a run that was
interrupted and resumed from its checkpoint gives the same weights as an uninterrupted one.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.data.tensors import TensorRows
from workbench.errors import TaskError, required
from workbench.events import Report
from workbench.metrics import like_targets
from workbench.models.networks import call_model, copied, first_tensor
from workbench.system.threads import threads_that_pay_off
from workbench.task import Task
from workbench.training.batches import Batches
from workbench.training.callbacks import Callback, TrainingContext
from workbench.training.checkpoint import Checkpoint, Progress
from workbench.training.evaluate import autocast, predict_batches
from workbench.training.losses import LossContext
from workbench.training.optimizer import lr_factor, optimizer_for
from workbench.training.precision import fastest
from workbench.training.regularizers import regularizers_for
from workbench.training.settings import FitSettings, n_steps_of

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["Fitted", "fit"]


@dataclass(frozen=True)
class Fitted:
    """A trained network and its training.

    `history` has a row an epoch. `choices` are the precision and the memory format that were used,
    with their measured times if they were chosen automatically. `best_epoch` is the one whose
    weights are kept, `notes` are sentences about how the network was trained.
    """

    model: nn.Module
    history: list[dict[str, float]]
    choices: dict[str, Any]
    n_steps: int
    best_epoch: int
    notes: tuple[str, ...] = ()


def fit(
    model: nn.Module,
    task: Task,
    settings: FitSettings,
    *,
    prepare: Any = None,
    report: Report | None = None,
    seed: int = 0,
    device: str = "cpu",
    choices: Mapping[str, Any] | None = None,
    checkpoint: Path | None = None,
    beside: Mapping[str, np.ndarray] | None = None,
    loss_hook: Callable[[LossContext], torch.Tensor] | None = None,
    step_hook: Callable[[nn.Module, int], None] | None = None,
    callbacks: Sequence[Callback] = (),
) -> Fitted:
    """Train a copy of `model` on the train rows; keep the weights of the best score on valid.

    `settings` that are a `RegularizedFit` may keep averaged or the last weights. Outside a run,
    torch uses meanwhile as many threads as pay off under the load of the first call.

    `choices` are a parent's measured precision and memory format, used again. `checkpoint` is a
    file that is written after each epoch, and continued from if it exists. `beside` are arrays
    `(train rows, ...)`, of which the loss hook gets the rows of its batch. `callbacks` are called
    in order at each moment; they may change the batch or stop the training. Raises Cancelled when
    the report was asked to stop, TaskError when the loss is no longer finite, SettingsError for
    switches that the task cannot have.
    """
    import torch

    settings = settings.resolved()
    report = report or Report()
    threads = threads_that_pay_off() if settings.epochs else nullcontext()
    with threads, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        loop = _Loop(
            model,
            task,
            settings,
            prepare or task.prepare,
            report,
            seed,
            device,
            loss_hook,
            step_hook,
            beside or {},
            tuple(callbacks),
        )
        report.progress(0, loop.n_steps, "preparing the training")
        loop.choose(dict(choices or {}))
        loop.resume(checkpoint)
        if settings.epochs:
            loop.run(checkpoint)
    return loop.fitted()


class _Loop:
    """The state of one call of `fit`."""

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        settings: FitSettings,
        prepare: Any,
        report: Report,
        seed: int,
        device: str,
        loss_hook: Callable[[LossContext], torch.Tensor] | None,
        step_hook: Callable[[nn.Module, int], None] | None,
        beside: Mapping[str, np.ndarray],
        callbacks: tuple[Callback, ...] = (),
    ) -> None:
        self.model = copied(model).to(device)
        self.task = task
        self.settings = settings
        self.prepare = prepare
        self.report = report
        self.seed = seed
        self.device = device
        self.loss_hook = loss_hook
        self.step_hook = step_hook
        self.batch_size: int = required(settings.batch_size)
        self.lr: float = required(settings.lr)
        train = TensorRows(task.data.train, prepare, device)
        self.batches = Batches(train, self.batch_size, seed, device, beside)
        self.valid = TensorRows(task.data.valid, prepare, device)
        self.n_steps = n_steps_of(settings, len(train))
        self.regularizers = regularizers_for(
            settings,
            self.model,
            task,
            train.batches,
            seed=seed,
            n_steps=self.n_steps,
            has_beside=bool(beside),
        )
        self.loss = self.regularizers.loss
        self.callbacks = (*self.regularizers.callbacks, *callbacks)
        self.progress = Progress()
        self.best = copy.deepcopy(self.model.state_dict())
        self.choices: dict[str, Any] = {}

    @cached_property
    def optimizer(self) -> torch.optim.Optimizer:
        """Made for the first step: the first one in a process imports torch's compiler for 2 s."""
        return optimizer_for(self.model, self.settings)

    @cached_property
    def context(self) -> TrainingContext:
        """What callbacks are shown."""
        return TrainingContext(self.model, self.model, self.optimizer, self.settings, self.n_steps)

    def choose(self, of_parent: dict[str, Any]) -> None:
        """Choose precision and memory format: those set, else the parent's, else the fastest.

        A parent that trained too few steps to measure them is ignored.
        """
        measured = {} if of_parent.get("untimed") else of_parent
        options = {
            "precision": self.settings.precision,
            "memory_format": self.settings.memory_format,
        }
        fixed = {
            key: measured.get(key, value) if value == "auto" else value
            for key, value in options.items()
        }
        inputs, targets, beside = next(self.batches.epoch(0))
        hook: str = getattr(self.loss_hook, "__qualname__", type(self.loss_hook).__name__)

        def loss_of(model: nn.Module, rows: slice) -> torch.Tensor:
            parts = ({n: t[rows] for n, t in group.items()} for group in (inputs, beside))
            return self._loss(model, next(parts), targets[rows], next(parts))

        self.choices = fastest(
            self.model,
            loss_of,
            inputs,
            fixed,
            n_steps=self.n_steps,
            loss=f"{hook} {self.device}",
            check=self.report.check,
        )
        if self.choices["memory_format"] == "channels_last":
            self._set_memory_format("channels_last")

    def run(self, checkpoint: Path | None) -> None:
        """Train until the last step, or until `patience` epochs have no better score on valid."""
        progress, context = self.progress, self.context
        self.report.progress(progress.step, self.n_steps, "starting the training")
        context.model = context.scored_model = self.model
        context.step, context.epoch = progress.step, progress.epoch
        for callback in self.callbacks:
            callback.on_train_begin(context)
        while self._goes_on():
            self._finish_epoch(self._epoch(), self._score())
            if checkpoint:
                self._save(checkpoint)
        for callback in self.callbacks:
            callback.on_train_end(context)

    def _goes_on(self) -> bool:
        """Whether another epoch follows: steps are left, the score still rises, nobody stopped."""
        progress = self.progress
        is_patient = progress.epoch - progress.best_epoch < self.settings.patience
        return progress.step < self.n_steps and is_patient and not self.context.stopped

    def _finish_epoch(self, mean_loss: float, score: float) -> None:
        """Add an epoch to the history, and keep its weights if its score is the best."""
        progress = self.progress
        progress.epoch += 1
        progress.history.append(
            {
                "epoch": progress.epoch,
                "step": progress.step,
                "train_loss": mean_loss,
                "valid_score": score,
            }
        )
        self.report.curve(f"valid {self.task.metric.name}", progress.step, score)
        signed = self.task.metric.sign * score
        is_better = signed > progress.best_score + self.regularizers.min_delta
        if is_better:
            progress.best_score = signed
            progress.best_epoch = progress.epoch
        if is_better or not self.regularizers.restore_best:
            weights = self.context.scored_model.state_dict()
            self.best = {k: v.detach().clone() for k, v in weights.items()}
        self.context.epoch = progress.epoch
        for callback in self.callbacks:
            callback.on_epoch_end(self.context, progress.history[-1])

    def _epoch(self) -> float:
        """Train for one pass over the rows, or until the last step; returns the mean loss."""
        import torch

        self.model.train()
        total = torch.zeros((), device=self.device)
        n = 0
        for inputs, targets, beside in self.batches.epoch(self.progress.epoch):
            if self.progress.step >= self.n_steps or self.context.stopped:
                break
            loss = self._step(inputs, targets, beside)
            total = total + loss
            n += 1
            if self.step_hook:
                self.step_hook(self.model, self.progress.step)
            if self.progress.step % 10 == 0 or self.progress.step == self.n_steps:
                self._tell(float(loss))
            else:
                self.report.check()
        return float(total) / max(n, 1)

    def _step(
        self,
        inputs: dict[str, torch.Tensor],
        targets: torch.Tensor,
        beside: dict[str, torch.Tensor],
    ) -> torch.Tensor:
        """One optimizer step on a batch; returns its loss, without gradient."""
        import torch

        progress = self.progress
        if self.regularizers.augment:
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + progress.step)
            inputs = self.regularizers.augment(inputs, generator)
        factor = lr_factor(self.settings.schedule, progress.step, self.n_steps)
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr * factor
        for callback in self.callbacks:
            changed = callback.on_batch_begin(self.context, inputs, targets)
            inputs, targets = changed or (inputs, targets)
        loss = self._loss(self.model, inputs, targets, beside)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for callback in self.callbacks:
            callback.on_grad_computed(self.context)
        self.optimizer.step()
        progress.step += 1
        self.context.step = progress.step
        for callback in self.callbacks:
            callback.on_batch_end(self.context, loss.detach())
        return loss.detach()

    def _loss(
        self,
        model: nn.Module,
        inputs: dict[str, torch.Tensor],
        targets: torch.Tensor,
        beside: dict[str, torch.Tensor],
    ) -> torch.Tensor:
        with autocast(self.device, self.choices.get("precision", "fp32")):
            if self.task.train_step:
                return self.task.train_step(model, inputs, targets)
            outputs = first_tensor(call_model(model, inputs))
        loss = required(self.loss)(outputs.float(), targets)
        if self.loss_hook is None:
            return loss
        return self.loss_hook(LossContext(model, inputs, outputs, targets, loss, beside))

    def _tell(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise TaskError(
                f"The loss became {loss} at step {self.progress.step}. Lower `fit_lr` (now "
                f"{self.lr:g}), or look for NaN or huge values in the inputs."
            )
        self.report.curve("train loss", self.progress.step, loss)
        self.report.progress(
            self.progress.step,
            self.n_steps,
            f"step {self.progress.step}/{self.n_steps}, loss {loss:.3f}",
        )

    def _score(self) -> float:
        scored = self.context.scored_model = self.regularizers.scored(self.model)
        outputs = np.concatenate(
            list(predict_batches(scored, self.valid, self.device, self.choices, self.report))
        )
        targets = np.asarray(self.task.data.valid.targets)
        return self.task.metric(like_targets(outputs, targets), targets)

    def _save(self, path: Path) -> None:
        checkpoint = Checkpoint.of(
            self.model,
            self.optimizer,
            self.device,
            best=self.best,
            progress=self.progress,
            choices=self.choices,
            settings=self.settings,
            callbacks=self.callbacks,
        )
        checkpoint.write(path)

    def resume(self, path: Path | None) -> None:
        """Continue from a checkpoint written with the same settings; any other is ignored."""
        if path is None or not path.exists():
            return
        checkpoint = Checkpoint.read(path, self.device)
        if not checkpoint.fits(self.settings, self.callbacks):
            return
        for callback, (_, state) in zip(self.callbacks, checkpoint.callbacks, strict=True):
            callback.load_state_dict(state)
        self.model.load_state_dict(checkpoint.model)
        self.optimizer.load_state_dict(checkpoint.optimizer)
        self.best = checkpoint.best
        self.choices = checkpoint.choices
        self.progress = checkpoint.progress
        self._set_memory_format(self.choices["memory_format"])
        checkpoint.restore_random()

    def _set_memory_format(self, name: str) -> None:
        import torch

        in_channels_last = name == "channels_last"
        memory_format = torch.channels_last if in_channels_last else torch.contiguous_format
        self.model = self.model.to(memory_format=memory_format)

    def fitted(self) -> Fitted:
        """The network with the weights to keep, on the CPU."""
        import torch

        regularizers, progress = self.regularizers, self.progress
        regularizers.remove()
        self.model.load_state_dict(self.best)
        model = self.model.to("cpu").to(memory_format=torch.contiguous_format).eval()
        epoch = progress.best_epoch if regularizers.restore_best else progress.epoch
        return Fitted(
            model, progress.history, self.choices, progress.step, epoch, regularizers.notes
        )
