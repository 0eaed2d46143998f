"""for_network(): arrays in the types that networks compute with, decided here and nowhere else.

    float16, bfloat16, float64, long double        -> float32
    int8 to int64, uint16 to uint64                -> int64
    bool, uint8 (pictures), float32                stay
    big-endian, read-only, Fortran order           -> the machine's own

Whole numbers may be tokens, which a network looks up, or measurements, which it multiplies. Nothing
in an array tells them apart: `make_task` asks the model (`workbench.tasks.measurements`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["AsFloat", "for_network"]


def for_network(array: np.ndarray) -> np.ndarray:
    """The array in a type for networks; the array itself where it has one already."""
    array = np.asarray(array)
    kind = array.dtype.kind
    if kind == "f" or array.dtype.name == "bfloat16":  # of ml_dtypes: numpy gives it the kind V
        return array.astype(np.float32, copy=False)
    if kind == "c":
        return array.astype(np.complex64, copy=False)
    if kind in "iu" and array.dtype.itemsize == 1 and kind == "u":
        return array
    if kind in "iu":
        return array.astype(np.int64, copy=False)
    return array


@dataclass(frozen=True)
class AsFloat:
    """A `prepare` that makes float32 of named inputs, after another one if there is one."""

    names: tuple[str, ...]
    first: Callable[[dict[str, np.ndarray]], Mapping[str, np.ndarray]] | None = None

    def __call__(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        prepared = inputs if self.first is None else self.first(inputs)
        return {
            name: np.asarray(a).astype(np.float32) if name in self.names else a
            for name, a in prepared.items()
        }
