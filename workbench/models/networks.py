"""Torch networks: calls with named inputs, copies, and weights drawn from a seed."""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from workbench.models.answer import first_tensor

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "build_seeded",
    "call_model",
    "can_reset",
    "copied",
    "first_tensor",
    "reset",
    "shape_of",
]


def build_seeded(build: Callable[[], Any], seed: int) -> Any:
    """The result of `build`, with weights drawn from `seed`; the caller's random state stays."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def call_model(model: nn.Module, inputs: Mapping[str, Any]) -> Any:
    """Call a network with named inputs: by name if its `forward` has these names, else in order."""
    if len(inputs) > 1:
        accepted = inspect.signature(model.forward).parameters
        if all(name in accepted for name in inputs):
            return model(**inputs)
    return model(*inputs.values())


def copied(model: nn.Module) -> nn.Module:
    """A deep copy of a network, its device and mode kept.

    A module may keep a tensor that it computed (`self.attention = weights` in `forward`). Such a
    tensor is part of a graph of gradients, which `copy.deepcopy` refuses: its values are copied. A
    lazy buffer stays one in the copy.
    """
    memo: dict[int, Any] = {}
    for module in model.modules():
        for value in vars(module).values():
            _remember_computed(value, memo)
    _remember_lazy(model, memo)
    return copy.deepcopy(model, memo)


def _remember_computed(value: Any, memo: dict[int, Any]) -> None:
    """Put copies of computed tensors into the memory of `copy.deepcopy`, found in containers."""
    import torch

    if isinstance(value, torch.Tensor):
        if not value.is_leaf:
            memo[id(value)] = value.detach().clone()
    elif isinstance(value, (list, tuple)):
        for item in value:
            _remember_computed(item, memo)
    elif isinstance(value, dict):
        for item in value.values():
            _remember_computed(item, memo)


def shape_of(model: nn.Module) -> dict[str, Any]:
    """All that the time of a call depends on besides its inputs: layers, and shapes of weights."""
    layers = re.sub(r"0x[0-9a-fA-F]+", "", str(model))  # addresses differ in each process
    shapes = {k: (str(t.dtype), tuple(t.shape)) for k, t in model.state_dict().items()}
    return {"layers": layers, "shapes": shapes}


def _remember_lazy(model: nn.Module, memo: dict[int, Any]) -> None:
    """Put new buffers without a size into the memory of `copy.deepcopy`, which cannot make them."""
    from torch.nn.parameter import UninitializedBuffer

    for buffer in model.buffers():
        if isinstance(buffer, UninitializedBuffer):
            memo[id(buffer)] = UninitializedBuffer(device=buffer.device, dtype=buffer.dtype)


def can_reset(model: Any) -> bool:
    """Whether every module with parameters of its own has `reset_parameters`."""
    owners = [m for m in model.modules() if next(m.parameters(recurse=False), None) is not None]
    return bool(owners) and all(hasattr(m, "reset_parameters") for m in owners)


def reset(model: Any) -> Any:
    """A copy of a network with newly drawn parameters, in train mode."""
    fresh = copied(model)
    for module in fresh.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    return fresh.train()
