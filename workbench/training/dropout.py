"""Dropout that is set for a training and taken away after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workbench.errors import TaskError
from workbench.models.networks import call_model

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["Dropout", "set_dropout"]


@dataclass
class Dropout:
    """Dropout of a training: a sentence about its place, and the way back to the plain network."""

    note: str
    _before: list[tuple[nn.Module, str, float]] = field(default_factory=list)
    _handles: list[Any] = field(default_factory=list)

    def remove(self) -> None:
        """Give layers their own rate again, and take away what was added."""
        for module, name, rate in self._before:
            setattr(module, name, rate)
        for handle in self._handles:
            handle.remove()
        self._before.clear()
        self._handles.clear()


def set_dropout(
    model: nn.Module, rate: float, inputs: Callable[[], dict[str, torch.Tensor]]
) -> Dropout:
    """Set the rate of all dropout of a network in place, or add dropout where it has none.

    Added dropout stands before the last linear layer that a call with `inputs()` reaches. It is no
    module, so that the names of weights stay. Raises TaskError for a network with neither.
    """
    places = list(_places(model))
    if places:
        before = [(module, name, getattr(module, name)) for module, name in places]
        for module, name in places:
            setattr(module, name, rate)
        return Dropout(f"Dropout of {rate:g} in {_layers(len(places))} of the network.", before)
    if rate == 0:
        return Dropout("")
    name, layer = _last_linear(model, inputs())
    handle = layer.register_forward_pre_hook(_dropping(rate))
    return Dropout(
        f"The network has no dropout layer: while it is trained, dropout of {rate:g} stands before "
        f"its last linear layer `{name}`.",
        _handles=[handle],
    )


def _layers(n: int) -> str:
    return "the one dropout layer" if n == 1 else f"the {n} dropout layers"


def _places(model: nn.Module) -> Iterator[tuple[nn.Module, str]]:
    """Modules with a rate of dropout, and the name of its attribute."""
    from torch import nn
    from torch.nn.modules.dropout import _DropoutNd

    for module in model.modules():
        if isinstance(module, _DropoutNd):
            yield module, "p"
        elif isinstance(module, nn.MultiheadAttention):
            yield module, "dropout"
        elif isinstance(module, nn.RNNBase) and module.num_layers > 1:
            yield module, "dropout"  # acts between the layers


def _last_linear(model: nn.Module, inputs: dict[str, torch.Tensor]) -> tuple[str, nn.Module]:
    """The linear layer that is called last."""
    import torch
    from torch import nn

    called: list[tuple[str, nn.Module]] = []
    linear = [(name, m) for name, m in model.named_modules() if isinstance(m, nn.Linear)]
    handles = [
        m.register_forward_hook(lambda *_, entry=(name, m): called.append(entry))
        for name, m in linear
    ]
    was_training = model.training
    try:
        with torch.no_grad():
            call_model(model.eval(), inputs)
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    if not called:
        raise TaskError(
            "`dropout` needs a dropout layer or a linear layer, and the network has neither: leave "
            "`dropout` empty, or put an `nn.Dropout` into the network."
        )
    return called[-1]


def _dropping(rate: float) -> Callable[[nn.Module, tuple[Any, ...]], tuple[Any, ...]]:
    from torch.nn import functional as F

    def hook(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        first, *rest = inputs
        return F.dropout(first, rate, module.training), *rest

    return hook
