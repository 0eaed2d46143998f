"""PastRows: for each row, the mean target and the number of earlier rows of its category.

    date   category  target   mean of the past   rows of the past
    1 May  a         1        (overall)          0
    2 May  a         0        1 and overall      1
    2 May  b         1        (overall)          0
    3 May  a         ?        1, 0 and overall   2

A row sees rows with an earlier date only, in train and in prediction alike, so its own target and
the future never reach it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from workbench.data.cells import as_frame, dates_of, texts_of

__all__ = ["PastRows"]

MISSING = "(missing)"


class PastRows(TransformerMixin, BaseEstimator):
    """Aggregates over the past; the first column holds the dates, the others are categories.

    The mean is smoothed: `smoothing` rows with the mean of all earlier targets are added to it.
    It needs one number a row as target; labels of several classes give the counts alone.
    """

    def __init__(self, smoothing: float = 10.0, with_mean: bool = True) -> None:
        self.smoothing = smoothing
        self.with_mean = with_mean

    def fit(self, X: Any, y: Any = None) -> PastRows:
        frame = as_frame(X)
        self.names_ = [str(name) for name in frame.columns[1:]]
        self.n_features_in_ = frame.shape[1]
        target = np.zeros(len(frame)) if y is None else np.asarray(y, np.float64).reshape(-1)
        days = _days(frame)
        known = np.isfinite(days)
        self.overall_ = _History.of(days[known], target[known])
        self.histories_: list[dict[str, Any]] = []
        for place in range(1, frame.shape[1]):
            texts = texts_of(frame.iloc[:, place], MISSING)[known]
            order = np.lexsort((days[known], texts.astype(str)))
            names, starts = np.unique(texts.astype(str)[order], return_index=True)
            ends = np.append(starts[1:], len(order))
            self.histories_.append(
                {
                    "names": names.astype(object),
                    "starts": starts,
                    "ends": ends,
                    "days": days[known][order],
                    "sums": np.append(0.0, np.cumsum(target[known][order])),
                }
            )
        return self

    def transform(self, X: Any) -> np.ndarray:
        frame = as_frame(X)
        days = _days(frame)
        n_before, sum_before = _History.before(self.overall_, days)
        overall = np.divide(sum_before, n_before, out=np.zeros(len(days)), where=n_before > 0)
        columns: list[np.ndarray] = []
        for place, history in enumerate(self.histories_, 1):
            texts = texts_of(frame.iloc[:, place], MISSING)
            n, total = _past_of(history, texts, days)
            if self.with_mean:
                columns.append((total + self.smoothing * overall) / (n + self.smoothing))
            columns.append(np.log1p(n))
        return np.column_stack(columns)

    def names_by_column(self) -> list[list[str]]:
        """Names of the output columns of each category."""
        means = ["past mean"] if self.with_mean else []
        return [[f"{name} {part}" for part in (*means, "past rows")] for name in self.names_]

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """One name an output column."""
        return np.asarray([n for names in self.names_by_column() for n in names], dtype=object)


class _History:
    """Days in their order and the sums of the targets before each, as a dict for the file."""

    @staticmethod
    def of(days: np.ndarray, target: np.ndarray) -> dict[str, np.ndarray]:
        order = np.argsort(days, kind="stable")
        return {"days": days[order], "sums": np.append(0.0, np.cumsum(target[order]))}

    @staticmethod
    def before(history: dict[str, np.ndarray], days: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Number and sum `(rows,)` of the rows before each day; a missing day is after all."""
        n = np.searchsorted(history["days"], np.where(np.isfinite(days), days, np.inf), "left")
        return n.astype(float), history["sums"][n]


def _past_of(
    history: dict[str, Any], texts: np.ndarray, days: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Number and sum `(rows,)` of the earlier rows of each row's category; 0 for an unseen one."""
    n, total = np.zeros(len(texts)), np.zeros(len(texts))
    codes = pd.Index(history["names"]).get_indexer(texts)
    moments = np.where(np.isfinite(days), days, np.inf)
    order = np.argsort(codes, kind="stable")
    bounds = np.flatnonzero(np.diff(codes[order])) + 1
    for rows in np.split(order, bounds):
        if not len(rows) or codes[rows[0]] < 0:
            continue
        start, end = history["starts"][codes[rows[0]]], history["ends"][codes[rows[0]]]
        found = np.searchsorted(history["days"][start:end], moments[rows], "left")
        n[rows] = found
        total[rows] = history["sums"][start + found] - history["sums"][start]
    return n, total


def _days(frame: pd.DataFrame) -> np.ndarray:
    """The dates of the first column as days `(rows,)`, NaN for what is none."""
    dates = dates_of(frame.iloc[:, 0])
    return ((dates - pd.Timestamp("2000-01-01")).dt.total_seconds() / 86_400).to_numpy(float)
