"""A surrogate of recorded trainings: extremely randomized trees that predict both scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tests.benchmarks.tuning.problems import Problem
from workbench.settings.spaces import Choice, Range, Space

__all__ = ["Surrogate"]

N_TREES = 100
N_FOLDS = 10
SCORES = ["score", "unseen"]


@dataclass(frozen=True)
class Trees:
    """The trees of an ensemble as arrays `(trees, nodes)`: one point takes a fraction of a ms."""

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray
    depth: int

    @classmethod
    def of(cls, model: Any) -> Trees:
        """The trees of a fitted ensemble of scikit-learn; a leaf is its own child."""
        trees = [estimator.tree_ for estimator in model.estimators_]
        shape = (len(trees), max(tree.node_count for tree in trees))
        feature, left, right = (np.zeros(shape, np.int64) for _ in range(3))
        threshold, value = np.zeros(shape), np.zeros((*shape, len(SCORES)))
        for row, tree in enumerate(trees):
            n, own = tree.node_count, np.arange(tree.node_count)
            is_leaf = tree.children_left < 0
            left[row, :n] = np.where(is_leaf, own, tree.children_left)
            right[row, :n] = np.where(is_leaf, own, tree.children_right)
            feature[row, :n] = np.where(is_leaf, 0, tree.feature)
            threshold[row, :n] = tree.threshold
            value[row, :n] = tree.value[:, :, 0]
        return cls(feature, threshold, left, right, value, max(t.max_depth for t in trees))

    def predict(self, point: np.ndarray) -> np.ndarray:
        """The mean over the trees `(scores,)` at a point `(parameters,)`."""
        x = point.astype(np.float32)  # as scikit-learn compares
        rows = np.arange(len(self.feature))
        node = np.zeros(len(rows), np.int64)
        for _ in range(self.depth):
            is_left = x[self.feature[rows, node]] <= self.threshold[rows, node]
            node = np.where(is_left, self.left[rows, node], self.right[rows, node])
        return self.value[rows, node].mean(axis=0)


@dataclass(frozen=True)
class Surrogate:
    """Scores at any point of a space, learned from its recorded trainings.

    `noise` is the standard deviation of the score over seeds of training, at the best points.
    `r2` is the part of the variation of both scores that the trees explain on points that they have
    not seen (10 folds).
    """

    space: Space
    trees: Trees
    noise: float
    r2: tuple[float, float]

    @classmethod
    def of(cls, problem: Problem) -> Surrogate:
        """The surrogate of a problem's table."""
        from sklearn.ensemble import ExtraTreesRegressor
        from sklearn.model_selection import KFold, cross_val_predict

        table, space = pd.read_csv(problem.table), problem.read_space()
        first = table.drop_duplicates("number")
        inputs = np.stack([coordinates(space, row) for row in first.to_dict("records")])
        targets = first[SCORES].to_numpy()
        model = ExtraTreesRegressor(N_TREES, random_state=0)
        predicted = cross_val_predict(
            model, inputs, targets, cv=KFold(N_FOLDS, shuffle=True, random_state=0)
        )
        rest = ((predicted - targets) ** 2).sum(axis=0)
        r2 = 1 - rest / ((targets - targets.mean(axis=0)) ** 2).sum(axis=0)
        repeated = table[table.duplicated("number", keep=False)]
        # of the seeds that did not choose the point, as the first one was the best by luck too
        again = repeated[repeated["seed"] > 0].groupby("number")["score"]
        noise = float(np.sqrt(again.var(ddof=1).mean())) if len(repeated) else 0.0
        return cls(space, Trees.of(model.fit(inputs, targets)), noise, (float(r2[0]), float(r2[1])))

    def at(self, point: Mapping[str, Any]) -> tuple[float, float]:
        """The score on held-out rows and that on unseen rows, without noise."""
        score, unseen = self.trees.predict(coordinates(self.space, point))
        return float(score), float(unseen)


def coordinates(space: Space, point: Mapping[str, Any]) -> np.ndarray:
    """A point as numbers `(parameters,)`: logarithms of log ranges, numbers of choices."""
    values = []
    for parameter in space.searched:
        value = point[parameter.name]
        if isinstance(parameter, Choice):
            values.append(float(list(parameter.choices).index(value)))
        elif isinstance(parameter, Range) and parameter.log:
            values.append(float(np.log(value)))
        else:
            values.append(float(value))
    return np.array(values)
