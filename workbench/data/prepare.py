"""Preparation: turns raw rows into a model's inputs; fitted on train only, kept as plain JSON.

A `prepare` belongs to its candidate, so that a model always gets its inputs scaled as in training.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from workbench.data.columns import input_named, missing_rows
from workbench.data.notices import notice
from workbench.data.rows import Rows
from workbench.data.tokens import Tokens, WordPieces
from workbench.errors import DataError, unknown

__all__ = ["Columns", "Normalize", "from_json", "refuse_no_category", "to_json"]

MOST_CATEGORIES = 128  # of a column; more are usually names or numbers of rows

LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Normalize:
    """Images scaled to mean 0 and standard deviation 1.

    Takes grey images `(rows, height, width)` of any number type and gives float32
    `(rows, 1, height, width)`; images `(rows, channels, height, width)` keep their shape.
    """

    mean: float
    std: float
    name: str = "image"

    @classmethod
    def fitted(cls, train: Rows, name: str = "image") -> Normalize:
        """With the mean and the standard deviation of all values of train."""
        values = train.inputs[name]
        return cls(float(values.mean()), float(values.std()) or 1.0, name)

    def refitted(self, train: Rows) -> Normalize:
        """The same input, with mean and standard deviation of other train rows."""
        return self.fitted(train, self.name)

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        image = np.asarray(input_named(inputs, self.name), np.float32)
        image = image if image.ndim == 4 else image[:, None]
        return {self.name: (image - np.float32(self.mean)) / np.float32(self.std)}


@dataclass(frozen=True)
class Columns:
    """Columns of a table as one float32 matrix `x` `(rows, features)`.

    Numbers are scaled, with the train median for missing ones. Categories are one-hot, with all
    zeros for a category that is not in train.
    """

    # median, mean and standard deviation of each column
    numeric: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    categories: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def fitted(cls, train: Rows, *, max_categories: int = MOST_CATEGORIES) -> Columns:
        """With the scales and categories of train.

        Raises DataError for a column with more than `max_categories` categories, and for dates,
        lists and other cells that are no category. Warns of a column without any value.
        """
        numeric: dict[str, tuple[float, float, float]] = {}
        categories: dict[str, list[str]] = {}
        for name, column in train.inputs.items():
            if column.dtype.kind in "biuf":
                values = column.astype(np.float64)
                if not np.isfinite(values).any():
                    notice(f"Column `{name}` has no value in train, and is taken as 0.")
                elif n_infinite := int(np.isinf(values).sum()):
                    notice(
                        f"Column `{name}` has {n_infinite:,} infinite values in train; they are "
                        "taken as missing, and filled by the median."
                    )
                numeric[name] = _scale(values)
            else:
                refuse_no_category(name, column)
                if len(column) and len(missing_rows(column)) == len(column):
                    notice(f"Column `{name}` has no value in train.")
                texts = sorted({str(value) for value in column})
                if len(texts) > max_categories:
                    raise DataError(
                        f"Column `{name}` has {len(texts)} categories; at most {max_categories} "
                        "are allowed: group some of them, or leave the column out."
                    )
                categories[name] = texts
        return cls(numeric, categories)

    def refitted(self, train: Rows) -> Columns:
        """The scales and categories of other train rows."""
        most = max((len(texts) for texts in self.categories.values()), default=0)
        return self.fitted(train, max_categories=max(MOST_CATEGORIES, most))

    @property
    def n_features(self) -> int:
        """The number of features: one a number, one a category."""
        return len(self.numeric) + sum(map(len, self.categories.values()))

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        parts = []
        for name, (median, mean, std) in self.numeric.items():
            values = np.asarray(input_named(inputs, name), np.float64)
            values = np.where(np.isfinite(values), values, median)
            with np.errstate(over="ignore"):  # halves keep the difference of 1e308 and -1e308
                scaled = 2 * ((values / 2 - mean / 2) / std)
            parts.append(np.clip(scaled, -LARGEST, LARGEST)[:, None])
        for name, categories in self.categories.items():
            texts = np.asarray(input_named(inputs, name)).astype(str)
            parts.append(texts[:, None] == np.asarray(categories)[None])
        return {"x": np.concatenate([np.asarray(part, np.float32) for part in parts], axis=1)}


def _scale(values: np.ndarray) -> tuple[float, float, float]:
    """Median, mean and standard deviation of a column; values that are not finite count as median.

    The median of no value is 0, the standard deviation of a constant column is 1. The values are
    divided by a power of two first, which is exact: sums of 1e308 and squares of 1e-200 stay in the
    range of float64.
    """
    is_finite = np.isfinite(values)
    finite = values[is_finite]
    if not len(finite) or finite.min() == finite.max():
        constant = float(finite[0]) if len(finite) else 0.0
        return constant, constant, 1.0
    exponent = int(np.frexp(np.abs(finite).max())[1])
    median = np.median(np.ldexp(finite, -exponent))
    small = np.where(is_finite, np.ldexp(values, -exponent), median)
    median, mean, std = np.ldexp([median, small.mean(), small.std()], exponent)
    return float(median), float(mean), float(std) or 1.0


def refuse_no_category(name: str, column: np.ndarray) -> None:
    """Raise DataError for a column of dates, spans of time, lists or other containers."""
    cell = None
    if column.dtype.kind == "O":
        present = np.setdiff1d(np.arange(len(column)), missing_rows(column))
        cell = column[present[0]] if len(present) else None
    is_span = column.dtype.kind == "m" or isinstance(cell, datetime.timedelta)
    is_date = column.dtype.kind == "M" or isinstance(cell, datetime.date)
    if is_span or is_date:
        way = "dt.total_seconds()" if is_span else "dt.month"
        raise DataError(
            f"Column `{name}` holds {'spans of time' if is_span else 'dates'}: give numbers, such "
            f"as `frame[{name!r}].{way}`, or leave the column out."
        )
    is_period = hasattr(cell, "ordinal") and hasattr(cell, "freqstr")
    if is_period or isinstance(cell, (list, tuple, dict, set, np.ndarray)):
        raise DataError(
            f"Column `{name}` has a {type(cell).__name__} in a cell, and a cell must be a number "
            "or a text: make columns of its parts, or leave the column out."
        )


@dataclass(frozen=True)
class _Yours:
    """A function of the user's own, kept as a reference and imported at the first call."""

    reference: str

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        from workbench.system.references import resolve

        return resolve(self.reference)(inputs)


KINDS = {"normalize": Normalize, "columns": Columns, "tokens": Tokens, "word_pieces": WordPieces}


def to_json(prepare: Any) -> dict[str, Any] | None:
    """A `prepare` as plain data for a candidate's file; a user's own as its reference."""
    if prepare is None:
        return None
    for kind, cls in KINDS.items():
        if isinstance(prepare, cls):
            fields: Any = prepare  # each of KINDS is a dataclass
            return {"kind": kind, **asdict(fields)}
    if isinstance(prepare, _Yours):
        return {"kind": "yours", "reference": prepare.reference}
    name = getattr(prepare, "__qualname__", type(prepare).__qualname__)
    module = getattr(prepare, "__module__", None)
    return {"kind": "yours", "reference": f"{module}:{name}"}


def from_json(data: Mapping[str, Any] | None) -> Any:
    """The `prepare` of the data that `to_json` gave.

    A user's own is imported when it is first called. Raises DataError for an unknown kind.
    """
    if data is None:
        return None
    values = dict(data)
    kind = values.pop("kind")
    if kind == "yours":
        return _Yours(values["reference"])
    if kind not in KINDS:
        raise DataError(unknown("prepare", kind, KINDS))
    return KINDS[kind](**values)
