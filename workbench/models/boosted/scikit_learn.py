"""Gradient boosting of scikit-learn: on all values of a column, and on histograms of them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from workbench.models.boosted.library import Heard, Library

__all__ = ["GradientTrees", "HistogramTrees"]

N_FIRST = 32  # rounds on histograms before held rows are predicted for the first time


class GradientTrees(Library):
    """`GradientBoostingClassifier` and `GradientBoostingRegressor`."""

    package = "sklearn"
    classes = ("GradientBoostingClassifier", "GradientBoostingRegressor")

    def never_stopping(self, model: Any) -> dict[str, Any]:
        return {"n_iter_no_change": None}

    def n_rounds(self, model: Any) -> int:
        return len(model.estimators_)

    def n_trees(self, model: Any) -> int:
        return int(model.estimators_.size)

    def n_nodes(self, model: Any) -> int:
        return sum(int(tree.tree_.node_count) for tree in model.estimators_.ravel())

    def cut(self, model: Any, n: int) -> None:
        model.estimators_ = model.estimators_[:n].copy()
        model.n_estimators_ = n
        for name in ("train_score_", "oob_improvement_", "oob_scores_"):
            if hasattr(model, name):
                setattr(model, name, getattr(model, name)[:n])
        if hasattr(model, "oob_scores_"):
            model.oob_score_ = model.oob_scores_[-1]

    def fit(
        self, model: Any, x: Any, y: np.ndarray, held: tuple[Any, np.ndarray], heard: Heard
    ) -> None:
        stages: list[Iterator[np.ndarray]] = []

        def monitor(_: int, fitted: Any, __: Any) -> bool:
            # Room for all rounds is made before the first, so one iterator follows the training.
            if not stages:
                staged = getattr(fitted, "staged_predict_proba", fitted.staged_predict)
                stages.append(staged(held[0]))
            return heard(next(stages[0]))

        model.fit(x, y, monitor=monitor)


class HistogramTrees(Library):
    """`HistGradientBoostingClassifier` and `HistGradientBoostingRegressor`."""

    package = "sklearn"
    classes = ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor")
    rounds = "max_iter"

    def never_stopping(self, model: Any) -> dict[str, Any]:
        return {"early_stopping": False}

    def n_rounds(self, model: Any) -> int:
        return int(model.n_iter_)

    def n_trees(self, model: Any) -> int:
        return sum(len(trees) for trees in model._predictors)

    def n_nodes(self, model: Any) -> int:
        return sum(len(tree.nodes) for trees in model._predictors for tree in trees)

    def cut(self, model: Any, n: int) -> None:
        model._predictors = model._predictors[:n]
        for name in ("train_score_", "validation_score_"):  # the first is that before any round
            setattr(model, name, getattr(model, name)[: n + 1])

    def fit(
        self, model: Any, x: Any, y: np.ndarray, held: tuple[Any, np.ndarray], heard: Heard
    ) -> None:
        """Rounds are added to the same model, as many again each time.

        It has no call after a round, and its own early stopping scores train rows too.
        """
        n_most, own = model.max_iter, model.warm_start
        n_heard, n = 0, min(N_FIRST, model.max_iter)
        while True:
            model.set_params(max_iter=n, warm_start=True).fit(x, y)
            staged = getattr(model, "staged_predict_proba", model.staged_predict)
            new = islice(staged(held[0]), n_heard, None)
            if any(heard(predictions) for predictions in new) or n == n_most:
                break
            n_heard = n
            n = min(2 * n, n_most)
        model.set_params(max_iter=n_most, warm_start=own)
