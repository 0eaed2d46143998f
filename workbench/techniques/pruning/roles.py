"""Roles of layers in a group of tied channels: which of their sides loses channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["n_parts_of", "role_of", "zero_inputs"]


def role_of(module: Any, handler: Any, dependencies: Any) -> str:
    """The role of a layer in a group of torch-pruning, as `Member.role` names it.

    `handler` is the function that prunes it, `dependencies` the graph of torch-pruning.
    """
    from torch import nn

    if isinstance(module, nn.Parameter):
        return "parameter"
    is_instance_norm = type(module).__name__.startswith("InstanceNorm")
    if isinstance(module, nn.modules.batchnorm._BatchNorm) or is_instance_norm:
        return "norm"
    if isinstance(module, (nn.LayerNorm, nn.GroupNorm)):
        return "norm over channels"
    if isinstance(module, nn.modules.conv._ConvNd) and module.groups == module.out_channels > 1:
        return "depthwise"
    if not dependencies.is_out_channel_pruning_fn(handler):
        return "in"
    # One function of torch-pruning may prune both ways; of these layers it prunes outputs.
    both_ways = dependencies.is_in_channel_pruning_fn(handler)
    gives_outputs = isinstance(module, (nn.PReLU, nn.MultiheadAttention, nn.Embedding))
    return "in" if both_ways and not gives_outputs else "out"


def n_parts_of(module: Any, role: str) -> int:
    """Parts of a layer's channels that must keep one width."""
    if hasattr(module, "n_parts") and role == "out":
        return int(module.n_parts)
    if role == "norm over channels" and hasattr(module, "num_groups"):
        return int(module.num_groups)
    is_grouped = hasattr(module, "groups") and role in ("in", "out")
    return int(module.groups) if is_grouped else 1


def zero_inputs(module: Any, channels: Sequence[int]) -> None:
    """Set the weights of a layer that read these input channels to zero, in place."""
    import torch

    numbers = torch.tensor(list(channels))
    if getattr(module, "transposed", False):
        module.weight[numbers] = 0
    else:
        module.weight[:, numbers % module.weight.shape[1]] = 0
