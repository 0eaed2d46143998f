"""N:M sparsity: of every m consecutive weights along the input, the n largest are kept.

2:4 is the pattern of NVIDIA's sparse tensor cores (Mishra et al., "Accelerating Sparse Deep Neural
Networks", 2021). The m weights of a window lie along the input channels:

    linear (out, in)             windows of m along in
    conv (out, in, h, w)         windows of m along in, at each position (h, w)
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from workbench.errors import CandidateError, SettingsError
from workbench.techniques.pruning.masks import matrices

if TYPE_CHECKING:
    import torch
    from pandas import DataFrame
    from torch import nn

__all__ = ["check_n_m", "n_m_masks"]


def n_m_masks(
    model: nn.Module, n: int = 2, m: int = 4, ignored: Collection[str] = ()
) -> tuple[dict[str, torch.Tensor], tuple[str, ...]]:
    """Masks by the weight's name, and the names of weights that cannot have the pattern.

    Masks are true where a weight is kept. A weight can have the pattern if m divides its number of
    inputs. Raises SettingsError when n is not below m, and CandidateError when no weight can have
    the pattern.
    """
    if n >= m:
        raise SettingsError(
            f"`n` must be below `m`, got `n` {n} and `m` {m}. GPUs have kernels for 2 and 4."
        )
    masks = {}
    unpruned = []
    for name, module, local in matrices(model, ignored):
        weight = getattr(module, local).detach()
        if weight.shape[1] % m:
            unpruned.append(name)
        else:
            masks[name] = _mask(weight, n, m)
    if not masks:
        raise CandidateError(
            f"{m} divides the number of inputs of no layer of this network, so the pattern {n}:{m} "
            "fits no layer. Use a smaller `m`, or `method` unstructured."
        )
    return masks, tuple(unpruned)


def _mask(weight: torch.Tensor, n: int, m: int) -> torch.Tensor:
    """True for the n largest of every m weights along dimension 1."""
    import torch

    inputs_last = weight.movedim(1, -1)
    windows = inputs_last.abs().reshape(*inputs_last.shape[:-1], -1, m)
    largest = windows.topk(n, dim=-1).indices
    mask = torch.zeros_like(windows, dtype=torch.bool).scatter_(-1, largest, True)
    return mask.reshape(inputs_last.shape).movedim(-1, 1).contiguous()


def check_n_m(model: nn.Module, n: int = 2, m: int = 4) -> DataFrame:
    """Whether each weight has the pattern: at most n of every m weights are not zero.

    Columns: layer, weights, zeros, holds, why (the reason where it does not hold).
    """
    import pandas as pd

    rows = []
    for name, module, local in matrices(model):
        weight = getattr(module, local).detach()
        why = _violation(weight, n, m)
        n_zeros = int((weight == 0).sum())
        rows.append((name.removesuffix(".weight"), weight.numel(), n_zeros, not why, why))
    return pd.DataFrame(rows, columns=["layer", "weights", "zeros", "holds", "why"])


def _violation(weight: torch.Tensor, n: int, m: int) -> str:
    """Why a weight does not have the pattern; empty if it has."""
    n_inputs = weight.shape[1]
    if n_inputs % m:
        return f"{m} does not divide its {n_inputs} inputs"
    windows = weight.movedim(1, -1).reshape(-1, m)
    n_violating = int(((windows != 0).sum(1) > n).sum())
    return f"{n_violating} of {len(windows)} windows have more than {n}" if n_violating else ""
