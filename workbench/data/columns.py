"""Columns of a DataFrame as numpy arrays, whatever type pandas keeps them in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from workbench.errors import DataError, line_of, shown

__all__ = [
    "WORDS_OF_A_TEXT",
    "array_of",
    "as_array",
    "column_values",
    "input_named",
    "missing_rows",
]

WORDS_OF_A_TEXT = 3.0
"""Words of a cell, on average, from which a column of words is text and not categories."""

OBJECTS = ("O", "T")  # NumPy's letters for objects and for texts of any length
NUMBERS = ("integer", "floating", "mixed-integer-float", "decimal")


def column_values(column: Any) -> np.ndarray:
    """A pandas column or array `(rows,)` in a type of numpy.

    Missing numbers, truth values and texts are NaN, times are in UTC, sparse columns are dense.
    Categories have the type of their values. Objects that are all numbers become numbers.
    """
    import pandas as pd
    from pandas.api import types

    column = pd.Series(column)
    dtype = column.dtype
    if isinstance(dtype, np.dtype):
        return _objects(column.to_numpy()) if dtype.kind in OBJECTS else column.to_numpy()
    if isinstance(dtype, pd.SparseDtype):
        return column_values(column.sparse.to_dense())
    if isinstance(dtype, pd.DatetimeTZDtype):
        return column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
    if types.is_datetime64_any_dtype(dtype) or types.is_timedelta64_dtype(dtype):
        return column_values(pd.Series(column.to_numpy(object)).infer_objects())
    kind = getattr(dtype, "numpy_dtype", np.dtype(object)).kind
    if kind not in "biuf":
        return _objects(column.to_numpy(object))
    if column.isna().any():
        return column.to_numpy(np.float64, na_value=np.nan)
    return column.to_numpy(dtype.numpy_dtype)


def as_array(values: Any) -> np.ndarray:
    """Values of any kind as an array: NumPy's, torch's, pandas', SciPy's sparse ones, lists.

    Raises ValueError for lists of unequal length, and TypeError for a tensor without values.
    """
    if hasattr(values, "detach"):
        return _of_tensor(values)
    if hasattr(values, "iloc") and hasattr(values, "columns"):
        return np.column_stack([column_values(values.iloc[:, i]) for i in range(values.shape[1])])
    if hasattr(values, "isna") and hasattr(values, "dtype"):  # a Series, an Index, their arrays
        return column_values(values)
    if hasattr(values, "toarray"):
        return np.asarray(values.toarray())
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        is_number = values.dtype.kind in "biuf"
        return np.ma.filled(values.astype(np.float64 if is_number else object), np.nan)
    array = np.asarray(values)
    if array.dtype.kind == "S":
        return np.char.decode(array, "utf-8")
    return _objects(array) if array.dtype.kind in OBJECTS else array


def array_of(value: Any, name: str) -> np.ndarray:
    """Values as an array `(rows, ...)`; raises DataError, which calls them `name`."""
    try:
        array = as_array(value)
    except Exception as error:  # the object decides what becomes of it, and may raise anything
        reason = line_of(error)
        reason = "its rows have different lengths" if "homogeneous" in reason else reason
        raise DataError(
            f"{name} cannot become an array: {reason}. Give one array, all rows of one shape."
        ) from error
    if array.ndim == 0:
        text = value if isinstance(value, str) else shown(value)
        raise DataError(
            f"{name} is one {type(value).__name__} ({text[:60]!r}): give an array with a "
            "value for each row."
        )
    if 0 in array.shape[1:]:
        raise DataError(f"{name} has shape {array.shape}, and a row of it holds no value.")
    return array


def input_named(inputs: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """The input of this name; raises DataError for rows of another task, which lack it."""
    if name not in inputs:
        raise DataError(
            f"The rows have no input `{name}`, which the model was prepared for; they have "
            f"{', '.join(f'`{n}`' for n in inputs) or 'none'}."
        )
    return inputs[name]


def missing_rows(values: np.ndarray) -> np.ndarray:
    """Numbers of the rows in which a value `(rows, ...)` is None, NaN, NaT or pandas' NA."""
    import pandas as pd

    if values.dtype.kind not in "fOMmc":
        return np.empty(0, np.int64)
    return np.flatnonzero(np.asarray(pd.isna(values)).reshape(len(values), -1).any(axis=1))


def _of_tensor(tensor: Any) -> np.ndarray:
    if getattr(tensor, "is_meta", False):
        raise TypeError("it is a tensor on the device `meta`, which holds no values")
    tensor = tensor.detach().cpu()
    if str(tensor.layout) != "torch.strided":
        tensor = tensor.to_dense()
    if str(tensor.dtype) == "torch.bfloat16":  # numpy has no such type
        tensor = tensor.float()
    return tensor.numpy()


def _objects(array: np.ndarray) -> np.ndarray:
    """Objects that are all numbers as numbers; other objects with NaN for pandas' NA."""
    import pandas as pd
    from pandas.api import types

    array = array.astype(object)
    if array.ndim != 1:
        return array
    if types.infer_dtype(array, skipna=True) in NUMBERS:
        missing = np.asarray(pd.isna(array))
        if missing.any():
            return np.where(missing, np.nan, array).astype(np.float64)
        numbers = pd.to_numeric(pd.Series(array)).to_numpy()
        # Whole numbers beyond 64 bits stay objects there.
        return numbers.astype(np.float64) if numbers.dtype.kind == "O" else numbers
    is_na = [value is pd.NA for value in array.tolist()]
    return np.where(is_na, np.nan, array) if any(is_na) else array
