"""Batches, the train rows in an order that depends on the seed and the epoch alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from workbench.data.tensors import TensorRows, tensor
from workbench.errors import TaskError

if TYPE_CHECKING:
    import torch

__all__ = ["Batches"]


class Batches:
    """The batches of each epoch, with the same rows of further arrays beside them.

    `beside` are arrays `(train rows, ...)`. Raises TaskError for one with another number of rows.
    """

    def __init__(
        self,
        rows: TensorRows,
        size: int,
        seed: int,
        device: str,
        beside: Mapping[str, np.ndarray],
    ) -> None:
        self._rows, self._size, self._seed = rows, size, seed
        self._beside = {name: tensor(array, device) for name, array in beside.items()}
        n_rows = len(rows)
        wrong = [f"`{name}` has {len(t):,}" for name, t in self._beside.items() if len(t) != n_rows]
        if wrong:
            raise TaskError(
                f"Arrays of `beside` must have a row for each of the {n_rows:,} train rows: "
                f"{', '.join(wrong)}."
            )

    def epoch(
        self, number: int
    ) -> Iterator[tuple[dict[str, torch.Tensor], torch.Tensor, dict[str, torch.Tensor]]]:
        """Inputs, targets and beside, tensors `(batch, ...)`, of an epoch, counted from 0."""
        order = self._permutation(number)
        at = 0
        for inputs, targets in self._rows.batches(self._size, self._generator(number)):
            rows = order[at : at + len(targets)]
            yield inputs, targets, {name: t[rows] for name, t in self._beside.items()}
            at += self._size

    def _generator(self, epoch: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, epoch])

    def _permutation(self, epoch: int) -> np.ndarray:
        """The order of the rows in an epoch: all kinds of rows draw it first from the generator."""
        if not self._beside:
            return np.empty(0, np.int64)
        return self._generator(epoch).permutation(len(self._rows))
