"""Tables of Polars, DuckDB and Arrow themselves, as `train`, `valid` and `test` of a task."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from torch import nn

from workbench.errors import DataError
from workbench.task import Task
from workbench.tasks.make import make_task

N = 200
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
COLUMNS: dict[str, list[Any]] = {
    "number": [None if i % 7 == 0 else float(i % 13) for i in range(N)],
    "whole": [None if i % 5 == 0 else i for i in range(N)],
    "flag": [None if i % 3 == 0 else i % 2 == 0 for i in range(N)],
    "text": [None if i % 11 == 0 else "xyz"[i % 3] for i in range(N)],
    "day": [datetime.date(2026, 1, 1) + datetime.timedelta(i) for i in range(N)],
    "time": [START + datetime.timedelta(hours=i) for i in range(N)],
    "label": [("low", "mid", "high")[i % 3] for i in range(N)],
}
FRAME = pd.DataFrame(
    {
        **COLUMNS,
        "whole": pd.array(COLUMNS["whole"], "Int64"),
        "flag": pd.array(COLUMNS["flag"], "boolean"),
        "day": pd.to_datetime(COLUMNS["day"]),
    }
)


def needed(library: str) -> Any:
    """The library, or a skip that says how to get it."""
    return pytest.importorskip(
        library, reason=f"{library} is not installed: python -m pip install {library}"
    )


def polars_frame(**types: Any) -> Any:
    return needed("polars").DataFrame(COLUMNS, schema_overrides=types)


def duckdb_relation(table: pa.Table) -> Any:
    connection = needed("duckdb").connect()
    connection.register("rows", table)
    return connection.sql("select * from rows")


# Each makes the library's own table of an Arrow table.
TABLES: dict[str, Callable[[pa.Table], Any]] = {
    "arrow": lambda table: table,
    "arrow batch": lambda table: table.combine_chunks().to_batches()[0],
    "arrow reader": lambda table: table.to_reader(),
    "polars": lambda table: needed("polars").from_arrow(table),
    "polars, lazy": lambda table: needed("polars").from_arrow(table).lazy(),
    "duckdb": duckdb_relation,
}
ALL = pa.table(COLUMNS)


def prepared(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {"x": np.nan_to_num(np.asarray(inputs["number"], np.float32))[:, None]}


def task_of(train: Any, **options: Any) -> Task:
    given = {"target": "label", "prepare": prepared, **options}
    return make_task("tables", model=lambda: nn.Linear(1, 3), train=train, **given)


@pytest.mark.parametrize("library", TABLES)
def test_table_gives_the_rows_of_the_same_dataframe(library):
    expected, got = task_of(FRAME), task_of(TABLES[library](ALL))
    assert got.classes == expected.classes
    for split, rows in expected.data.named().items():
        other = got.data.named()[split]
        np.testing.assert_array_equal(other.targets, rows.targets)
        assert list(other.inputs) == list(rows.inputs)
        for name, values in rows.inputs.items():
            pd.testing.assert_series_equal(
                comparable(other.inputs[name]), comparable(values), check_dtype=False
            )


def comparable(values: np.ndarray) -> pd.Series:
    """Values with None for a missing one; days are of one type."""
    series = pd.Series(values)
    if values.dtype.kind == "M" or isinstance(values[0], datetime.date):
        return series.astype("datetime64[us]")
    return series.astype(object).where(series.notna(), None)


@pytest.mark.parametrize("library", TABLES)
def test_each_split_may_be_a_table(library):
    make = TABLES[library]
    parts = {"train": ALL[:100], "valid": ALL[100:150], "test": ALL[150:]}
    task = task_of(**{split: make(rows) for split, rows in parts.items()})
    assert task.data.train.inputs["number"][1] == 1.0
    for split in ("valid", "test"):
        labels = [task.classes[i] for i in task.data.named()[split].targets]
        assert labels == parts[split]["label"].to_pylist()
    assert len(task.read(make(ALL[150:]))) == 50


@pytest.mark.parametrize("library", TABLES)
def test_table_may_stand_beside_its_labels(library):
    task = task_of((TABLES[library](ALL), COLUMNS["label"]), target=None)
    np.testing.assert_array_equal(task.data.train.targets, task_of(FRAME).data.train.targets)


@pytest.mark.parametrize("column", ["day", "time"])
@pytest.mark.parametrize("library", TABLES)
def test_latest_rows_are_test_by_a_column_of_dates(library, column):
    task = task_of(TABLES[library](ALL), times=column)
    assert column not in task.data.train.inputs
    assert task.data.train.times.max() < task.data.test.times.min()


@pytest.mark.parametrize("library", ["polars", "polars, lazy", "duckdb", "arrow"])
def test_ordered_categories_number_the_labels(library):
    order = ["low", "mid", "high"]
    if library == "arrow":
        codes = pa.array([order.index(label) for label in COLUMNS["label"]], pa.int32())
        labels: Any = pa.DictionaryArray.from_arrays(codes, order, ordered=True)
        table: Any = pa.table({**COLUMNS, "label": labels})
    elif library == "duckdb":
        table = duckdb_relation(ALL).project("number, label::enum('low', 'mid', 'high') as label")
    else:
        table = polars_frame(label=needed("polars").Enum(order))
        table = table.lazy() if "lazy" in library else table
    assert task_of(table).classes == ("low", "mid", "high")


def test_labels_of_a_polars_series_beside_a_frame_keep_their_order():
    frame = polars_frame(label=needed("polars").Enum(["low", "mid", "high"]))
    task = task_of((frame.drop("label"), frame["label"]), target=None)
    assert task.classes == ("low", "mid", "high")


def test_one_column_of_polars_is_no_table():
    with pytest.raises(DataError, match="`train`: Series is one column: give a DataFrame with"):
        task_of(polars_frame()["number"])


def test_lazy_frame_whose_query_fails_is_refused_with_the_reason():
    frame = polars_frame().lazy().select("nothing")
    with pytest.raises(DataError, match=r"polars\.LazyFrame cannot become a DataFrame: Column.*"):
        task_of(frame)


def test_column_that_arrow_lacks_is_refused_with_the_way_out():
    types = {"whole": needed("polars").Int128}
    with pytest.raises(DataError, match=r"`train`: polars\.DataFrame cannot .*other types"):
        task_of(polars_frame(**types))


def test_relation_of_a_closed_connection_is_refused_with_the_reason():
    connection = needed("duckdb").connect()
    relation = connection.sql("select i as a, i % 2 as label from range(100) t(i)")
    connection.close()
    with pytest.raises(DataError, match=r"duckdb\.\w+ cannot become a DataFrame: .*closed"):
        task_of(relation)
