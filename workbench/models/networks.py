"""Torch networks: calls with named inputs, their main output, and weights drawn from a seed."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from workbench.errors import CandidateError

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["build_seeded", "call_model", "can_reset", "first_tensor", "reset"]


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


def first_tensor(outputs: Any) -> torch.Tensor:
    """The main tensor of a network's outputs: itself, its `.logits`, or the first of several.

    Raises CandidateError for outputs that are no tensor and hold none.
    """
    if hasattr(outputs, "logits"):
        return outputs.logits
    if isinstance(outputs, Mapping):
        return outputs["logits"] if "logits" in outputs else next(iter(outputs.values()))
    if isinstance(outputs, (tuple, list)):
        return outputs[0]
    if not hasattr(outputs, "detach"):
        raise CandidateError(
            f"The model returned {type(outputs).__name__}; it must return a tensor, a tuple, a "
            "mapping, or an object with `.logits`."
        )
    return outputs


def can_reset(model: Any) -> bool:
    """Whether every module with parameters of its own has `reset_parameters`."""
    owners = [m for m in model.modules() if next(m.parameters(recurse=False), None) is not None]
    return bool(owners) and all(hasattr(m, "reset_parameters") for m in owners)


def reset(model: Any) -> Any:
    """A copy of a network with newly drawn parameters, in train mode."""
    fresh = copy.deepcopy(model)
    for module in fresh.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    return fresh.train()
