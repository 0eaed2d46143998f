"""A user's own data, in whatever shape they come - arrays, tables, datasets, loaders - turned into
rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from workbench.data.rows import AnyRows, DatasetRows, Rows, named_batch
from workbench.errors import DataError, WorkbenchError, all_of, unknown

__all__ = ["is_table_pair", "read_all"]


def read_all(data: Mapping[str, Any], target: Any, times: Any) -> dict[str, AnyRows]:
    """The rows of each split given, with the columns `target` and `times` of a DataFrame taken out
    of its inputs.

    Raises one DataError with the problems of all splits.
    """
    rows, problems = {}, []
    for split, given in data.items():
        try:
            rows[split] = _read(given, target, times if isinstance(times, str) else None)
            if not len(rows[split]):
                problems.append(f"`{split}` is empty")
        except WorkbenchError as error:
            problems.append(f"`{split}`: {error}")
    if problems:
        raise DataError(all_of(problems, "The data cannot be read"))
    return rows


def _read(data: Any, target: Any, time_column: str | None) -> AnyRows:
    if isinstance(data, (Rows, DatasetRows)):
        return data
    if hasattr(data, "iloc"):
        return _from_frame(data, target, time_column)
    if time_column is not None:
        raise DataError(
            f"`times={time_column!r}` names a column, and this is no DataFrame: give an array, one "
            "time a row."
        )
    samples = isinstance(data, list) and bool(data) and isinstance(data[0], (tuple, Mapping))
    if isinstance(data, (tuple, Mapping)) or (isinstance(data, list) and not samples):
        if is_table_pair(data):
            return Rows(_columns(data[0]), np.asarray(data[1]))
        return Rows(*named_batch(data, ()))
    loader = hasattr(data, "dataset") and hasattr(data, "collate_fn")
    dataset = data.dataset if loader else data
    if (
        hasattr(dataset, "__getitem__")
        and hasattr(dataset, "__len__")
        and not hasattr(dataset, "shape")
    ):
        batched = (
            loader and data.batch_size is not None
        )  # without a batch size, a loader's collate takes one sample
        return DatasetRows(dataset, (), data.collate_fn if batched else None)
    if hasattr(data, "__iter__") and not hasattr(data, "shape"):
        return _from_iterable(data, loader)
    raise DataError(
        f"{type(data).__name__} holds no targets: give a tuple (x, y), a mapping, a Dataset, a "
        "DataLoader, a DataFrame with `target=`, or Rows."
    )


def is_table_pair(data: Any) -> bool:
    """Whether this is `(DataFrame, targets)`, as scikit-learn's users write it."""
    return isinstance(data, (tuple, list)) and len(data) == 2 and hasattr(data[0], "iloc")


def _from_frame(frame: Any, target: Any, time_column: str | None) -> Rows:
    if target is None:
        raise DataError(
            "a DataFrame needs `target=`, the name of a column among "
            f"{', '.join(map(str, frame.columns))}."
        )
    labels = [target] if isinstance(target, str) else list(target)
    wanted = labels + ([time_column] if time_column else [])
    missing = [
        unknown("column", c, map(str, frame.columns)) for c in wanted if c not in frame.columns
    ]
    if missing:
        raise DataError(" ".join(missing))
    targets = (
        _values(frame[target])
        if isinstance(target, str)
        else np.column_stack([_values(frame[c]) for c in labels])
    )
    return Rows(
        _columns(frame.drop(columns=wanted)),
        targets,
        frame[time_column].to_numpy() if time_column else None,
    )


def _columns(frame: Any) -> dict[str, np.ndarray]:
    return {str(name): _values(frame[name]) for name in frame.columns}


def _values(column: Any) -> np.ndarray:
    """A column `(rows,)` in a type of numpy's own: missing numbers as NaN, texts as objects."""
    from pandas.api import types

    if types.is_numeric_dtype(column.dtype) and not isinstance(column.dtype, np.dtype):
        missing = bool(column.isna().any())
        return (
            column.to_numpy(np.float64, na_value=np.nan)
            if missing
            else column.to_numpy(column.dtype.numpy_dtype)
        )
    return column.to_numpy()


def _from_iterable(data: Any, loader: bool) -> Rows:
    from torch.utils.data import DataLoader

    batches = [
        named_batch(batch, ()) for batch in (data if loader else DataLoader(data, batch_size=256))
    ]
    if not batches:
        raise DataError("the iterable gave no batch.")
    try:
        inputs = {n: np.concatenate([b[0][n] for b in batches]) for n in batches[0][0]}
        return Rows(inputs, np.concatenate([b[1] for b in batches]))
    except ValueError as error:
        raise DataError(
            f"the batches of an iterable must have one shape ({error}): pad to one length."
        ) from error
