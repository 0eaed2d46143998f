"""Whether the network built from a structure computes the same as the original."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from workbench.keeping.load_network import StructureError, build
from workbench.models.networks import call_model

__all__ = ["first_rows", "tensors_of", "verified"]


def verified(
    network: nn.Module,
    structure: dict[str, Any],
    weights: dict[str, torch.Tensor],
    examples: Mapping[str, torch.Tensor],
) -> dict[str, Any]:
    """The structure, if the network built from it computes the same as the original.

    Raises StructureError for outputs that differ in eval mode. If they differ in train mode only,
    `trains` becomes False.
    """
    device = next(iter(examples.values())).device
    try:
        copies = {name: tensor.clone() for name, tensor in weights.items()}
        rebuilt = build(structure, copies).to(device)
    except Exception as error:  # torch.fx generates and compiles code from the graph
        raise StructureError(f"the graph cannot be built again: {error}") from error
    fixed = f" {' '.join(structure['notes'])}" if structure["notes"] else ""
    for n in (1, 2):
        problem = _difference(network, rebuilt, first_rows(examples, n))
        if problem:
            raise StructureError(
                f"the recorded graph does not compute the same for {n} rows: {problem}.{fixed}"
            )
    if not structure["trains"]:
        return structure
    problem = _difference(network.train(), rebuilt.train(), first_rows(examples, 2))
    if problem:
        structure["trains"] = False
        structure["notes"].append(f"Train mode could not be shown to compute the same: {problem}.")
    return structure


def _difference(network: nn.Module, rebuilt: nn.Module, inputs: Mapping[str, torch.Tensor]) -> str:
    """The difference of two networks' outputs under the same seed, as text; empty if none."""
    outputs = []
    for each in (network, rebuilt):
        torch.manual_seed(0)
        try:
            with torch.no_grad():
                copies = {name: tensor.clone() for name, tensor in inputs.items()}
                outputs.append(tensors_of(call_model(each, copies)))
        except Exception as error:  # of the user's forward, or of the graph at another size
            subject = "the network itself" if each is network else "it"
            return f"{subject} fails with {type(error).__name__}: {error}"
    expected, actual = outputs
    if [t.shape for t in expected] != [t.shape for t in actual]:
        return (
            f"outputs have the shapes {[tuple(t.shape) for t in actual]}, not "
            f"{[tuple(t.shape) for t in expected]}"
        )
    for a, b in zip(expected, actual, strict=True):
        scale = float(a.double().abs().nan_to_num(0, 0, 0).max()) if a.numel() else 0.0
        if not torch.allclose(
            a.double(), b.double(), rtol=1e-4, atol=1e-5 * scale + 1e-9, equal_nan=True
        ):
            return f"outputs differ by up to {float((a.double() - b.double()).abs().max()):.3g}"
    return ""


def tensors_of(outputs: Any) -> list[torch.Tensor]:
    """All tensors in the outputs of a network, in order."""
    if isinstance(outputs, torch.Tensor):
        return [outputs]
    if isinstance(outputs, Mapping):
        outputs = list(outputs.values())
    if not isinstance(outputs, (tuple, list)):
        outputs = list(getattr(outputs, "__dict__", {}).values())
    return [tensor for each in outputs for tensor in tensors_of(each)]


def first_rows(examples: Mapping[str, torch.Tensor], n: int) -> dict[str, torch.Tensor]:
    """The first `n` rows of each input, repeated where there are fewer."""
    return {
        name: torch.cat([t] * n)[:n] if t.ndim and len(t) < n else t[:n] if t.ndim else t
        for name, t in examples.items()
    }
