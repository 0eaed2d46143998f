"""Rows as torch tensors: prepared once and kept on the device when they fit in memory, by batch
when they do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

__all__ = ["TensorRows", "tensor"]

IN_MEMORY_BYTES = (
    1 << 30
)  # prepared rows up to this size are kept as tensors; larger ones are prepared by batch


class TensorRows:
    """Rows as tensors on a device, prepared once when they fit in memory, by batch when they do
    not.
    """

    def __init__(self, rows: Any, prepare: Any, device: str) -> None:
        self.rows, self.device = rows.prepared(None), device
        self._inputs: dict[str, torch.Tensor] | None = None
        sample = rows.take(slice(0, 1)).prepared(prepare).inputs
        size = sum(a.nbytes for a in sample.values()) * len(rows)
        if hasattr(rows, "inputs") and size <= IN_MEMORY_BYTES:
            prepared = rows.prepared(prepare)
            # Copies: a network that works in place (ReLU(inplace=True) in front) must not write
            # into the user's rows.
            self._inputs = {name: tensor(a, device).clone() for name, a in prepared.inputs.items()}
            self._targets = tensor(np.asarray(prepared.targets), device).clone()
        elif hasattr(rows, "inputs"):
            self.rows, self._prepare = rows, prepare
        else:
            self.rows, self._prepare = rows.prepared(prepare), None

    def __len__(self) -> int:
        return len(self.rows)

    def batches(
        self, size: int, rng: np.random.Generator | None = None
    ) -> Iterator[tuple[dict[str, torch.Tensor], torch.Tensor]]:
        """Batches of tensors; a last batch of one row is left out when training, as batch norm
        cannot take it.
        """
        import torch

        if self._inputs is None:
            for inputs, targets in self.rows.batches(size, rng=rng):
                if rng is None or len(targets) > 1 or len(self) == 1:
                    named = self._prepare(inputs) if self._prepare else inputs
                    tensors = {n: tensor(a, self.device).clone() for n, a in named.items()}
                    yield tensors, tensor(np.asarray(targets), self.device)
            return
        order = (
            None if rng is None else torch.from_numpy(rng.permutation(len(self))).to(self.device)
        )
        for start in range(0, len(self), size):
            if order is not None and len(self) - start == 1 and start:
                return
            chosen = slice(start, start + size) if order is None else order[start : start + size]
            inputs = {
                name: t[chosen] for name, t in self._inputs.items()
            }  # a slice is a view, an index is a copy
            yield (
                {name: t.clone() for name, t in inputs.items()} if order is None else inputs,
                self._targets[chosen],
            )


def tensor(array: np.ndarray, device: str) -> torch.Tensor:
    """A tensor of what networks take: float64 becomes float32, small signed integers become int64."""
    import torch

    array = np.ascontiguousarray(array)
    made = torch.from_numpy(
        array if array.flags.writeable else array.copy()
    )  # torch warns of what it could not write
    if made.dtype == torch.float64:
        made = made.float()
    elif made.dtype in (torch.int8, torch.int16, torch.int32):
        made = made.long()
    return made.to(device)
