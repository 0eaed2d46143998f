"""Rows as torch tensors: small data are prepared once and kept, large data prepared by batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.data.dtypes import for_network

if TYPE_CHECKING:
    import torch

__all__ = ["TensorRows", "tensor"]

IN_MEMORY_BYTES = 1024**3  # 1 GiB: prepared rows up to this size are kept as tensors


class TensorRows:
    """Rows as tensors on a device.

    Rows in memory are prepared once if they need at most `IN_MEMORY_BYTES`. Larger ones, and those
    of a torch dataset, are prepared by batch.
    """

    def __init__(self, rows: Any, prepare: Any, device: str) -> None:
        self.rows = rows
        self.device = device
        self._prepare = prepare
        self._inputs: dict[str, torch.Tensor] | None = None
        if not hasattr(rows, "inputs"):  # a dataset prepares its own batches
            self.rows = rows.prepared(prepare)
            self._prepare = None
            return
        sample = rows.take(slice(0, 1)).prepared(prepare).inputs
        n_bytes = sum(array.nbytes for array in sample.values()) * len(rows)
        if n_bytes <= IN_MEMORY_BYTES:
            prepared = rows.prepared(prepare)
            # Copies: a network that works in place (ReLU(inplace=True) in front) must not write
            # into the user's rows.
            self._inputs = {n: tensor(a, device).clone() for n, a in prepared.inputs.items()}
            self._targets = tensor(np.asarray(prepared.targets), device).clone()

    def __len__(self) -> int:
        return len(self.rows)

    def batches(
        self, size: int, rng: np.random.Generator | None = None
    ) -> Iterator[tuple[dict[str, torch.Tensor], torch.Tensor]]:
        """Batches of tensors, shuffled by a generator `rng` if there is one.

        A shuffled last batch of one row is left out, as batch norm cannot train on one row.
        """
        import torch

        if self._inputs is None:
            for inputs, targets in self.rows.batches(size, rng=rng):
                if rng is None or len(targets) > 1 or len(self) == 1:
                    prepared = self._prepare(inputs) if self._prepare else inputs
                    tensors = {n: tensor(a, self.device).clone() for n, a in prepared.items()}
                    yield tensors, tensor(np.asarray(targets), self.device)
            return
        if rng is None:
            for start in range(0, len(self), size):
                chosen = slice(start, start + size)
                # A slice is a view; the copy keeps a network that works in place off the rows.
                inputs = {name: t[chosen].clone() for name, t in self._inputs.items()}
                yield inputs, self._targets[chosen]
            return
        order = torch.from_numpy(rng.permutation(len(self))).to(self.device)
        for start in range(0, len(self), size):
            if len(self) - start == 1 and start:
                return
            index = order[start : start + size]
            yield {name: t[index] for name, t in self._inputs.items()}, self._targets[index]


def tensor(array: np.ndarray, device: str) -> torch.Tensor:
    """A tensor on a device, in the type that `for_network` decides."""
    import torch

    array = np.ascontiguousarray(for_network(array))
    if not array.flags.writeable:  # torch warns of an array that it cannot write
        array = array.copy()
    return torch.from_numpy(array).to(device)
