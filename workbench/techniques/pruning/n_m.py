"""N:M sparsity: of every m weights along the input, the n largest stay (2:4 is what NVIDIA's sparse
tensor cores read).

Mishra et al., "Accelerating Sparse Deep Neural Networks" (2021). The input dimension of a kernel is
its channels:

    linear (out, in)             groups of m along in
    conv (out, in, h, w)         groups of m along in, for each tap of the kernel
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.errors import CandidateError, SettingsError
from workbench.techniques.pruning.masks import matrices

if TYPE_CHECKING:
    import torch
    from pandas import DataFrame
    from torch import nn

__all__ = ["check_n_m", "n_m_masks"]


def n_m_masks(
    model: nn.Module, n: int = 2, m: int = 4, ignored: list[str] | None = None
) -> tuple[dict[str, torch.Tensor], tuple[str, ...]]:
    """Masks by the weight's name, true where a weight stays, and the names of weights whose inputs
    are no multiple of m.

    Raises SettingsError when n is not below m, CandidateError when no weight can hold the pattern.
    """
    if n >= m:
        raise SettingsError(
            f"`n` must be below `m`, as n of every m weights stay; got {n} of {m}. 2 of 4 is what "
            "GPUs read."
        )
    masks, left = {}, []
    for name, module, local in matrices(model, ignored):
        weight = getattr(module, local).detach()
        if weight.shape[1] % m:
            left.append(name)
        else:
            masks[name] = _mask(weight, n, m)
    if not masks:
        raise CandidateError(
            f"No layer of this network has a number of inputs that {m} divides: the pattern "
            f"{n}:{m} fits nowhere."
        )
    return masks, tuple(left)


def _mask(weight: torch.Tensor, n: int, m: int) -> torch.Tensor:
    """True for the n largest of every m weights along dimension 1."""
    import torch

    by_input = weight.movedim(1, -1)
    groups = by_input.abs().reshape(*by_input.shape[:-1], -1, m)
    mask = torch.zeros_like(groups, dtype=torch.bool).scatter_(
        -1, groups.topk(n, dim=-1).indices, True
    )
    return mask.reshape(by_input.shape).movedim(-1, 1).contiguous()


def check_n_m(model: nn.Module, n: int = 2, m: int = 4) -> DataFrame:
    """Which weights hold the pattern: layer, weights, zeros, holds (at most n of every m are not
    zero) and why not.
    """
    import pandas as pd

    rows = []
    for name, module, local in matrices(model):
        weight = getattr(module, local).detach()
        why = ""
        if weight.shape[1] % m:
            why = f"{weight.shape[1]} inputs are no multiple of {m}"
        else:
            groups = weight.movedim(1, -1).reshape(-1, m)
            n_bad = int(((groups != 0).sum(1) > n).sum())
            why = f"{n_bad} of {len(groups)} groups hold more than {n}" if n_bad else ""
        rows.append(
            (name.removesuffix(".weight"), weight.numel(), int((weight == 0).sum()), not why, why)
        )
    return pd.DataFrame(rows, columns=["layer", "weights", "zeros", "holds", "why"])
