"""Masks of single weights, and the sparsity of a network."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from pandas import DataFrame
    from torch import nn

__all__ = ["apply", "is_inside", "layer_of", "matrices", "sparsity", "sparsity_table"]


def is_inside(layer: str, names: Collection[str]) -> bool:
    """Whether a layer is one of these modules, or inside one of them."""
    return any(layer == name or layer.startswith(f"{name}.") for name in names)


def matrices(
    model: nn.Module, ignored: Collection[str] = ()
) -> Iterator[tuple[str, nn.Module, str]]:
    """Weights that can be masked: full name, module, local name.

    Kernels and matrices of convolution, linear, recurrent and attention layers; no biases, norms or
    embeddings. A weight that two layers share comes once.
    """
    from torch import nn

    kinds = (nn.modules.conv._ConvNd, nn.Linear, nn.RNNBase, nn.MultiheadAttention)
    seen: set[int] = set()
    for path, module in model.named_modules():
        if not isinstance(module, kinds) or is_inside(path, ignored):
            continue
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.ndim > 1 and id(parameter) not in seen:
                seen.add(id(parameter))
                yield (f"{path}.{name}" if path else name), module, name


def layer_of(parameter: str) -> str:
    """The layer that holds a weight: "encoder.0" of "encoder.0.weight"."""
    return parameter.rpartition(".")[0]


def apply(model: nn.Module, masks: Mapping[str, torch.Tensor]) -> None:
    """Set masked weights of a model to zero, in place.

    Masks have the shape of their weight and are true where a weight is kept.
    """
    import torch

    parameters = dict(model.named_parameters(remove_duplicate=False))
    with torch.no_grad():
        for name, mask in masks.items():
            parameter = parameters[name]
            parameter.masked_fill_(~mask.to(parameter.device), 0.0)


def sparsity(model: nn.Module) -> float:
    """Fraction of the maskable weights that are exactly zero."""
    n_zeros = 0
    n_weights = 0
    for _, module, name in matrices(model):
        weight = getattr(module, name)
        n_zeros += int((weight == 0).sum())
        n_weights += weight.numel()
    return n_zeros / max(1, n_weights)


def sparsity_table(model: nn.Module) -> DataFrame:
    """Sparsity of each weight: layer, weights, zeros, sparsity; the last row is the sum."""
    import pandas as pd

    rows = [
        (name, getattr(m, n).numel(), int((getattr(m, n) == 0).sum()))
        for name, m, n in matrices(model)
    ]
    table = pd.DataFrame(rows, columns=["layer", "weights", "zeros"])
    table.loc[len(table)] = ["all", int(table["weights"].sum()), int(table["zeros"].sum())]
    table["layer"] = table["layer"].str.removesuffix(".weight")
    table["sparsity"] = table["zeros"] / table["weights"].clip(lower=1)
    return table
