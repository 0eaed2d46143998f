"""Columns: each type of pandas becomes one of numpy's, and missing values stay missing."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse
import torch

from workbench.data.columns import array_of, as_array, column_values, missing_rows
from workbench.errors import DataError

NAN = np.nan


def _arrow(values: list, kind: pa.DataType) -> pd.api.extensions.ExtensionArray:
    return pd.array(values, dtype=pd.ArrowDtype(kind))


@pytest.mark.parametrize(
    ("column", "kind", "values"),
    [
        (pd.array([1, None], dtype="Int64"), "f", [1, NAN]),
        (pd.array([1, 2], dtype="Int8"), "i", [1, 2]),
        (pd.array([1.5, None], dtype="Float32"), "f", [1.5, NAN]),
        (pd.array([True, None], dtype="boolean"), "f", [1, NAN]),
        (pd.array([True, False], dtype="boolean"), "b", [True, False]),
        (pd.array(["u", None], dtype="string"), "O", ["u", NAN]),
        (pd.Series(["u", None]), "O", ["u", NAN]),
        (pd.Categorical(["a", None], categories=["a", "z"]), "O", ["a", NAN]),
        (pd.Categorical([3, 1, 3]), "i", [3, 1, 3]),
        (pd.Categorical([3, None]), "f", [3, NAN]),
        (pd.arrays.SparseArray([0, 0, 1]), "i", [0, 0, 1]),
        (pd.arrays.SparseArray([0.0, NAN]), "f", [0, NAN]),
        (_arrow(["u", None], pa.string()), "O", ["u", NAN]),
        (_arrow([1, None], pa.int64()), "f", [1, NAN]),
        (_arrow([1, 2], pa.int8()), "i", [1, 2]),
        (_arrow([True, False], pa.bool_()), "b", [True, False]),
        (_arrow([Decimal("1.5"), None], pa.decimal128(5, 2)), "f", [1.5, NAN]),
        (pd.Series([1, 2, None], dtype=object), "f", [1, 2, NAN]),
        (pd.Series([1, 2], dtype=object), "i", [1, 2]),
        (pd.Series([Decimal("1.5"), Decimal(2)]), "f", [1.5, 2]),
        (pd.Series([2**70, 1], dtype=object), "f", [2.0**70, 1]),
        (pd.Series(["u", pd.NA, 1], dtype=object), "O", ["u", NAN, 1]),
    ],
)
def test_column_becomes_an_array_of_numpy(column: object, kind: str, values: list) -> None:
    array = column_values(column)
    assert array.dtype.kind == kind
    pd.testing.assert_series_equal(
        pd.Series(array, dtype=object), pd.Series(values, dtype=object), check_dtype=False
    )


@pytest.mark.parametrize(
    "column",
    [
        pd.to_datetime(["2020-01-01 00:00", None]),
        pd.to_datetime(["2020-01-01 01:00", None]).tz_localize("Europe/Berlin"),
        _arrow([datetime(2020, 1, 1), None], pa.timestamp("us")),
    ],
    ids=["datetime", "with a zone", "arrow"],
)
def test_dates_become_dates_of_numpy_in_utc(column: object) -> None:
    array = column_values(column)
    assert array.dtype.kind == "M"
    assert array[0] == np.datetime64("2020-01-01")
    assert missing_rows(array).tolist() == [1]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (scipy.sparse.csr_matrix(np.eye(2)), np.eye(2)),
        (torch.eye(2).to_sparse(), np.eye(2)),
        (torch.eye(2, dtype=torch.bfloat16, requires_grad=True), np.eye(2)),
        (np.ma.array([1, 2], mask=[False, True]), [1, NAN]),
        (np.array([b"a", b"b"]), ["a", "b"]),
        (np.array(["a"], dtype=np.dtypes.StringDType()), ["a"]),
        (pd.DataFrame({"a": [1, 2], "b": [3, 4]}), [[1, 3], [2, 4]]),
        ([1, None], [1, NAN]),
    ],
)
def test_as_array_reads_what_holds_values(values: object, expected: object) -> None:
    np.testing.assert_array_equal(as_array(values), np.asarray(expected))


@pytest.mark.parametrize(
    ("values", "rows"),
    [
        (np.array([1.0, NAN]), [1]),
        (np.array(["u", None, pd.NA, NAN, pd.NaT], object), [1, 2, 3, 4]),
        (np.array(["2020", "NaT"], "datetime64[D]"), [1]),
        (np.array([[1.0, 2.0], [NAN, 1.0]]), [1]),
        (np.array([1, 2]), []),
        (np.array(["nan"]), []),
    ],
)
def test_missing_rows_finds_each_kind_of_missing_value(values: np.ndarray, rows: list) -> None:
    assert missing_rows(values).tolist() == rows


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (torch.empty(3, 2, device="meta"), "which holds no values"),
        (np.zeros((3, 0)), "a row of it holds no value"),
        (b"\xff\xfe", "`x` cannot become an array"),
        (3, "`x` is one int"),
    ],
)
def test_value_without_rows_is_refused_by_its_name(value, words):
    with pytest.raises(DataError, match=words):
        array_of(value, "`x`")
