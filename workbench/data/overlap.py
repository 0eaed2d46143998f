"""Overlap: what makes a row the same row, so that one which lies in two splits is found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from workbench.data.rows import AnyRows, Rows

__all__ = ["row_hashes", "row_keys"]


def row_hashes(rows: Rows) -> np.ndarray:
    """One int64 a row `(rows,)` over its inputs and targets; equal rows give equal numbers, within
    one process only.
    """
    parts = [_hashable(rows.inputs[name]) for name in sorted(rows.inputs)] + [
        _hashable(rows.targets)
    ]
    return np.fromiter((hash(row) for row in zip(*parts, strict=True)), np.int64, len(rows))


def _hashable(array: np.ndarray) -> list[Any]:
    array = np.asarray(array)
    if array.dtype.kind == "O":
        return [str(value) for value in array.tolist()]
    if array.ndim == 1:
        return (
            np.nan_to_num(array) if array.dtype.kind == "f" else array
        ).tolist()  # NaN never equals itself
    return [row.tobytes() for row in np.ascontiguousarray(array).reshape(len(array), -1)]


def row_keys(splits: Mapping[str, AnyRows], names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Something comparable a row: hashes in memory; indices for datasets that are, or are cut from,
    one and the same.
    """
    chosen = {n: splits[n] for n in names if n in splits}
    if all(isinstance(rows, Rows) for rows in chosen.values()):
        return {n: row_hashes(rows) for n, rows in chosen.items()}
    keys: dict[str, np.ndarray] = {}
    bases: dict[str, int] = {}
    for name, rows in chosen.items():
        if not isinstance(rows, Rows):
            keys[name], bases[name] = _indices(rows.dataset)
    held = names[0]
    return {n: k for n, k in keys.items() if held in bases and bases[n] == bases[held]}


def _indices(dataset: Any) -> tuple[np.ndarray, int]:
    """Row numbers in the dataset that (nested) subsets were cut from, and that dataset's identity."""
    chosen = np.arange(len(dataset))
    while hasattr(dataset, "indices") and hasattr(dataset, "dataset"):
        chosen, dataset = np.asarray(dataset.indices)[chosen], dataset.dataset
    return chosen, id(dataset)
