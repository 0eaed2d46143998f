"""Hashes of rows by their inputs alone, for many rows at once."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import numpy as np

from workbench.data.rows import Rows

__all__ = ["column_hashes", "input_hashes"]

FACTOR = np.uint64(0x9E3779B97F4A7C15)
SHIFT = np.uint64(29)


def input_hashes(splits: Mapping[str, Rows], names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """A hash of the inputs of each row `(rows,)` of each split, equal for equal rows.

    It is the sum of `column_hashes`, so that a column can be taken out by subtraction.
    """
    hashes = {split: np.zeros(len(rows), np.uint64) for split, rows in splits.items()}
    for name in names:
        for split, rows in splits.items():
            hashes[split] += column_hashes(name, rows.inputs[name])
    return hashes


def column_hashes(name: str, array: np.ndarray) -> np.ndarray:
    """A hash of the values of one input `(rows,)`; equal values of other inputs have others."""
    hashes = np.full(len(array), zlib.crc32(name.encode()), np.uint64)
    for column in _columns(array):
        hashes = _mixed(hashes, column)
    return _mixed(hashes, hashes >> SHIFT)


def _mixed(hashes: np.ndarray, column: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        mixed = (hashes ^ column) * FACTOR
        return mixed ^ (mixed >> SHIFT)


def _columns(array: np.ndarray) -> list[np.ndarray]:
    """Hashes of the values of each column `(rows,)`; those of images of whole rows."""
    from pandas.util import hash_array

    if array.dtype.kind in "OU":
        flat = array.astype(object).reshape(len(array), -1)
        texts = [[v if isinstance(v, str) else str(v) for v in c] for c in flat.T.tolist()]
        return [hash_array(np.array(t, object), categorize=True) for t in texts]
    if array.dtype.kind == "f":
        array = np.where(array == 0, 0, array)  # -0.0 is 0.0
    if array.ndim == 1:
        return [hash_array(array)]
    rows = np.ascontiguousarray(array).reshape(len(array), -1)
    weights = np.random.default_rng(0).integers(1, 2**62, rows.shape[1]).astype(np.uint64) | 1
    bits = rows.astype(np.float64).view(np.uint64)
    with np.errstate(over="ignore"):
        return [((bits ^ (bits >> SHIFT)) * weights).sum(axis=1, dtype=np.uint64)]
