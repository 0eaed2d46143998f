"""A small network for tables: numbers and one-hot categories in, one output a class."""

from __future__ import annotations

from torch import nn

__all__ = ["table_net"]


def table_net(n_in: int, n_out: int, *, width: int = 64) -> nn.Sequential:
    """Two hidden layers; `(batch, n_in)` to `(batch, n_out)`."""
    return nn.Sequential(
        nn.Linear(n_in, width),
        nn.BatchNorm1d(width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.BatchNorm1d(width),
        nn.ReLU(),
        nn.Linear(width, n_out),
    )
