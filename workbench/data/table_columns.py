"""The kinds of the columns of a table: numbers, categories, texts, dates and spans of time.

They are read off the train rows without their labels. Columns that no encoder can use have a
reason.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from workbench.data.columns import WORDS_OF_A_TEXT, missing_rows

__all__ = ["ColumnKind", "TableColumns", "is_date_text"]

ColumnKind = Literal["number", "category", "many", "text", "date", "span"]

N_SAMPLE = 2_000  # cells that are read to tell text and dates
SHARE_OF_AN_IDENTIFIER = 0.95  # different values among the rows that have one
LEAST_ROWS_OF_AN_IDENTIFIER = 50
DATE = re.compile(r"^\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}.*)?$")


@dataclass(frozen=True)
class TableColumns:
    """The kind of each usable column in the order of the table, and reasons for the others.

    `is_matrix` says that the rows are one matrix, whose columns have their positions as names.
    `untidy` are columns of categories with missing cells, or with cells that are no text;
    `infinite` are numbers with infinite cells.
    """

    kinds: Mapping[str | int, ColumnKind]
    unused: Mapping[str | int, str] = field(default_factory=dict)
    untidy: frozenset[str | int] = frozenset()
    infinite: frozenset[str | int] = frozenset()
    is_matrix: bool = False

    @classmethod
    def of(cls, inputs: Mapping[str, np.ndarray], *, max_categories: int) -> TableColumns:
        """The kinds of columns `(rows,)`, or of the columns of arrays of more dimensions.

        A column with more than `max_categories` categories is of the kind `many`.
        """
        if any(np.ndim(a) != 1 for a in inputs.values()):
            return cls._of_matrix(inputs)
        kinds: dict[str | int, ColumnKind] = {}
        unused: dict[str | int, str] = {}
        untidy: set[str | int] = set()
        infinite: set[str | int] = set()
        for name, column in inputs.items():
            reason = _reason_against(column)
            if reason:
                unused[name] = reason
                continue
            kind = _kind_of(column, max_categories)
            if kind == "many" and _is_identifier(column):
                unused[name] = "nearly every row has a value of its own, as in an identifier"
                continue
            kinds[name] = kind
            if kind in ("category", "many") and _is_untidy(column):
                untidy.add(name)
            if kind == "number" and column.dtype.kind == "f" and np.isinf(column).any():
                infinite.add(name)
        return cls(kinds, unused, frozenset(untidy), frozenset(infinite))

    @classmethod
    def _of_matrix(cls, inputs: Mapping[str, np.ndarray]) -> TableColumns:
        parts = [np.asarray(a).reshape(len(a), -1) for a in inputs.values()]
        matrix = np.concatenate(parts, axis=1)
        kinds: dict[str | int, ColumnKind] = {}
        unused: dict[str | int, str] = {}
        infinite: set[str | int] = set()
        for place in range(matrix.shape[1]):
            reason = _reason_against(matrix[:, place])
            if reason:
                unused[place] = reason
                continue
            kinds[place] = "number"
            if matrix.dtype.kind == "f" and np.isinf(matrix[:, place]).any():
                infinite.add(place)
        return cls(kinds, unused, infinite=frozenset(infinite), is_matrix=True)

    def of_kind(self, kind: ColumnKind) -> list[str | int]:
        """Names of the columns of this kind, in the order of the table."""
        return [name for name, its_kind in self.kinds.items() if its_kind == kind]

    def without(self, names: Mapping[str | int, str]) -> TableColumns:
        """The same table with further unused columns, each with its reason."""
        kinds = {name: kind for name, kind in self.kinds.items() if name not in names}
        return TableColumns(
            kinds, {**self.unused, **names}, self.untidy, self.infinite, self.is_matrix
        )


def _reason_against(column: np.ndarray) -> str:
    """Why no encoder can use a column; empty where one can."""
    missing = missing_rows(column)
    if len(missing) == len(column):
        return "no row of train has a value"
    first = column[0] if not len(missing) else None
    if first is not None and _all_equal(column, first):
        return "all rows of train have one value"
    cell = _first_cell(column)
    if isinstance(cell, (list, tuple, dict, set, np.ndarray)):
        return f"its cells hold a {type(cell).__name__}"
    return ""


def _all_equal(column: np.ndarray, first: object) -> bool:
    if isinstance(first, (list, tuple, dict, set, np.ndarray)):
        return False
    if column.dtype.kind == "O":
        return all(value == first for value in column.tolist())
    return bool((column == first).all())


def _first_cell(column: np.ndarray) -> object:
    """The first cell of objects that has a value; None for other columns."""
    if column.dtype.kind != "O":
        return None
    missing = set(missing_rows(column[:N_SAMPLE]).tolist())
    return next((v for i, v in enumerate(column[:N_SAMPLE].tolist()) if i not in missing), None)


def _kind_of(column: np.ndarray, max_categories: int) -> ColumnKind:
    if column.dtype.kind in "biuf":
        return "number"
    cell = _first_cell(column)
    if column.dtype.kind == "M" or isinstance(cell, datetime.date):
        return "date"
    if column.dtype.kind == "m" or isinstance(cell, datetime.timedelta):
        return "span"
    if is_date_text(column):
        return "date"
    texts = _texts(column)
    n_words = np.mean([len(text.split()) for text in texts]) if texts else 0.0
    if n_words >= WORDS_OF_A_TEXT and len(set(texts)) > min(max_categories, len(texts) / 2):
        return "text"
    return "many" if _n_different(column) > max_categories else "category"


def is_date_text(column: np.ndarray) -> bool:
    """Whether a column `(rows,)` holds texts that are all dates as ISO 8601 writes them."""
    texts = _texts(column)
    return bool(texts) and all(DATE.match(text) for text in texts)


def _texts(column: np.ndarray) -> list[str]:
    return [value for value in column[:N_SAMPLE].tolist() if isinstance(value, str)]


def _n_different(column: np.ndarray) -> int:
    return len(set(map(str, column.tolist())))


def _is_identifier(column: np.ndarray) -> bool:
    n = len(column) - len(missing_rows(column))
    if n < LEAST_ROWS_OF_AN_IDENTIFIER:
        return False
    return _n_different(column) > SHARE_OF_AN_IDENTIFIER * n


def _is_untidy(column: np.ndarray) -> bool:
    if column.dtype.kind == "U":
        return False
    return not all(isinstance(value, str) for value in column.tolist())
