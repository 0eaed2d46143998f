"""Tables: columns are found by their names, and names that say two things are refused."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression

from workbench.data.notices import WorkbenchWarning
from workbench.data.tables import rows_of_frame, rows_of_pair, times_of
from workbench.data.yours import read_all
from workbench.errors import DataError
from workbench.tasks.make import make_task

FRAME = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": list("uvuv"), "t": [0, 1, 1, 0]})


def _read(data: object, target: object = "t", times: object = None) -> object:
    return read_all({"train": data}, target, times)["train"]


@pytest.mark.parametrize(
    ("columns", "target", "names"),
    [
        ([0, 1, 2], 2, ["0", "1"]),
        ([0, 1, 2], np.int64(2), ["0", "1"]),
        ([("g", "a"), ("g", "b"), ("t", "")], ("t", ""), ["g.a", "g.b"]),
        ([("g", "a"), ("g", "b"), ("t", "")], "t", ["g.a", "g.b"]),
        ([7, 2.5, "t"], "t", ["7", "2.5"]),
        (["sepal (cm)", "ä[0] ", "t"], "t", ["sepal (cm)", "ä[0] "]),
        (pd.to_datetime(["2020", "2021", "2022"]), pd.Timestamp("2022"), None),
        (["None", "nan", "t"], "t", ["None", "nan"]),
    ],
)
def test_column_is_found_whatever_its_name_is(
    columns: object, target: object, names: list | None
) -> None:
    frame = FRAME.set_axis(
        pd.MultiIndex.from_tuples(columns) if isinstance(columns[0], tuple) else columns, axis=1
    )
    rows = _read(frame, target)
    assert names is None or list(rows.inputs) == names
    assert rows.targets.tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize(
    ("frame", "target", "message"),
    [
        (FRAME.set_axis(["b", "b", "t"], axis=1), "t", "2 columns have the name `b`.*0, 1.*rename"),
        (FRAME.set_axis([1, "1", "t"], axis=1), "t", "2 columns have the name `1`"),
        (FRAME.set_axis(["", "b", "t"], axis=1), "t", r"column 0 .* has no name \(''\): name it"),
        (FRAME.set_axis([None, "b", "t"], axis=1), "t", "column 0 .* has no name"),
        (FRAME, "tt", "Unknown column `tt`. Did you mean `t`"),
        (FRAME, 2, "Unknown column `2`.*in this position is `t`: give its name"),
        (FRAME, ["t", "u"], "Unknown column `u`"),
        (FRAME, ["t", "t"], "the column `t` is named twice"),
        (FRAME, FRAME["t"], "`target` is a Series of 4 values.*give `target='t'`"),
        (FRAME, pd.Series([0, 1, 1, 0]), "give the pair `\\(frame, targets\\)`"),
        (FRAME, np.array([0, 1, 1, 0]), "`target` is an array of int64.*give the pair"),
        (FRAME.set_index("t"), "t", "`t` is the index of the table: give `frame.reset_index"),
        (FRAME[["t"]], "t", "no column is left as an input"),
        (FRAME["t"], "t", "Series is one column: give a DataFrame"),
        (FRAME.iloc[:0], "t", "`train` is empty"),
        (FRAME, None, "a DataFrame needs `target=`, the name of a column among a, b, t"),
        (FRAME.assign(z=1j), "t", "`z` holds complex numbers"),
        ((np.eye(4), [0, 1, 1, 0]), "t", "`target='t'` names a column, and no data are a DataFr"),
        (
            pd.DataFrame(np.ones((4, 99)), columns=[f"c{i}" for i in range(99)]),
            "c999",
            r"Did you mean `c99` or|There are 99 columns: c0, .* and 69 more",
        ),
    ],
)
def test_column_that_cannot_be_taken_is_refused_in_words(
    frame: object, target: object, message: str
) -> None:
    with pytest.raises(DataError, match=f"(?s){message}"):
        _read(frame, target)


@pytest.mark.parametrize(
    "frame",
    [
        FRAME.set_index(np.zeros(4, int)),
        FRAME.iloc[[3, 1, 0]],
        pa.Table.from_pandas(FRAME),
    ],
    ids=["index of one value", "slice", "arrow"],
)
def test_tables_with_any_index_and_of_other_libraries_are_read(frame: object) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = _read(frame)
    assert list(rows.inputs) == ["a", "b"]
    assert rows.targets.dtype == np.int64


def test_table_that_only_streams_arrow_is_read() -> None:
    class Stream:
        """What Polars and DuckDB have: the protocol of Arrow."""

        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return pa.Table.from_pandas(FRAME).__arrow_c_stream__(requested_schema)

    assert list(_read(Stream()).inputs) == ["a", "b"]


def test_dataset_with_batches_of_its_own_stays_a_dataset() -> None:
    class Hub(list):
        """What a dataset of Hugging Face looks like from here."""

        __getitems__ = __dataframe__ = to_pandas = None

    rows = _read(Hub([(np.ones(2), 0), (np.ones(2), 1)]), None)
    assert type(rows).__name__ == "DatasetRows"


def test_pair_takes_targets_of_any_type_of_pandas() -> None:
    inputs = FRAME[["a", "b"]]
    for targets in (
        pd.array([0, 1, 1, 0], dtype="Int64"),
        pd.DataFrame({"t": [0, 1, 1, 0]}),
        pa.array([0, 1, 1, 0]),
    ):
        assert _read((inputs, targets), None).targets.ravel().tolist() == [0, 1, 1, 0]
    assert _read((pa.Table.from_pandas(inputs), [0, 1, 1, 0]), None).inputs["b"].tolist() == list(
        "uvuv"
    )


def test_targets_in_another_order_than_the_table_are_refused() -> None:
    with pytest.raises(DataError, match=r"in another order.*give `targets.loc\[frame.index\]`"):
        _read((FRAME[["a"]], FRAME["t"].iloc[::-1]), None)
    assert len(_read((FRAME[["a"]], FRAME["t"].iloc[::-1].reset_index(drop=True)), None)) == 4


def test_copy_of_the_target_among_the_inputs_is_told() -> None:
    with pytest.warns(WorkbenchWarning, match="Column `z` holds the targets"):
        _read(FRAME.assign(z=FRAME["t"]))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([[1, 2], [3]], "`x` cannot become an array: its rows have different lengths"),
        (5, "`x` is one int .'5'.: give an array"),
        ("churn.csv", "`x` is one str .'churn.csv'."),
        (np.zeros(2, [("a", float)]), "`x` holds records: .*DataFrame"),
        (np.zeros((2, 1), complex), "`x` holds complex numbers"),
    ],
)
def test_values_that_make_no_array_are_refused_in_words(x: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        _read((x, [0, 1]), None)


def test_list_of_rows_is_one_input_and_a_list_of_arrays_of_all_rows_is_several() -> None:
    assert _read(([[1, 2], [3, 4], [5, 6]], [0, 1, 0]), None).inputs["x"].shape == (3, 2)
    assert _read(([np.ones(2)] * 3, [0, 1, 0]), None).inputs["x"].shape == (3, 2)
    several = _read(([np.ones((3, 2)), np.ones(3)], [0, 1, 0]), None)
    assert [array.shape for array in several.inputs.values()] == [(3, 2), (3,)]


# Times


def test_times_given_as_text_are_dates_where_they_are_iso() -> None:
    rows = _read(
        FRAME.assign(d=["2020-01-10", "2020-01-09", "2020-02-01", "2019-12-31"]), times="d"
    )
    assert rows.times.dtype.kind == "M"
    assert rows.times.argsort().tolist() == [3, 1, 0, 2]
    assert list(rows.inputs) == ["a", "b"]


def test_times_in_other_texts_are_sorted_as_text_with_a_warning() -> None:
    with pytest.warns(WorkbenchWarning, match="sorted as text.*pandas.to_datetime"):
        assert times_of(np.array(["2.1.2020", "10.1.2020"], object)).dtype.kind == "U"


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (np.array(4), r"`times` has shape \(\): give one value a row"),
        (np.array([1.0, np.nan]), "`times` misses 1 values, the first in row 1"),
        (np.array(["2020", None], object), "`times` misses 1 values, the first in row 1"),
    ],
)
def test_times_that_do_not_order_the_rows_are_refused(times: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        times_of(times)


class Unwilling:
    """A value that cannot be compared, as some arrays."""

    def __eq__(self, other: object) -> bool:
        raise ValueError("cannot be compared")

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("target", "words"),
    [([], "`target` is an empty list"), (Unwilling(), "Unknown column")],
)
def test_target_that_names_no_column_is_refused(target, words):
    with pytest.raises(DataError, match=words):
        rows_of_frame(pd.DataFrame({"a": [1, 2], "b": [0, 1]}), target)


def test_pair_is_refused_when_its_table_has_no_column():
    with pytest.raises(DataError, match="the table has no column"):
        rows_of_pair(pd.DataFrame(index=range(3)), [0, 1, 0])


def test_arrays_in_cells_are_no_copy_of_the_targets():
    frame = pd.DataFrame({"a": [np.zeros(2), np.ones(2)], "b": ["x", "y"]})
    assert len(rows_of_frame(frame, "b")) == 2


def test_table_whose_library_lacks_another_is_refused_with_the_way_out() -> None:
    class Polars:
        def __dataframe__(self) -> None: ...

        def to_pandas(self) -> None:
            raise ModuleNotFoundError("pyarrow is required for converting to pandas")

    with pytest.raises(DataError, match=r"Polars cannot become a DataFrame: pyarrow .*to_pandas"):
        _read(Polars(), "t")


@pytest.mark.parametrize("as_pair", [False, True])
def test_ordered_categories_of_text_number_the_labels(as_pair: bool) -> None:
    order = ["low", "mid", "high", "never"]
    labels = pd.Categorical(["mid", "high", "low"] * 40, categories=order, ordered=True)
    frame = pd.DataFrame({"a": np.arange(120.0), "size": labels[::-1], "t": labels})
    x = frame.drop(columns="t")
    train = (x, frame["t"]) if as_pair else frame
    task = make_task("t", train=train, target=None if as_pair else "t")
    assert task.classes == ("low", "mid", "high")
    assert set(task.data.train.inputs["size"].tolist()) == {"low", "mid", "high"}
    given = make_task("t", train=train, target=None if as_pair else "t", classes=sorted(order[:3]))
    assert given.classes == ("high", "low", "mid"), "`classes` decides where it is given"


def test_unordered_categories_and_ordered_numbers_are_sorted() -> None:
    frame = pd.DataFrame({"a": np.arange(120.0), "t": pd.Categorical(["b", "a", "c"] * 40)})
    assert make_task("t", train=frame, target="t").classes == ("a", "b", "c")
    numbers = pd.Categorical([10, 2, 3] * 40, categories=[10, 2, 3], ordered=True)
    assert make_task("t", train=frame.assign(t=numbers), target="t").classes == ("2", "3", "10")


def test_order_of_categories_does_not_number_the_labels_of_a_trained_model() -> None:
    labels = pd.Categorical(["low", "high"] * 60, categories=["low", "high"], ordered=True)
    frame = pd.DataFrame({"a": np.arange(120.0), "t": labels})
    model = LogisticRegression().fit(frame[["a"]], frame["t"])
    assert make_task("t", model=model, train=frame, target="t").classes == ("high", "low")
