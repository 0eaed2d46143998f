"""fit(), the one training loop of torch networks, which all techniques use.

Techniques change it through two hooks: `loss_hook(context) -> loss` (distillation, penalties) and
`step_hook(model, step)` after each optimizer step (masks, schedules of sparsity).

The order of batches and of augmentation depends on (seed, epoch, step) alone. So a run that was
interrupted and resumed from its checkpoint gives the same weights as an uninterrupted one.
"""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.data.tensors import TensorRows, tensor
from workbench.errors import TaskError, required
from workbench.events import Report
from workbench.metrics import like_targets
from workbench.models.networks import call_model, first_tensor
from workbench.task import Task
from workbench.training.callbacks import Callback, TrainingContext
from workbench.training.evaluate import autocast, predict_batches
from workbench.training.losses import loss_for
from workbench.training.precision import fastest
from workbench.training.settings import FitSettings, n_steps_of

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["Fitted", "LossContext", "fit"]


@dataclass(frozen=True)
class Fitted:
    """A trained network and its training.

    `history` has a row an epoch. `choices` are the precision and the memory format that were used,
    with their measured times if they were chosen automatically.
    """

    model: nn.Module
    history: list[dict[str, float]]
    choices: dict[str, Any]
    n_steps: int
    best_epoch: int


@dataclass(frozen=True)
class LossContext:
    """One batch for a loss hook: tensors `(batch, ...)`, `outputs` with their gradient.

    `loss` is the task's own loss. `beside` holds this batch's rows of the arrays given to `fit` as
    `beside`, such as a teacher's outputs.
    """

    model: nn.Module
    inputs: dict[str, torch.Tensor]
    outputs: torch.Tensor
    targets: torch.Tensor
    loss: torch.Tensor
    beside: dict[str, torch.Tensor]


@dataclass
class _State:
    """The progress of a training, which a checkpoint holds besides weights."""

    step: int = 0
    epoch: int = 0
    best_score: float = -math.inf
    best_epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


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

    `choices` are a parent's measured precision and memory format, used again. `checkpoint` is a
    file that is written after each epoch, and continued from if it exists. `beside` are arrays
    `(train rows, ...)`, of which the loss hook gets the rows of its batch. `callbacks` are called
    in order at each moment; they may change the batch or stop the training. Raises Cancelled when
    the report was asked to stop, TaskError when the loss is no longer finite.
    """
    import torch

    settings = settings.resolved()
    report = report or Report()
    with torch.random.fork_rng(devices=[]):
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
        loop.choose(dict(choices or {}))
        loop.resume(checkpoint)
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
        self.callbacks = callbacks
        self.model = copy.deepcopy(model).to(device)
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
        self.loss = task.loss or (None if task.train_step else loss_for(task.kind))
        self.train = TensorRows(task.data.train, prepare, device)
        self.valid = TensorRows(task.data.valid, prepare, device)
        self.beside = {name: tensor(array, device) for name, array in beside.items()}
        n_rows = len(self.train)
        wrong = [f"`{name}` has {len(t):,}" for name, t in self.beside.items() if len(t) != n_rows]
        if wrong:
            raise TaskError(
                f"Arrays of `beside` must have a row for each of the {n_rows:,} train rows: "
                f"{', '.join(wrong)}."
            )
        self.n_steps = n_steps_of(settings, len(self.train))
        self.optimizer = _optimizer(self.model, settings)
        self.state = _State()
        self.best = copy.deepcopy(self.model.state_dict())
        self.choices: dict[str, Any] = {}
        self.context = TrainingContext(self.model, self.optimizer, settings, self.n_steps)

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
        inputs, targets = next(self.train.batches(self.batch_size, self._order(0)))
        beside = self._beside(self._permutation(0)[: len(targets)])
        self.choices = fastest(
            self.model,
            lambda m: self._loss(m, inputs, targets, beside),
            inputs,
            fixed,
            n_steps=self.n_steps,
        )
        if self.choices["memory_format"] == "channels_last":
            import torch

            self.model = self.model.to(memory_format=torch.channels_last)

    def run(self, checkpoint: Path | None) -> None:
        """Train until the last step, or until `patience` epochs have no better score on valid."""
        state, context = self.state, self.context
        context.model, context.step, context.epoch = self.model, state.step, state.epoch
        for callback in self.callbacks:
            callback.on_train_begin(context)
        while self._goes_on():
            mean_loss = self._epoch()
            score = self._score()
            state.epoch += 1
            state.history.append(
                {
                    "epoch": state.epoch,
                    "step": state.step,
                    "train_loss": mean_loss,
                    "valid_score": score,
                }
            )
            self.report.curve(f"valid {self.task.metric.name}", state.step, score)
            signed = self.task.metric.sign * score
            if signed > state.best_score:
                state.best_score = signed
                state.best_epoch = state.epoch
                self.best = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
            context.epoch = state.epoch
            for callback in self.callbacks:
                callback.on_epoch_end(context, state.history[-1])
            if checkpoint:
                self._save(checkpoint)
        for callback in self.callbacks:
            callback.on_train_end(context)

    def _goes_on(self) -> bool:
        """Whether another epoch follows: steps are left, the score still rises, nobody stopped."""
        state = self.state
        is_patient = state.epoch - state.best_epoch < self.settings.patience
        return state.step < self.n_steps and is_patient and not self.context.stopped

    def _epoch(self) -> float:
        import torch

        model = self.model.train()
        state = self.state
        total = torch.zeros((), device=self.device)
        n = 0
        order = self._permutation(state.epoch)
        size = self.batch_size
        for inputs, targets in self.train.batches(size, self._order(state.epoch)):
            if state.step >= self.n_steps or self.context.stopped:
                break
            if self.task.augment:
                generator = torch.Generator().manual_seed(self.seed * 1_000_003 + state.step)
                inputs = self.task.augment(inputs, generator)
            for group in self.optimizer.param_groups:
                factor = _schedule(self.settings.schedule, state.step, self.n_steps)
                group["lr"] = self.lr * factor
            beside = self._beside(order[n * size : n * size + len(targets)])
            for callback in self.callbacks:
                changed = callback.on_batch_begin(self.context, inputs, targets)
                inputs, targets = changed or (inputs, targets)
            loss = self._loss(model, inputs, targets, beside)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            for callback in self.callbacks:
                callback.on_grad_computed(self.context)
            self.optimizer.step()
            state.step += 1
            self.context.step = state.step
            for callback in self.callbacks:
                callback.on_batch_end(self.context, loss.detach())
            total = total + loss.detach()
            n += 1
            if self.step_hook:
                self.step_hook(model, state.step)
            if state.step % 10 == 0 or state.step == self.n_steps:
                self._tell(float(loss.detach()))
            else:
                self.report.check()
        return float(total) / max(n, 1)

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
                f"The loss became {loss} at step {self.state.step}. Lower `fit_lr` (now "
                f"{self.lr:g}), or look for NaN or huge values in the inputs."
            )
        self.report.curve("train loss", self.state.step, loss)
        self.report.progress(
            self.state.step, self.n_steps, f"step {self.state.step}/{self.n_steps}, loss {loss:.3f}"
        )

    def _score(self) -> float:
        outputs = np.concatenate(
            list(predict_batches(self.model, self.valid, self.device, self.choices, self.report))
        )
        targets = np.asarray(self.task.data.valid.targets)
        return self.task.metric(like_targets(outputs, targets), targets)

    def _order(self, epoch: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, epoch])

    def _permutation(self, epoch: int) -> np.ndarray:
        """The order of the rows in an epoch, which all kinds of rows draw from `_order` first."""
        if not self.beside:
            return np.empty(0, np.int64)
        return self._order(epoch).permutation(len(self.train))

    def _beside(self, rows: np.ndarray) -> dict[str, torch.Tensor]:
        return {name: t[rows] for name, t in self.beside.items()}

    def _save(self, path: Path) -> None:
        """Write a checkpoint; a process killed meanwhile leaves the one before."""
        import torch

        content = {
            "model": self.model.state_dict(),
            "best": self.best,
            "optimizer": self.optimizer.state_dict(),
            "random": torch.get_rng_state(),
            "cuda_random": torch.cuda.get_rng_state() if "cuda" in self.device else None,
            "state": vars(self.state),
            "choices": self.choices,
            "settings": self.settings.tree(),
            "callbacks": [(type(c).__name__, c.state_dict()) for c in self.callbacks],
        }
        part = path.with_suffix(".part")
        torch.save(content, part)
        os.replace(part, path)

    def resume(self, path: Path | None) -> None:
        """Continue from a checkpoint written with the same settings; any other is ignored."""
        import torch

        if path is None or not path.exists():
            return
        content = torch.load(path, weights_only=True, map_location=self.device)
        kept = content.get("callbacks", [])
        same = [name for name, _ in kept] == [type(c).__name__ for c in self.callbacks]
        if content["settings"] != self.settings.tree() or not same:
            return
        for callback, (_, state) in zip(self.callbacks, kept, strict=True):
            callback.load_state_dict(state)
        self.model.load_state_dict(content["model"])
        self.optimizer.load_state_dict(content["optimizer"])
        torch.set_rng_state(content["random"].cpu())
        self.best = content["best"]
        self.choices = content["choices"]
        self.state = _State(**content["state"])
        in_channels_last = self.choices["memory_format"] == "channels_last"
        memory_format = torch.channels_last if in_channels_last else torch.contiguous_format
        self.model = self.model.to(memory_format=memory_format)
        if content["cuda_random"] is not None:
            torch.cuda.set_rng_state(content["cuda_random"].cpu())

    def fitted(self) -> Fitted:
        """The network with its best weights, on the CPU."""
        import torch

        self.model.load_state_dict(self.best)
        model = self.model.to("cpu").to(memory_format=torch.contiguous_format).eval()
        return Fitted(
            model, self.state.history, self.choices, self.state.step, self.state.best_epoch
        )


def _schedule(schedule: str, step: int, n_steps: int) -> float:
    warm_up = max(1, n_steps // 20)
    if step < warm_up:
        return (step + 1) / warm_up
    if schedule == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, n_steps - warm_up)))


def _optimizer(model: nn.Module, settings: FitSettings) -> torch.optim.Optimizer:
    import torch

    trained = [p for p in model.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if not groups:
        raise TaskError(
            "The model has no parameter that can be trained: set `requires_grad` of its parameters."
        )
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=settings.lr, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(groups, lr=settings.lr)
