"""A small network for tables of numbers and one-hot categories."""

from __future__ import annotations

from torch import nn

__all__ = ["table_net"]


def table_net(n_in: int, n_out: int, *, width: int = 64) -> nn.Sequential:
    """Two hidden layers of `width` units; `(batch, n_in)` to `(batch, n_out)`."""
    return nn.Sequential(
        nn.Linear(n_in, width),
        nn.BatchNorm1d(width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.BatchNorm1d(width),
        nn.ReLU(),
        nn.Linear(width, n_out),
    )
