"""Tables: DataFrames as rows, with the columns found by their names."""

from __future__ import annotations

import difflib
from typing import Any

import numpy as np

from workbench.data.columns import array_of, column_values, missing_rows
from workbench.data.notices import notice
from workbench.data.rows import Rows
from workbench.errors import DataError, sentence_of, unknown

__all__ = [
    "as_frame",
    "framed",
    "groups_of",
    "is_frame",
    "is_pair",
    "ordered_labels",
    "rows_of_frame",
    "rows_of_pair",
    "times_of",
]

MOST_SHOWN = 30  # names of columns in a message


def is_frame(data: Any) -> bool:
    """Whether data are a DataFrame, or a table of another library such as Arrow or Polars."""
    if hasattr(data, "iloc") or _is_lazy(data):
        return True
    # A dataset of Hugging Face has batches of its own (`__getitems__`), and stays a dataset.
    is_other = hasattr(data, "__dataframe__") or hasattr(data, "__arrow_c_stream__")
    return is_other and not hasattr(data, "__getitems__")


def as_frame(table: Any) -> Any:
    """The DataFrame of a table for which `is_frame` is true; a lazy table is computed.

    Raises DataError for a table that its library cannot compute or convert.
    """
    if hasattr(table, "iloc"):
        return table
    library = type(table).__module__.partition(".")[0].lstrip("_")
    kind = f"{library}.{type(table).__name__}"
    try:
        computed = table.collect() if _is_lazy(table) else table
        for method in ("to_pandas", "df"):  # DuckDB calls it `df`
            if hasattr(computed, method):
                return _with_truth_values(getattr(computed, method)())
        if hasattr(computed, "__arrow_c_stream__"):
            import pyarrow

            return _with_truth_values(pyarrow.table(computed).to_pandas())
    except ImportError as error:  # Polars needs pyarrow for it
        raise DataError(
            f"{kind} cannot become a DataFrame: {sentence_of(error)} Install the library: python "
            '-m pip install "pyarrow>=18"; or give the DataFrame of `.to_pandas()` or `.df()`.'
        ) from error
    except Exception as error:  # a query that fails, a type that Arrow or pandas lacks
        raise DataError(
            f"{kind} cannot become a DataFrame: {type(error).__name__}: {sentence_of(error)} Mend "
            "the query, give other types to its columns, or make the DataFrame yourself."
        ) from error
    raise DataError(f"{kind} is a table without `to_pandas()`: make a DataFrame of it.")


def _with_truth_values(frame: Any) -> Any:
    """The frame, its truth values with missing ones among them in the type of pandas for them."""
    from pandas.api import types

    for i in range(len(getattr(frame, "columns", ()))):
        column = frame.iloc[:, i]
        is_object = types.is_object_dtype(column.dtype)
        if is_object and types.infer_dtype(column, skipna=True) == "boolean":
            frame.isetitem(i, column.astype("boolean"))
    return frame


def _is_lazy(data: Any) -> bool:
    """Whether data are a table that is computed when it is asked for, a LazyFrame of Polars."""
    return (
        hasattr(data, "collect_schema") and hasattr(data, "collect") and not isinstance(data, type)
    )


def framed(data: Any) -> Any:
    """The same data, with tables of other libraries as DataFrames; their types are kept.

    The targets of a pair become a Series where its table is of another library too.
    """
    if is_frame(data):
        return as_frame(data)
    if not is_pair(data) or hasattr(data[0], "iloc"):
        return data
    frame, targets = as_frame(data[0]), data[1]
    if is_frame(targets):
        return frame, as_frame(targets)
    is_other = hasattr(targets, "to_pandas") and not hasattr(targets, "iloc")
    return frame, targets.to_pandas() if is_other else targets


def is_pair(data: Any) -> bool:
    """Whether the data are a pair `(DataFrame, targets)`, as in scikit-learn."""
    is_two = isinstance(data, (tuple, list)) and len(data) == 2
    if not is_two or not is_frame(data[0]):
        return False
    # A Series is no table, nor is another library's column.
    return _is_lazy(data[0]) or hasattr(data[0], "columns") or hasattr(data[0], "schema")


def rows_of_frame(
    frame: Any, target: Any, time_column: Any = None, group_column: Any = None
) -> Rows:
    """Rows of a DataFrame, of which the named columns are not among the inputs.

    `target` is a name, or a list of names. Raises DataError for columns that are not there, for two
    of one name, and where no column is left.
    """
    frame = as_frame(frame)
    if not hasattr(frame, "columns"):
        raise DataError(
            f"{type(frame).__name__} is one column: give a DataFrame with `target=`, or a pair "
            "(x, y)."
        )
    names = _names(frame)
    if target is None:
        raise DataError(f"a DataFrame needs `target=`, the name of a column among {_shown(names)}.")
    labels = list(frame.columns)
    several = _are_several(target, labels)
    target_names = list(target) if several else [target]
    if not target_names:
        raise DataError("`target` is an empty list: name a column at least.")
    of_rows = {"times": time_column, "groups": group_column}
    of_rows = {name: column for name, column in of_rows.items() if column is not None}
    named = [*target_names, *of_rows.values()]
    positions = {i: _position(labels, names, name) for i, name in enumerate(named)}
    problems = [_no_column(frame, names, named[i]) for i, at in positions.items() if at is None]
    if problems:
        raise DataError(" ".join(problems))
    places = [at for at in positions.values() if at is not None]
    if len(set(places)) != len(places):
        twice = next(names[at] for at in places if places.count(at) > 1)
        raise DataError(
            f"the column `{twice}` is named twice by `target`, `times` and `groups`: name it once."
        )
    columns = [column_values(frame.iloc[:, at]) for at in places]
    targets = np.column_stack(columns[: len(target_names)]) if several else columns[0]
    inputs = {n: column_values(frame.iloc[:, i]) for i, n in enumerate(names) if i not in places}
    if not inputs:
        raise DataError(
            f"no column is left as an input: all of {_shown(names)} are target, times or groups."
        )
    _tell_copies(inputs, targets)
    told = dict(zip(of_rows, columns[len(target_names) :], strict=True))
    return Rows(
        inputs,
        targets,
        times_of(told["times"]) if "times" in told else None,
        groups_of(told["groups"], len(targets)) if "groups" in told else None,
    )


def ordered_labels(data: Any, target: Any) -> tuple[str, ...]:
    """The labels of an ordered categorical column of text, in its order; else none.

    Categories without a row are left out. `data` are a DataFrame with the column `target`, or a
    pair `(DataFrame, targets)`.
    """
    import pandas as pd

    column: Any = None
    if is_pair(data):
        column = data[1]
    elif hasattr(data, "iloc") and isinstance(target, str) and target in list(data.columns):
        column = data.iloc[:, list(data.columns).index(target)]
    dtype = getattr(column, "dtype", None)
    if not isinstance(dtype, pd.CategoricalDtype) or not dtype.ordered:
        return ()
    values = set(column.dropna())
    labels = tuple(label for label in dtype.categories if label in values)
    return labels if all(isinstance(label, str) for label in labels) else ()


def rows_of_pair(frame: Any, targets: Any) -> Rows:
    """Rows of a DataFrame with its targets beside it, paired by position.

    Raises DataError for targets whose index has the rows in another order.
    """
    frame = as_frame(frame)
    names = _names(frame)
    _refuse_other_order(frame, targets)
    inputs = {name: column_values(frame.iloc[:, i]) for i, name in enumerate(names)}
    if not names:
        raise DataError("the table has no column: give one with an input at least.")
    array = array_of(targets, "the targets")
    if len(array) == len(frame):
        _tell_copies(inputs, array)
    return Rows(inputs, array)


def times_of(values: np.ndarray) -> np.ndarray:
    """Times `(rows,)` that sort as time does: texts in ISO 8601 become dates.

    Other texts stay, and sort as text. Raises DataError for missing times and other shapes.
    """
    import pandas as pd

    if values.ndim != 1:
        raise DataError(
            f"`times` has shape {values.shape}: give one value a row, or the name of a column."
        )
    missing = np.flatnonzero(pd.isna(values))
    if len(missing):
        raise DataError(
            f"`times` misses {len(missing):,} values, the first in row {missing[0]}: fill them, or "
            "drop these rows."
        )
    if values.dtype.kind == "O" and not isinstance(values[0] if len(values) else "", str):
        return pd.Series(values).infer_objects().to_numpy()
    if values.dtype.kind not in "OU":
        return values
    try:
        return pd.to_datetime(pd.Series(values), format="ISO8601").to_numpy()
    except (ValueError, TypeError):
        notice(
            f"`times` are texts such as {values[0]!r}, and are sorted as text: for dates give "
            "`pandas.to_datetime(...)` of them."
        )
        return values.astype(str)


def groups_of(groups: Any, n_rows: int) -> np.ndarray:
    """The label of each row's group `(rows,)`; mixed ones as texts.

    Raises DataError for another shape and for missing labels.
    """
    values = np.asarray(groups)
    if values.shape != (n_rows,):
        raise DataError(
            f"`groups` has the shape {values.shape} for {n_rows:,} rows: give one value a "
            "row, or the name of a column."
        )
    missing = missing_rows(values)
    if len(missing):
        raise DataError(
            f"{len(missing):,} values of `groups` are missing, the first in row {missing[0]}: give "
            "each row a group."
        )
    if values.dtype.kind == "O":
        values = np.asarray([str(value) for value in values.tolist()])
    return values


def _names(frame: Any) -> list[str]:
    """The names of the columns as text; the parts of a name of several levels are joined by dots.

    Raises DataError for a column without a name, and for two columns of one name.
    """
    names = [_name(label) for label in frame.columns]
    problems = []
    for at, name in enumerate(names):
        if name in ("", "None", "nan", "NaT", "<NA>") and not _is_text(frame.columns[at]):
            problems.append(
                f"column {at} (counted from 0) has no name ({frame.columns[at]!r}): name it, or "
                "leave it out."
            )
        elif names.index(name) == at and (n := names.count(name)) > 1:
            where = [str(i) for i, other in enumerate(names) if other == name]
            problems.append(
                f"{n} columns have the name `{name}` (columns {', '.join(where[:8])}, counted from "
                "0): rename them, as in `frame.columns = [...]`, or leave all but one out."
            )
    if problems:
        raise DataError(" ".join(problems))
    return names


def _name(label: Any) -> str:
    if isinstance(label, tuple):
        return ".".join(str(part) for part in label if str(part))
    return str(label)


def _is_text(label: Any) -> bool:
    """Whether a name is text that is not empty, such as the name `None` itself."""
    return isinstance(label, str) and label != ""


def _are_several(target: Any, labels: list[Any]) -> bool:
    """Whether `target` is a list of names; raises DataError for the targets themselves."""
    if isinstance(target, tuple):
        return not any(_is_same(label, target) for label in labels)
    if hasattr(target, "to_numpy") and hasattr(target, "iloc"):
        name = getattr(target, "name", None)
        hint = (
            f"`target={name!r}`"
            if any(_is_same(label, name) for label in labels)
            else "the pair `(frame, targets)` as data"
        )
        raise DataError(
            f"`target` is a {type(target).__name__} of {len(target):,} values, and must be the "
            f"name of a column: give {hint}."
        )
    if isinstance(target, np.ndarray) and target.dtype.kind not in "OU":
        raise DataError(
            f"`target` is an array of {target.dtype}, and must be the name of a column: give the "
            "pair `(frame, targets)` as data."
        )
    is_one = getattr(target, "shape", None) == ()  # an array or a tensor with one value
    return not isinstance(target, (str, bytes)) and hasattr(target, "__iter__") and not is_one


def _position(labels: list[Any], names: list[str], name: Any) -> int | None:
    """The number of a column by its label, or by its name as text; None where there is none."""
    for titles in (labels, names):
        matches = [
            i for i, other in enumerate(titles) if type(other) is type(name) or titles is labels
        ]
        for i in matches:
            if titles[i] is name or _is_same(titles[i], name):
                return i
    return None


def _is_same(label: Any, name: Any) -> bool:
    """Whether two names are equal; some objects cannot be compared, and are no name."""
    try:
        return bool(label == name)
    except Exception:
        return False


def _no_column(frame: Any, names: list[str], name: Any) -> str:
    """The sentence for a column that is not there, with what was probably meant."""
    if any(_is_same(label, name) for label in frame.index.names):
        return f"`{name}` is the index of the table: give `frame.reset_index()`."
    hint = ""
    if isinstance(name, int) and -len(names) <= name < len(names):
        hint = f" The column in this position is `{names[name]}`: give its name."
    if len(names) <= MOST_SHOWN:
        return unknown("column", name, names) + hint
    nearest = difflib.get_close_matches(str(name), names, n=3, cutoff=0.5)
    meant = f" Did you mean {' or '.join(f'`{n}`' for n in nearest)}?" if nearest else hint
    return f"Unknown column `{name}`.{meant} There are {len(names):,} columns: {_shown(names)}."


def _shown(names: list[str]) -> str:
    more = len(names) - MOST_SHOWN
    return ", ".join(names[:MOST_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _refuse_other_order(frame: Any, targets: Any) -> None:
    """Raise DataError where two indexes hold the same rows in another order."""
    index: Any = frame.index
    other: Any = getattr(targets, "index", None)
    if not hasattr(other, "is_unique") or len(index) != len(other):
        return
    is_same = index.equals(other) or not (index.is_unique and other.is_unique)
    if not is_same and index.isin(other).all():
        raise DataError(
            "the index of the targets has the rows of the table in another order, and rows are "
            "paired by position: give `targets.loc[frame.index]`, or reset both indexes if the "
            "order is right."
        )


def _tell_copies(inputs: dict[str, np.ndarray], targets: np.ndarray) -> None:
    """Warn of columns that hold the targets."""
    if targets.ndim != 1 or len(targets) < 2:
        return
    for name, column in inputs.items():
        if column.shape != targets.shape or column.dtype.kind != targets.dtype.kind:
            continue
        if _is_same(column[0], targets[0]) and _is_same(column.tolist(), targets.tolist()):
            notice(
                f"Column `{name}` holds the targets: a model reads the answer from it. Leave it "
                "out."
            )
