"""Averaging, the callback that keeps an average of the weights: EMA and SWA.

Sources: `torch.optim.swa_utils`; Izmailov et al., "Averaging Weights Leads to Wider Optima and
Better Generalization", UAI 2018; Polyak, Juditsky, "Acceleration of Stochastic Approximation by
Averaging", 1992.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from workbench.models.networks import call_model, copied
from workbench.training.callbacks import Callback, TrainingContext
from workbench.training.regularized import RegularizedFit

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["Averaging"]

Batches = Callable[[], "Iterator[tuple[dict[str, torch.Tensor], torch.Tensor]]"]


class Averaging(Callback):
    """Averages the weights after each step: over all of them (ema), or over the last part (swa).

    `batches()` gives the train rows, from which batch norm statistics are computed anew for the
    averaged weights.
    """

    def __init__(self, settings: RegularizedFit, n_steps: int, batches: Batches) -> None:
        self._settings = settings
        self._start = 0 if settings.averaging == "ema" else round(settings.swa_start * n_steps)
        self._batches = batches
        self._average: Any = None
        self._state: dict[str, Any] = {}

    def on_train_begin(self, context: TrainingContext) -> None:
        """Take over the average of a training that goes on."""
        if self._state:
            self._average = self._new(context.model)
            self._average.load_state_dict(self._state)

    def on_batch_begin(self, context: TrainingContext, inputs: Any, targets: Any) -> None:
        """Hold the learning rate while the weights of swa are averaged."""
        if self._settings.averaging == "swa" and context.step >= self._start:
            for group in context.optimizer.param_groups:
                group["lr"] = (self._settings.lr or 0.0) * self._settings.swa_lr

    def on_batch_end(self, context: TrainingContext, loss: torch.Tensor) -> None:
        """Add the weights of this step to the average."""
        if context.step <= self._start:
            return
        if self._average is None:
            self._average = self._new(context.model)
        self._average.update_parameters(context.model)

    def network(self) -> nn.Module | None:
        """The network with averaged weights; None before averaging started."""
        import torch
        from torch.optim.swa_utils import update_bn

        if self._average is None:
            return None
        network = self._average.module
        with torch.random.fork_rng(devices=[]):
            update_bn(_inputs_of(self._batches()), _called_by_name(network))
        return network

    def state_dict(self) -> dict[str, Any]:
        """The average and the number of steps in it; empty before averaging started."""
        return {} if self._average is None else dict(self._average.state_dict())

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Keep the state until the network of the training is known."""
        self._state = state

    def _new(self, model: nn.Module) -> Any:
        from torch.optim.swa_utils import AveragedModel, get_swa_multi_avg_fn

        is_ema = self._settings.averaging == "ema"
        average = _warmed_up(self._settings.ema_decay) if is_ema else get_swa_multi_avg_fn()
        return AveragedModel(copied(model), multi_avg_fn=average)


def _warmed_up(decay: float) -> Callable[..., None]:
    """The moving average with a lower decay in the first steps, so that it forgets the start."""
    import torch

    @torch.no_grad()
    def average(averages: Any, weights: Any, n_averaged: torch.Tensor) -> None:
        n = int(n_averaged)
        share = 1 - min(decay, (1 + n) / (10 + n))
        for old, new in zip(averages, weights, strict=True):
            if old.is_floating_point():
                old.lerp_(new, share)
            else:
                old.copy_(new)

    return average


def _inputs_of(batches: Iterable[tuple[Any, Any]]) -> Iterator[Any]:
    return (inputs for inputs, _ in batches)


def _called_by_name(network: nn.Module) -> nn.Module:
    """A module that takes the named inputs of a batch as one argument, as `update_bn` gives it."""
    from torch import nn

    class Called(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, inputs: dict[str, torch.Tensor]) -> Any:
            return call_model(self.network, inputs)

    return Called()
