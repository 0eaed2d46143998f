"""Overlap: keys that are equal for equal rows, to find rows that are in two splits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from workbench.data.rows import AnyRows, Rows

__all__ = ["row_hashes", "row_keys"]


def row_hashes(rows: Rows) -> np.ndarray:
    """One int64 a row `(rows,)` over its inputs and targets, equal for equal rows.

    The numbers are comparable within one process only.
    """
    parts = [_hashable(rows.inputs[name]) for name in sorted(rows.inputs)]
    parts.append(_hashable(rows.targets))
    return np.fromiter((hash(row) for row in zip(*parts, strict=True)), np.int64, len(rows))


def _hashable(array: np.ndarray) -> list[Any]:
    array = np.asarray(array)
    if array.dtype.kind == "O":
        return [str(value) for value in array.tolist()]
    if array.ndim == 1:
        is_float = array.dtype.kind == "f"
        return (np.nan_to_num(array) if is_float else array).tolist()  # NaN is not equal to NaN
    return [row.tobytes() for row in np.ascontiguousarray(array).reshape(len(array), -1)]


def row_keys(splits: Mapping[str, AnyRows], names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """A comparable key for each row of the named splits.

    The keys are hashes for rows in memory. For datasets they are row numbers, of those splits only
    that come from the same dataset as the first.
    """
    chosen = {name: splits[name] for name in names if name in splits}
    in_memory = {name: rows for name, rows in chosen.items() if isinstance(rows, Rows)}
    if len(in_memory) == len(chosen):
        return {name: row_hashes(rows) for name, rows in in_memory.items()}
    keys: dict[str, np.ndarray] = {}
    bases: dict[str, int] = {}
    for name, rows in chosen.items():
        if not isinstance(rows, Rows):
            keys[name], bases[name] = _indices(rows.dataset)
    first = names[0]
    if first not in bases:
        return {}
    return {name: key for name, key in keys.items() if bases[name] == bases[first]}


def _indices(dataset: Any) -> tuple[np.ndarray, int]:
    """Row numbers in the dataset from which (nested) subsets were cut, and the dataset's id."""
    chosen = np.arange(len(dataset))
    while hasattr(dataset, "indices") and hasattr(dataset, "dataset"):
        chosen = np.asarray(dataset.indices)[chosen]
        dataset = dataset.dataset
    return chosen, id(dataset)
