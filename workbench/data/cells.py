"""Transformers of the cells of a table: dates to numbers, texts to numbers, gaps to texts.

Each is a scikit-learn transformer of columns `(rows, columns)`, to stand in a pipeline.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

__all__ = ["DateParts", "Finite", "Spans", "TextParts", "Texts", "as_frame", "dates_of", "texts_of"]

START = pd.Timestamp("2000-01-01")
SECONDS_OF_A_DAY = 86_400.0
TWO_PI = 2 * np.pi


class _Columns(TransformerMixin, BaseEstimator):
    """The parts that all transformers here share: names of the columns that they were fitted on."""

    def fit(self, X: Any, y: Any = None) -> Any:
        frame = as_frame(X)
        self.names_ = [str(name) for name in frame.columns]
        self.n_features_in_ = len(self.names_)
        self._learn(frame)
        return self

    def _learn(self, frame: pd.DataFrame) -> None:
        """Learn the columns; most have nothing to learn."""

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """One name an output column."""
        return np.asarray(self.names_, dtype=object)


class Texts(_Columns):
    """Cells as texts `(rows, columns)`; a missing cell becomes `missing`."""

    def __init__(self, missing: str = "(missing)") -> None:
        self.missing = missing

    def transform(self, X: Any) -> np.ndarray:
        frame = as_frame(X)
        return np.column_stack([texts_of(frame.iloc[:, i], self.missing) for i in _places(frame)])


class Finite(_Columns):
    """Numbers `(rows, columns)` with infinite ones as missing."""

    def transform(self, X: Any) -> np.ndarray:
        values = np.asarray(as_frame(X), np.float64)
        return np.where(np.isinf(values), np.nan, values)


class Spans(_Columns):
    """Spans of time as days `(rows, columns)`; missing ones are NaN."""

    def transform(self, X: Any) -> np.ndarray:
        frame = as_frame(X)
        spans = [pd.to_timedelta(frame.iloc[:, i], errors="coerce") for i in _places(frame)]
        return np.column_stack([s.dt.total_seconds() / SECONDS_OF_A_DAY for s in spans])


class DateParts(_Columns):
    """Dates as numbers: days since 2000, and their parts, cyclical or plain.

    Month, weekday and hour (where train has times of day) are sine and cosine of their place in
    the year, the week and the day with `cyclical`, so that December is beside January; else
    numbers. A cell that is no date gives NaN.
    """

    def __init__(self, parts: Literal["cyclical", "parts"] = "cyclical") -> None:
        self.parts = parts

    def _learn(self, frame: pd.DataFrame) -> None:
        dates = [dates_of(frame.iloc[:, i]) for i in _places(frame)]
        self.has_hour_ = [bool((d.dt.normalize() != d)[d.notna()].any()) for d in dates]

    def transform(self, X: Any) -> np.ndarray:
        frame = as_frame(X)
        columns: list[np.ndarray] = []
        for place, has_hour in zip(_places(frame), self.has_hour_, strict=True):
            dates = dates_of(frame.iloc[:, place])
            columns.append(((dates - START).dt.total_seconds() / SECONDS_OF_A_DAY).to_numpy(float))
            for _, values, length in _cycles(dates, has_hour):
                if self.parts == "parts":
                    columns.append(values)
                else:
                    angle = TWO_PI * values / length
                    columns += [np.sin(angle), np.cos(angle)]
        return np.column_stack(columns)

    def names_by_column(self) -> list[list[str]]:
        """Names of the output columns of each date."""
        names = []
        for name, has_hour in zip(self.names_, self.has_hour_, strict=True):
            parts = [part for part, _, _ in _cycles(pd.Series([START]), has_hour)]
            if self.parts == "cyclical":
                parts = [f"{part} {wave}" for part in parts for wave in ("sine", "cosine")]
            names.append([f"{name} days", *(f"{name} {part}" for part in parts)])
        return names

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """One name an output column."""
        return np.asarray([n for names in self.names_by_column() for n in names], dtype=object)


class TextParts(TransformerMixin, BaseEstimator):
    """Texts `(rows,)` as `n_components` numbers: TF-IDF of words, then a truncated SVD.

    Texts with fewer different words than components have zeros in the components left over.
    """

    def __init__(self, n_components: int = 30, random_state: int = 0) -> None:
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> TextParts:
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        column = pd.Series(X)
        self.name_ = str(column.name)
        self.n_features_in_ = 1
        self.words_, self.svd_ = None, None
        words = TfidfVectorizer(max_features=20_000, sublinear_tf=True)
        try:
            weights = words.fit_transform(texts_of(column, ""))
        except ValueError:  # no word in any text
            return self
        self.words_ = words
        n = min(self.n_components, weights.shape[1] - 1, weights.shape[0] - 1)
        if n >= 1:
            self.svd_ = TruncatedSVD(n, random_state=self.random_state).fit(weights)
        return self

    def transform(self, X: Any) -> np.ndarray:
        texts = texts_of(pd.Series(X), "")
        parts = np.zeros((len(texts), self.n_components))
        if self.words_ is not None and self.svd_ is not None:
            found = self.svd_.transform(self.words_.transform(texts))
            parts[:, : found.shape[1]] = found
        return parts

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """One name a component."""
        numbers = range(1, self.n_components + 1)
        return np.asarray([f"{self.name_} text {number}" for number in numbers], dtype=object)


def as_frame(X: Any) -> pd.DataFrame:
    """Columns `(rows, columns)` as a DataFrame."""
    return X if isinstance(X, pd.DataFrame) else pd.DataFrame(X)


def _places(frame: pd.DataFrame) -> range:
    return range(frame.shape[1])


def texts_of(column: pd.Series, missing: str) -> np.ndarray:
    """The cells of a column as texts `(rows,)` of objects."""
    cells = column.astype(object)
    return cells.where(cells.notna(), missing).map(str).to_numpy(object)


def dates_of(column: pd.Series) -> pd.Series:
    """A column as dates without a time zone, NaT for what is none."""
    if column.dtype.kind == "M" and getattr(column.dtype, "tz", None) is None:
        return column.reset_index(drop=True)
    dates = pd.to_datetime(column, errors="coerce", utc=True, format="mixed")
    return dates.dt.tz_localize(None).reset_index(drop=True)


def _cycles(dates: pd.Series, has_hour: bool) -> list[tuple[str, np.ndarray, float]]:
    """Name, values `(rows,)` and length of each cycle of dates."""
    cycles = [
        ("month", (dates.dt.month - 1).to_numpy(float), 12.0),
        ("weekday", dates.dt.day_of_week.to_numpy(float), 7.0),
    ]
    if has_hour:
        hour = dates.dt.hour + dates.dt.minute / 60
        cycles.append(("hour", hour.to_numpy(float), 24.0))
    return cycles
