"""The outputs of a network: their shape, the layers that compute them, and the widths of layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from workbench.models.networks import call_model, first_tensor

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["nodes_behind", "output_layers", "output_shape", "widths"]


def output_layers(model: nn.Module, inputs: dict[str, torch.Tensor]) -> set[str]:
    """Names of the layers whose channels are the model's outputs; they must keep their width.

    Walks the autograd graph back from the outputs, and stops on each path at the first weight. This
    works for any architecture.
    """
    import torch

    owners = {id(p): name for name, m in model.named_modules() for p in m.parameters(recurse=False)}
    # Autograd does not record a frozen layer: the walk would pass it and stop at the one before.
    frozen = [p for p in model.parameters() if not p.requires_grad and p.is_floating_point()]
    with torch.enable_grad():
        for parameter in frozen:
            parameter.requires_grad_(True)
        outputs = first_tensor(call_model(model, inputs))
    for parameter in frozen:
        parameter.requires_grad_(False)
    nodes = nodes_behind(outputs, goes_on=lambda node: not _weights_of(node))
    weights = [weight for node in nodes for weight in _weights_of(node)]
    return {owners[id(weight)] for weight in weights if id(weight) in owners}


def nodes_behind(
    tensor: torch.Tensor, goes_on: Callable[[Any], bool] = lambda node: True
) -> Iterator[Any]:
    """Nodes of the autograd graph from which a tensor was computed, each once, the last first.

    The walk does not pass a node where `goes_on` is false.
    """
    to_visit: list[Any] = [tensor.grad_fn]
    visited = set()
    while to_visit:
        node = to_visit.pop()
        if node is None or node in visited:
            continue
        visited.add(node)
        yield node
        if goes_on(node):
            to_visit += [n for n, _ in node.next_functions]


def _weights_of(node: Any) -> list[torch.Tensor]:
    """Weights (parameters of two axes or more) that a node reads."""
    parameters = [_parameter_of(n) for n, _ in node.next_functions]
    return [p for p in parameters if p is not None and p.ndim > 1]


def _parameter_of(node: Any) -> torch.Tensor | None:
    """The parameter behind a node of the graph, or None.

    Linear layers transpose their weight first, so a transposition is skipped.
    """
    if node is None:
        return None
    if hasattr(node, "variable"):
        return node.variable
    if node.name().startswith(("TBackward", "TransposeBackward")):
        return _parameter_of(node.next_functions[0][0])
    return None


def output_shape(model: nn.Module, inputs: dict[str, torch.Tensor]) -> tuple[int, ...]:
    """Shape `(batch, ...)` of the output tensor."""
    import torch

    with torch.no_grad():
        return tuple(first_tensor(call_model(model, inputs)).shape)


def widths(model: nn.Module) -> dict[str, int]:
    """Number of output channels, features or hidden units of every layer that has them."""
    from torch import nn

    by_layer: dict[str, int] = {}
    for name, module in model.named_modules():
        has_weight = hasattr(module, "weight")
        if has_weight and hasattr(module, "out_channels"):
            by_layer[name] = module.out_channels
        elif has_weight and hasattr(module, "out_features"):
            by_layer[name] = module.out_features
        elif isinstance(module, nn.RNNBase):
            by_layer[name] = module.hidden_size
        elif isinstance(module, nn.Embedding):
            by_layer[name] = module.embedding_dim
    return by_layer
