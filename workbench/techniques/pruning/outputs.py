"""Which layers must keep their width, because their channels are what the network gives out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.models.networks import call_model, first_tensor

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["output_layers", "output_shape", "widths"]


def output_layers(model: nn.Module, inputs: dict[str, torch.Tensor]) -> set[str]:
    """Names of the layers whose channels are the model's outputs.

    Walks the autograd graph back from the outputs and stops at the first weight on each way:
    whatever architecture made it, those weights belong to the layers that must keep their width.
    """
    import torch

    owners = {id(p): name for name, m in model.named_modules() for p in m.parameters(recurse=False)}
    frozen = [p for p in model.parameters() if not p.requires_grad and p.is_floating_point()]
    with torch.enable_grad():
        for (
            p
        ) in frozen:  # a frozen layer is not on the graph, and the walk would stop one too early
            p.requires_grad_(True)
        outputs = first_tensor(call_model(model, inputs))
    for p in frozen:
        p.requires_grad_(False)
    found: set[str] = set()
    stack, seen = [outputs.grad_fn], set()
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        weights = [
            w
            for w in map(_weight, (n for n, _ in node.next_functions))
            if w is not None and w.ndim > 1
        ]
        if weights:
            found |= {owners[id(w)] for w in weights if id(w) in owners}
        else:
            stack += [n for n, _ in node.next_functions]
    return found


def _weight(node: Any) -> torch.Tensor | None:
    """The parameter behind a node, looking through the transposition that linear layers put before
    it.
    """
    if node is None:
        return None
    if hasattr(node, "variable"):
        return node.variable
    if node.name().startswith(("TBackward", "TransposeBackward")):
        return _weight(node.next_functions[0][0])
    return None


def output_shape(model: nn.Module, inputs: dict[str, torch.Tensor]) -> tuple[int, ...]:
    """The shape `(batch, ...)` of what counts in the outputs."""
    import torch

    with torch.no_grad():
        return tuple(first_tensor(call_model(model, inputs)).shape)


def widths(model: nn.Module) -> dict[str, int]:
    """Output channels, features or hidden units of every layer that has them."""
    from torch import nn

    found: dict[str, int] = {}
    for name, m in model.named_modules():
        if hasattr(m, "weight") and (hasattr(m, "out_channels") or hasattr(m, "out_features")):
            found[name] = getattr(m, "out_channels", None) or m.out_features
        elif isinstance(m, nn.RNNBase):
            found[name] = m.hidden_size
        elif isinstance(m, nn.Embedding):
            found[name] = m.embedding_dim
    return found
