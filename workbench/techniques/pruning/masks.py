"""Masks: which single weights are zero and stay so while a network is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from pandas import DataFrame
    from torch import nn

__all__ = ["apply", "layer_of", "matrices", "sparsity", "sparsity_table"]


def matrices(
    model: nn.Module, ignored: list[str] | None = None
) -> Iterator[tuple[str, nn.Module, str]]:
    """Weights that can be masked: full name, module, local name. Kernels and matrices, not biases,
    norms or embeddings.
    """
    from torch import nn

    seen: set[int] = set()
    for path, module in model.named_modules():
        if isinstance(module, (nn.Embedding, nn.EmbeddingBag)) or any(
            path == i or path.startswith(f"{i}.") for i in ignored or ()
        ):
            continue
        for name, parameter in module.named_parameters(recurse=False):
            is_known = isinstance(
                module, (nn.modules.conv._ConvNd, nn.Linear, nn.RNNBase, nn.MultiheadAttention)
            )
            if is_known and parameter.ndim > 1 and id(parameter) not in seen:
                seen.add(id(parameter))  # one that two layers share is masked once
                yield (f"{path}.{name}" if path else name), module, name


def layer_of(parameter: str) -> str:
    """The layer that holds a weight: "encoder.0" of "encoder.0.weight"."""
    return parameter.rpartition(".")[0]


def apply(model: nn.Module, masks: Mapping[str, torch.Tensor]) -> None:
    """Set the masked weights of a model to zero, in place; masks `(weight's shape)` are true where
    a weight stays.
    """
    import torch

    parameters = dict(model.named_parameters(remove_duplicate=False))
    with torch.no_grad():
        for name, mask in masks.items():
            parameter = parameters[name]
            parameter.masked_fill_(~mask.to(parameter.device), 0.0)


def sparsity(model: nn.Module) -> float:
    """Share of the weights that masks reach which are exactly zero."""
    counted = [
        (int((getattr(m, n) == 0).sum()), getattr(m, n).numel()) for _, m, n in matrices(model)
    ]
    return sum(z for z, _ in counted) / max(1, sum(n for _, n in counted))


def sparsity_table(model: nn.Module) -> DataFrame:
    """How sparse each weight is: layer, weights, zeros, sparsity; the last row is all of them."""
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
