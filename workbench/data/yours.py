"""A user's own data as rows: arrays, tables, datasets and loaders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from workbench.data.rows import AnyRows, DatasetRows, Rows, named_batch
from workbench.errors import DataError, WorkbenchError, all_of, unknown

__all__ = ["is_table_pair", "read_all"]


def read_all(data: Mapping[str, Any], target: Any, times: Any) -> dict[str, AnyRows]:
    """The rows of each split in `data`.

    The columns `target` and `times` of a DataFrame are not among its inputs. Raises one DataError
    with the problems of all splits.
    """
    time_column = times if isinstance(times, str) else None
    rows: dict[str, AnyRows] = {}
    problems = []
    for split, split_data in data.items():
        try:
            rows[split] = _read(split_data, target, time_column)
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
            f"`times={time_column!r}` names a column, and the data are not a DataFrame: give an "
            "array with one time a row."
        )
    has_samples = isinstance(data, list) and bool(data) and isinstance(data[0], (tuple, Mapping))
    if isinstance(data, (tuple, list, Mapping)) and not has_samples:
        if is_table_pair(data):
            return Rows(_columns(data[0]), np.asarray(data[1]))
        return Rows(*named_batch(data, ()))
    is_loader = hasattr(data, "dataset") and hasattr(data, "collate_fn")
    dataset = data.dataset if is_loader else data
    is_array = hasattr(dataset, "shape")
    if hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__") and not is_array:
        # Without a batch size, the collate function of a loader takes one sample.
        is_batched = is_loader and data.batch_size is not None
        return DatasetRows(dataset, (), data.collate_fn if is_batched else None)
    if hasattr(data, "__iter__") and not hasattr(data, "shape"):
        return _from_iterable(data, is_loader)
    raise DataError(
        f"{type(data).__name__} holds no targets: give a tuple (x, y), a mapping, a Dataset, a "
        "DataLoader, a DataFrame with `target=`, or Rows."
    )


def is_table_pair(data: Any) -> bool:
    """Whether the data are a pair `(DataFrame, targets)`, as in scikit-learn."""
    return isinstance(data, (tuple, list)) and len(data) == 2 and hasattr(data[0], "iloc")


def _from_frame(frame: Any, target: Any, time_column: str | None) -> Rows:
    if target is None:
        raise DataError(
            "a DataFrame needs `target=`, the name of a column among "
            f"{', '.join(map(str, frame.columns))}."
        )
    target_columns = [target] if isinstance(target, str) else list(target)
    no_inputs = [*target_columns, time_column] if time_column else target_columns
    missing = [column for column in no_inputs if column not in frame.columns]
    if missing:
        names = [str(name) for name in frame.columns]
        raise DataError(" ".join(unknown("column", column, names) for column in missing))
    if isinstance(target, str):
        targets = _values(frame[target])
    else:
        targets = np.column_stack([_values(frame[column]) for column in target_columns])
    times = frame[time_column].to_numpy() if time_column else None
    return Rows(_columns(frame.drop(columns=no_inputs)), targets, times)


def _columns(frame: Any) -> dict[str, np.ndarray]:
    return {str(name): _values(frame[name]) for name in frame.columns}


def _values(column: Any) -> np.ndarray:
    """A column `(rows,)` in a type of numpy: missing numbers as NaN, texts as objects."""
    from pandas.api import types

    is_numpy = isinstance(column.dtype, np.dtype)
    if is_numpy or not types.is_numeric_dtype(column.dtype):
        return column.to_numpy()
    if column.isna().any():
        return column.to_numpy(np.float64, na_value=np.nan)
    return column.to_numpy(column.dtype.numpy_dtype)


def _from_iterable(data: Any, is_loader: bool) -> Rows:
    from torch.utils.data import DataLoader

    loader = data if is_loader else DataLoader(data, batch_size=256)
    batches = [named_batch(batch, ()) for batch in loader]
    if not batches:
        raise DataError("the iterable gave no batch: give at least one row.")
    first_inputs, _ = batches[0]
    try:
        inputs = {
            name: np.concatenate([inputs[name] for inputs, _ in batches]) for name in first_inputs
        }
        return Rows(inputs, np.concatenate([targets for _, targets in batches]))
    except ValueError as error:
        raise DataError(
            f"the batches of an iterable must have one shape ({error}): pad to one length."
        ) from error
