"""Comparison of a network that lost channels with one in which their readers are zero."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from workbench.models.networks import call_model, first_tensor

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["difference"]


def difference(
    pruned: nn.Module,
    zeroed: nn.Module,
    inputs: Mapping[str, torch.Tensor],
    *,
    without: str = "channels",
    values: bool = True,
) -> str:
    """The difference of the outputs of two networks, as text; empty if there is none.

    `values` compares the values, else only the shape. `without` names the parts that `pruned` lost.
    """
    import torch

    try:
        with torch.no_grad():
            expected = first_tensor(call_model(zeroed, inputs))
            outputs = first_tensor(call_model(pruned, inputs))
    except Exception as error:  # any error of a user's `forward`
        return failure(error, without)
    if outputs.shape != expected.shape:
        return f"the outputs change from {tuple(expected.shape)} to {tuple(outputs.shape)}"
    if not values:
        return ""
    scale = float(expected.abs().max()) + 1e-6
    if not torch.allclose(outputs, expected, rtol=1e-3, atol=1e-4 * scale):
        return (
            f"its {without} are used in a way that cannot be followed (selected by number, or "
            "averaged)"
        )
    return ""


def failure(error: Exception, without: str = "channels") -> str:
    """The error of a network without some of its channels, as text."""
    first_line = str(error).splitlines()[0] if str(error) else ""
    return f"the network fails without some of its {without} ({type(error).__name__}: {first_line})"
