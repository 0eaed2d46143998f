"""Notices: a warning stands at the line of the user's code."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from torch import nn

from workbench.data.notices import WorkbenchWarning, notice
from workbench.data.prepare import Columns
from workbench.data.rows import Rows
from workbench.errors import DataError
from workbench.tasks.make import make_task


def test_notice_is_a_warning_at_the_line_of_the_caller() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        notice("Look.")
        make_task(
            "t", train=(np.random.default_rng(0).normal(size=(90, 2)), np.eye(3)[np.arange(90) % 3])
        )
    assert [w.category for w in caught] == [WorkbenchWarning, WorkbenchWarning]
    assert {w.filename for w in caught} == {__file__}


def _columns(**columns: object) -> Rows:
    from workbench.data.columns import column_values

    inputs = {name: column_values(values) for name, values in columns.items()}
    return Rows(inputs, np.zeros(len(next(iter(inputs.values())))))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pd.date_range("2020", periods=3), r"`e` holds dates: give numbers.*dt.month"),
        (pd.date_range("2020", periods=3, tz="UTC"), "`e` holds dates"),
        ([pd.Timestamp("2020").date()] * 3, "`e` holds dates"),
        (pd.to_timedelta([1, 2, 3], "s"), r"`e` holds spans of time.*dt.total_seconds"),
        (pd.period_range("2020", periods=3, freq="M"), "`e` has a Period in a cell"),
        (pd.Series([None, [1], [2]]), "`e` has a list in a cell, and a cell must be"),
        (pd.Series([{"a": 1}] * 3), "`e` has a dict in a cell"),
    ],
)
def test_columns_that_are_no_numbers_and_no_categories_are_refused(
    values: object, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        Columns.fitted(_columns(e=values))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([np.nan] * 3, "`e` has no value in train, and is taken as 0"),
        (pd.Series([None] * 3, dtype=object), "`e` has no value in train"),
        ([1.0, np.inf, -np.inf], "`e` has 2 infinite values in train; .*filled by the median"),
    ],
)
def test_columns_whose_values_are_replaced_are_told(values: object, message: str) -> None:
    with pytest.warns(WorkbenchWarning, match=message):
        fitted = Columns.fitted(_columns(e=values))
    assert np.isfinite(fitted(dict(_columns(e=values).inputs))["x"]).all()


def test_intervals_and_truth_values_are_categories() -> None:
    rows = _columns(
        a=pd.cut([1, 2, 3], 2),
        b=pd.Series([True, None, False], dtype=object),
        c=[True, False, True],
    )
    prepare = Columns.fitted(rows)
    assert (list(prepare.categories), list(prepare.numeric)) == (["a", "b"], ["c"])


def test_table_of_newer_types_trains_a_network() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=200)
    frame = pd.DataFrame(
        {
            "a": pd.array(np.where(a > 2, np.nan, a), dtype="Float64"),
            "b": pd.array(["u", None] * 100, dtype="string[pyarrow]"),
            "c": pd.arrays.SparseArray(rng.integers(0, 2, 200)),
            "t": pd.array(np.where(a > 0, "yes", "no"), dtype="string"),
        }
    )
    task = make_task("t", model=lambda n: nn.Linear(n, 2), train=frame, target="t")
    assert task.classes == ("no", "yes")
    assert np.isfinite(task.example(90)["x"]).all()
