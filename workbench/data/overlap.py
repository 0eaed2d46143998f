"""Overlap: keys that are equal for equal rows, to find rows that are in two splits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from workbench.data.rows import AnyRows, Rows

__all__ = ["copies_are_natural", "overlap_is_natural", "row_hashes", "row_keys", "share_of_copies"]

MANY_ROWS = 100_000  # values are counted in this many rows
CLEAR = 0.01  # an overlap is clearly larger than expected beyond this share and three deviations


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


def overlap_is_natural(train: AnyRows, held: np.ndarray, others: np.ndarray) -> bool:
    """Whether rows of a held-out split occur in others as random draws do, so it is no leak.

    `held` and `others` are keys of rows `(rows,)`. Rows of few different values are drawn more than
    once: a held-out row is then among the others about as often as one of the others has a copy
    among them (leave one out). A larger overlap, and copies of rows that are not made of few
    different values, have another cause.
    """
    share = float(np.isin(held, others).mean())
    expected = max(share_of_copies(others), share_of_copies(held))
    deviation = np.sqrt(expected * (1 - expected) / len(held))
    return share <= expected + 3 * deviation + CLEAR and copies_are_natural(train)


def share_of_copies(keys: np.ndarray) -> float:
    """Share of rows `(rows,)` of which there is another copy among the same rows."""
    _, counts = np.unique(keys, return_counts=True)
    return float(counts[counts > 1].sum() / max(1, len(keys)))


def copies_are_natural(rows: AnyRows) -> bool:
    """Whether rows have copies because they are made of few different values, as categories are.

    Two of n rows are equal by chance where there are fewer than n^2 different rows (the birthday
    problem). The number of different rows is estimated as 2 to the sum of the entropies of columns
    and targets, as if they were independent. A column of fractions that differ in most rows is
    continuous: equal rows are then copies of one another, as oversampling makes them.
    """
    if not isinstance(rows, Rows):
        return False
    rows = rows.take(slice(0, MANY_ROWS))
    _, first = np.unique(row_hashes(rows), return_index=True)
    if len(first) == len(rows):
        return False
    different = rows.take(first)
    most = 2 * np.log2(max(2, len(rows)))
    are_many = 10 * len(different) > len(rows)
    bits = 0.0
    for values, apart in zip(_all_columns(rows), _all_columns(different), strict=True):
        if are_many and _is_continuous(apart):
            return False
        _, counts = np.unique(values, return_counts=True)
        shares = counts / counts.sum()
        bits -= float((shares * np.log2(shares)).sum())
        if bits > most:
            return False
    return True


def _all_columns(rows: Rows) -> Iterator[np.ndarray]:
    """Each column `(rows,)` of the inputs and targets; texts as text."""
    for array in (*rows.inputs.values(), rows.targets):
        array = np.asarray(array)
        if array.dtype.kind == "O":
            array = np.asarray([hash(str(value)) for value in array.ravel().tolist()])
        flat = array.reshape(len(array), -1)
        yield from (flat[:, i] for i in range(flat.shape[1]))


def _is_continuous(values: np.ndarray) -> bool:
    """Whether values `(rows,)` are fractions of which more than half differ."""
    if values.dtype.kind != "f":
        return False
    finite = values[np.isfinite(values)]
    return bool((finite % 1 != 0).any()) and 2 * len(np.unique(finite)) > len(values)


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
