"""Selector, a step of a pipeline that keeps the best features by one of several methods.

It ranks the features on the rows that it is fitted on, so that in cross-validation each fold
chooses by its own train rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin

from workbench.techniques.features.methods import OWN_NUMBER
from workbench.techniques.features.rankings import RANKINGS, Ranker, Ranking

__all__ = ["Selector"]

OnStep = Callable[[float, float, str], None]


class Selector(SelectorMixin, BaseEstimator):
    """Keeps `n_features` features `(rows, n_features)`; constant ones are dropped in any case.

    `n_features` of 0 keeps those that the method itself accepts (variance, boruta), or all. At most
    `max_rows` rows are ranked, 0 for all. `estimator` is the model whose importances or scores the
    methods l1, from_model, rfecv, sequential and permutation use.

    skl2onnx writes it by the two methods `onnx_*`.
    """

    def __init__(
        self,
        method: str = "none",
        n_features: int = 0,
        threshold: float = 0.0,
        kind: str = "classification",
        estimator: Any = None,
        max_rows: int = 0,
        random_state: int = 0,
    ) -> None:
        self.method = method
        self.n_features = n_features
        self.threshold = threshold
        self.kind = kind
        self.estimator = estimator
        self.max_rows = max_rows
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, on_step: OnStep | None = None) -> Selector:
        """Rank the features; `on_step(done, total, text)` hears of the work and may raise."""
        sample, targets = self._sample(X, y)
        self.n_features_in_ = sample.shape[1]
        varies = _varies(X)
        self.scores_ = np.full(self.n_features_in_, -np.inf)
        order = np.flatnonzero(varies)
        n = len(order)
        if self.method != "none" and n:
            ranker = Ranker(
                self.kind,
                self.estimator,
                self.random_state,
                on_step or _silent,
                self.threshold,
                self.n_features,
            )
            ranking: Ranking = RANKINGS[self.method](sample[:, order], targets, ranker)
            self.scores_[order] = ranking.scores
            order = order[ranking.order]
            own = ranking.n if self.method in OWN_NUMBER else None
            n = min(n, self.n_features or (n if own is None else max(1, own)))
        self.order_ = order
        self.support_ = np.zeros(self.n_features_in_, bool)
        self.support_[order[:n]] = True
        return self

    def _sample(self, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        """Dense rows to rank by, and their targets."""
        rows = np.arange(X.shape[0])
        targets = np.zeros(len(rows)) if y is None else np.asarray(y)
        if targets.size == len(rows):
            targets = targets.reshape(len(rows))
        if 0 < self.max_rows < len(rows):
            rng = np.random.default_rng(self.random_state)
            rows = np.sort(rng.choice(len(rows), self.max_rows, replace=False))
            is_regression = self.kind == "regression"
            if not is_regression and len(np.unique(targets[rows])) < len(np.unique(targets)):
                rows = np.arange(X.shape[0])  # a rare class is in no row of the sample
        chosen = X[rows] if self.method != "none" else X[:1]
        dense = chosen.toarray() if hasattr(chosen, "toarray") else chosen
        return np.asarray(dense, np.float64), targets[rows]

    def _get_support_mask(self) -> np.ndarray:
        return self.support_

    # The protocol of skl2onnx for transformers of others

    def onnx_shape_calculator(self) -> Callable[[Any], None]:
        """The shape of the output, for skl2onnx."""

        def shape(operator: Any) -> None:
            kind = type(operator.inputs[0].type)
            rows = operator.inputs[0].get_first_dimension()
            operator.outputs[0].type = kind([rows, int(self.support_.sum())])

        return shape

    def onnx_converter(self) -> Callable[..., None]:
        """The node that takes the kept columns, for skl2onnx."""

        def convert(scope: Any, operator: Any, container: Any) -> None:
            from onnx import TensorProto

            places = np.flatnonzero(self.support_).astype(np.int64)
            name = scope.get_unique_variable_name("kept_columns")
            container.add_initializer(name, TensorProto.INT64, [len(places)], places)
            container.add_node(
                "Gather",
                [operator.inputs[0].full_name, name],
                operator.outputs[0].full_name,
                name=scope.get_unique_operator_name("Gather"),
                axis=1,
            )

        return convert


def _varies(X: Any) -> np.ndarray:
    """Whether each feature `(features,)` has more than one value; missing values count as none."""
    if hasattr(X, "toarray"):
        low, high = X.min(axis=0).toarray().ravel(), X.max(axis=0).toarray().ravel()
    else:
        low, high = np.min(X, axis=0), np.max(X, axis=0)
    return np.asarray(high > low)


def _silent(done: float, total: float, text: str) -> None:
    """Hear of a step, and do nothing."""
