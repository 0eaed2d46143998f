"""Tables: DataFrames with odd columns, types, indexes, targets and sizes, given to `make_task`."""

from __future__ import annotations

import datetime
import decimal
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

import workbench as wb
from tests.generated.checker import attempt, require
from tests.generated.values import ANY
from workbench.models.table import table_net

__all__ = ["CASES", "COLUMNS", "try_case"]

DATE = datetime.date(2026, 1, 1)


def _mixed(n: int) -> list[Any]:
    return [(1, "a", None, 2.5, b"x")[i % 5] for i in range(n)]


# Each makes a column of n rows; those that suit a target come first.
COLUMNS: dict[str, Callable[[int], Any]] = {
    "classes": lambda n: [i % 2 for i in range(n)],
    "names": lambda n: [("cat", "dog", "cow")[i % 3] for i in range(n)],
    "floats": lambda n: np.linspace(-1, 1, n),
    "booleans": lambda n: [i % 2 == 0 for i in range(n)],
    "large": lambda n: [10**30 + i % 2 for i in range(n)],
    "int64": lambda n: np.arange(n, dtype=np.int64),
    "uint64": lambda n: np.arange(n, dtype=np.uint64) + np.uint64(2**63),
    "int8": lambda n: (np.arange(n) % 100).astype(np.int8),
    "float16": lambda n: np.linspace(0, 1, n).astype(np.float16),
    "complex": lambda n: np.arange(n) * 1j,
    "huge floats": lambda n: np.full(n, 1e308) * np.where(np.arange(n) % 2, 1, -1),
    "constant": lambda n: [1.0] * n,
    "missing": lambda n: [np.nan] * n,
    "None": lambda n: [None] * n,
    "some missing": lambda n: [None if i % 3 == 0 else float(i) for i in range(n)],
    "infinite": lambda n: [np.inf if i % 5 == 0 else float(i) for i in range(n)],
    "texts": lambda n: [f"text {i}" for i in range(n)],
    "empty texts": lambda n: ["" for _ in range(n)],
    "missing texts": lambda n: [None if i % 2 else "a" for i in range(n)],
    "mixed": _mixed,
    "bytes": lambda n: [b"a", b"b"] * (n // 2) + [b"c"] * (n % 2),
    "lists": lambda n: [[i, i + 1] for i in range(n)],
    "ragged": lambda n: [[0] * (i % 3) for i in range(n)],
    "arrays": lambda n: [np.zeros(2) for _ in range(n)],
    "dicts": lambda n: [{"a": i} for i in range(n)],
    "sets": lambda n: [{i} for i in range(n)],
    "objects": lambda n: [object() for _ in range(n)],
    "frames": lambda n: [pd.DataFrame({"a": [i]}) for i in range(n)],
    "decimals": lambda n: [decimal.Decimal(i) / 3 for i in range(n)],
    "dates": lambda n: [DATE + datetime.timedelta(i) for i in range(n)],
    "times": lambda n: pd.date_range("2026-01-01", periods=n),
    "times with zone": lambda n: pd.date_range("2026-01-01", periods=n, tz="Asia/Tokyo"),
    "spans": lambda n: pd.to_timedelta(np.arange(n), unit="D"),
    "periods": lambda n: pd.period_range("2026-01", periods=n, freq="D"),
    "intervals": lambda n: pd.interval_range(0, n) if n else [],
    "category": lambda n: pd.Categorical([("a", "b")[i % 2] for i in range(n)]),
    "unused categories": lambda n: pd.Categorical(["a"] * n, categories=["a", "b", "c"]),
    "numbers as category": lambda n: pd.Categorical([i % 3 for i in range(n)]),
    "Int64": lambda n: pd.array([None if i % 4 == 0 else i for i in range(n)], "Int64"),
    "boolean": lambda n: pd.array(
        [None if i % 4 == 0 else i % 2 == 0 for i in range(n)], "boolean"
    ),
    "string": lambda n: pd.array([None if i % 4 == 0 else "a" for i in range(n)], "string"),
    "arrow": lambda n: pd.array(range(n), "int64[pyarrow]"),
    "sparse": lambda n: pd.arrays.SparseArray([i % 2 for i in range(n)]),
}
LABELS: tuple[Any, ...] = (
    "a", "b", "c", "label", "", " ", None, 0, 1, np.nan, ("a", "b"), "x" * 200, "é", "a.b", "[",
    "target", True, 1.5, DATE, "a\nb", "\x00",
)  # fmt: skip
INDEXES = ("range", "text", "equal", "reversed", "times", "levels", "named label", "missing")
MODELS = ("none", "network", "estimator")
SIZES = (0, 1, 2, 3, 7, 40, 90)


@dataclass(frozen=True)
class Case:
    """Columns by label, rows, index, and what `make_task` is told about them."""

    columns: tuple[tuple[Any, str], ...]
    target_kind: str
    n_rows: int = 90
    index: str = "range"
    target: Any = "label"
    times: Any = None
    model: str = "none"
    form: str = "frame"
    valid: str = ""


PAIRS = st.lists(
    st.tuples(
        st.one_of(st.sampled_from("abc"), st.sampled_from(LABELS)), st.sampled_from(tuple(COLUMNS))
    ),
    min_size=0,
    max_size=3,
).map(tuple)
KINDS_OF_TARGET = st.one_of(
    st.sampled_from(tuple(COLUMNS)[:5]),
    st.sampled_from(tuple(COLUMNS)[:4]),
    st.sampled_from(tuple(COLUMNS)),
)
TARGETS = st.one_of(
    st.just("label"), st.just("label"), st.just("label"), st.sampled_from(LABELS),
    st.lists(st.sampled_from(LABELS), max_size=3), ANY,
)  # fmt: skip
CASES = st.builds(
    Case,
    PAIRS,
    KINDS_OF_TARGET,
    st.one_of(st.just(90), st.just(90), st.sampled_from(SIZES)),
    st.one_of(st.just("range"), st.sampled_from(INDEXES)),
    TARGETS,
    st.one_of(st.none(), st.none(), st.none(), st.sampled_from(LABELS), ANY),
    st.sampled_from(MODELS),
    st.sampled_from(("frame", "frame", "frame", "pair", "series", "arrow", "columns of levels")),
    st.sampled_from(
        ("", "", "same", "reordered", "fewer", "other types", "empty", "one row", "text")
    ),
)


def try_case(case: Case) -> str:
    """Make a task of the table; one that is accepted holds its columns and rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas, while the odd table is made
        try:
            data = _data(case)
        except (ValueError, TypeError, AttributeError, ArithmeticError):
            return "refused"  # pandas makes no such table
    ended = attempt(lambda: wb.make_task("t", model=_model(case.model), **data))
    if ended.refusal is None:
        task = ended.value
        n_rows = sum(task.data.sizes().values()) - (len(data["valid"]) if "valid" in data else 0)
        require(n_rows == case.n_rows, "rows", case.n_rows, n_rows)
        n_inputs = len(task.data.train.inputs)
        require(n_inputs > 0, "inputs", case)
        require(len(task.metrics) > 0, "metrics", case)
    return ended.status


def _data(case: Case) -> dict[str, Any]:
    frame = _frame(case)
    data: dict[str, Any] = {"train": _formed(frame, case)}
    if case.target is not None and case.form not in ("pair", "series"):
        data["target"] = case.target
    if case.times is not None:
        data["times"] = case.times
    if case.valid and case.form == "frame":
        data["valid"] = _other(frame, case.valid)
    return data


def _frame(case: Case) -> pd.DataFrame:
    pairs = [*case.columns, ("label", case.target_kind)]
    columns = [pd.Series(COLUMNS[kind](case.n_rows)) for _, kind in pairs]
    frame = pd.concat(columns, axis=1) if columns else pd.DataFrame()
    frame.columns = pd.Index([label for label, _ in pairs], dtype=object, tupleize_cols=False)
    frame.index = _index(case.index, case.n_rows)
    return frame


def _index(kind: str, n: int) -> pd.Index:
    if kind == "text":
        return pd.Index([f"row {i}" for i in range(n)])
    if kind == "equal":
        return pd.Index([0] * n)
    if kind == "reversed":
        return pd.Index(range(n)[::-1])
    if kind == "times":
        return pd.date_range("2026-01-01", periods=n)
    if kind == "levels":
        return pd.MultiIndex.from_arrays([[0] * n, list(range(n))])
    if kind == "missing":
        return pd.Index([None] * n)
    return pd.RangeIndex(n, name="label" if kind == "named label" else None)


def _formed(frame: pd.DataFrame, case: Case) -> Any:
    if case.form == "pair":
        return frame.iloc[:, :-1], frame.iloc[:, -1]
    if case.form == "series":
        return frame.iloc[:, -1]
    if case.form == "arrow":
        import pyarrow

        try:
            return pyarrow.Table.from_pandas(frame)
        except (pyarrow.ArrowException, KeyError) as error:
            raise ValueError("Arrow takes no such table") from error
    if case.form == "columns of levels":
        frame.columns = pd.MultiIndex.from_arrays(
            [["top"] * len(frame.columns), list(frame.columns)]
        )
    return frame


def _other(frame: pd.DataFrame, kind: str) -> pd.DataFrame:
    if kind == "reordered":
        return frame.iloc[:, ::-1]
    if kind == "fewer":
        return frame.iloc[:, 1:]
    if kind == "other types":
        return frame.astype(str)
    if kind == "empty":
        return frame.iloc[:0]
    if kind == "one row":
        return frame.iloc[:1]
    if kind == "text":
        return frame.assign(a="x") if "a" in frame.columns else frame
    return frame.copy()


def _model(kind: str) -> Any:
    if kind == "network":
        return lambda n_in: table_net(n_in, 2)
    if kind == "estimator":
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression()
    return None
