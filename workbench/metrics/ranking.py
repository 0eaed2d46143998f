"""Rows in the order of their scores: average precision and ROC AUC, also of resampled rows.

Intervals ask for these hundreds of times, each time of other rows of the same outputs. A resample
is here a number for each row, how often it was drawn, so that the rows are sorted only once: five
to ten times as fast as sorting each resample.
"""

from __future__ import annotations

import numpy as np

__all__ = ["Ranking"]


class Ranking:
    """Rows with the highest score first; rows of one score count together.

    `scores` are numbers `(rows,)`, `positive` says which rows are of the positive class `(rows,)`.
    """

    def __init__(self, scores: np.ndarray, positive: np.ndarray) -> None:
        self.order = np.argsort(scores, kind="stable")[::-1]
        self.is_last = np.append(np.diff(scores[self.order]) != 0, True)  # of rows with one score
        self.positive = positive[self.order]

    def average_precision(self, rows: np.ndarray | None = None) -> float:
        """scikit-learn's `average_precision_score` of `rows` (indices); 0 without a positive."""
        n_drawn, hits = self._totals(rows)
        if not len(hits) or hits[-1] == 0:
            return 0.0
        precision = hits / np.maximum(n_drawn, 1)
        return float(np.sum(np.diff(hits, prepend=0) / hits[-1] * precision))

    def roc_auc(self, rows: np.ndarray | None = None) -> float:
        """scikit-learn's `roc_auc_score` of `rows` (indices); NaN where one class is missing."""
        n_drawn, hits = self._totals(rows)
        misses = n_drawn - hits
        if not len(hits) or hits[-1] == 0 or misses[-1] == 0:
            return float("nan")
        heights = hits - np.diff(hits, prepend=0) / 2
        return float(np.sum(np.diff(misses, prepend=0) * heights) / (hits[-1] * misses[-1]))

    def _totals(self, rows: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """How many of `rows`, and how many positive ones, have at least each of the scores."""
        n = len(self.order)
        if rows is None:
            return np.flatnonzero(self.is_last) + 1, np.cumsum(self.positive)[self.is_last]
        drawn = np.bincount(rows, minlength=n)[self.order]
        hits = np.cumsum(np.where(self.positive, drawn, 0))
        return np.cumsum(drawn)[self.is_last], hits[self.is_last]
