"""Lazy layers of torch, which get their sizes and weights in the first call of the network.

Examples are `nn.LazyLinear` and `nn.LazyBatchNorm2d`. Until that call they can neither be counted,
kept nor trained, so a network of a task is called once with rows of train when it is built.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from workbench.errors import TaskError
from workbench.models.networks import call_model

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

__all__ = ["lazy_layers", "shaped"]


def lazy_layers(model: nn.Module) -> list[str]:
    """Names of the modules whose tensors have no size yet; `model` is the name of the network."""
    from torch.nn.parameter import is_lazy

    return [
        path or "model"
        for path, module in model.named_modules()
        if any(map(is_lazy, (*module._parameters.values(), *module._buffers.values())))
    ]


def shaped(model: nn.Module, inputs: Callable[[], Mapping[str, np.ndarray]]) -> nn.Module:
    """The same network, its lazy layers sized by one call with `inputs()`, named `(rows, ...)`.

    The call is in eval mode, so that batch norm's statistics stay. The weights are drawn from
    torch's random state. Raises TaskError for a call that fails, and for lazy layers that the call
    does not reach.
    """
    lazy = lazy_layers(model)
    if not lazy:
        return model
    error = _called(model, inputs())
    left = lazy_layers(model)
    if not left:
        return model
    names = ", ".join(f"`{name}`" for name in left)
    reason = "the call does not reach them"
    if error is not None:
        reason = f"the call raised {type(error).__name__}: {str(error).rstrip('.')}"
    raise TaskError(
        f"`model` has lazy layers ({names}), which get their sizes from a call with rows of train, "
        f"and {reason}. Mend `forward`, or write the sizes into these layers."
    )


def _called(model: nn.Module, inputs: Mapping[str, np.ndarray]) -> Exception | None:
    """The error of a call with these rows, else None; whole numbers are tried as floats too."""
    import torch

    from workbench.data.tensors import tensor

    modes = {module: module.training for module in model.modules()}
    parameter = next(model.parameters(), None)
    device = "cpu" if parameter is None else str(parameter.device)
    tensors = {name: tensor(array, device) for name, array in inputs.items()}
    first: Exception | None = None
    try:
        model.eval()
        for rows in (tensors, {name: value.float() for name, value in tensors.items()}):
            try:
                with torch.no_grad():
                    call_model(model, rows)
                return None
            except Exception as error:  # the user's own `forward` may raise any error
                first = first or error
    finally:
        for module, mode in modes.items():
            module.training = mode
    return first
