"""Rankings of features, one function a method: `(x, y, ranker) -> Ranking`, the best first.

Methods: mutual information (Kraskov et al., 2004), the F test, L1 (Tibshirani, "Lasso", 1996),
importances of a model, recursive elimination (Guyon et al., 2002), forward selection, permutation
importance (Breiman, "Random Forests", 2001), SHAP values (Lundberg, Lee, 2017), Boruta (Kursa,
Rudnicki, 2010), and minimum redundancy with maximum relevance (Ding, Peng, 2005).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.errors import MissingExtra, SettingsError
from workbench.models.estimators import unfitted

__all__ = ["RANKINGS", "Ranker", "Ranking", "proxy_for"]

MOST_FORWARD = 25  # features that are added one at a time
MOST_MRMR = 200
N_PERMUTATIONS = 5
N_BORUTA = 30
SHARE_ELIMINATED = 0.15


@dataclass(frozen=True)
class Ranking:
    """Places of the features `(features,)`, the best first, and a score of each.

    `n` is the number of features that the method itself accepts; None where it has no such rule.
    """

    order: np.ndarray
    scores: np.ndarray
    n: int | None = None


@dataclass(frozen=True)
class Ranker:
    """All that a method needs besides the rows; `n_features` of 0 is no number."""

    kind: str
    estimator: Any
    seed: int
    on_step: Callable[[float, float, str], None]
    threshold: float = 0.0
    n_features: int = 0

    @property
    def model(self) -> Any:
        """The unfitted estimator to rank with."""
        return proxy_for(self.kind) if self.estimator is None else unfitted(self.estimator)


def proxy_for(kind: str) -> Any:
    """The linear model that stands for a network where features are ranked."""
    from sklearn.linear_model import LogisticRegression, Ridge

    if kind == "regression":
        return Ridge()
    if kind != "multilabel":
        return LogisticRegression(max_iter=200)
    from sklearn.multiclass import OneVsRestClassifier

    return OneVsRestClassifier(LogisticRegression(max_iter=200))


def by_variance(x: np.ndarray, y: np.ndarray, ranker: Ranker) -> Ranking:
    """Variance of each feature scaled to 0..1; accepted are those above the threshold."""
    ranker.on_step(0, 1, "variance")
    low = x.min(axis=0)
    width = np.where(np.ptp(x, axis=0) > 0, np.ptp(x, axis=0), 1.0)
    scores = ((x - low) / width).var(axis=0)
    return _ranked(scores, int((scores > ranker.threshold).sum()))


def by_mutual_information(x: np.ndarray, y: np.ndarray, ranker: Ranker) -> Ranking:
    """Mutual information of each feature and the target, in pieces of 50 features."""
    from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

    measure = mutual_info_regression if ranker.kind == "regression" else mutual_info_classif
    scores = np.zeros(x.shape[1])
    for start in range(0, x.shape[1], 50):
        ranker.on_step(start, x.shape[1], "mutual information")
        part = x[:, start : start + 50]
        of_labels = [measure(part, label, random_state=ranker.seed) for label in _labels(y)]
        scores[start : start + 50] = np.max(of_labels, axis=0)
    return _ranked(scores)


def by_f_test(x: np.ndarray, y: np.ndarray, ranker: Ranker) -> Ranking:
    """The F statistic of each feature alone."""
    from sklearn.feature_selection import f_classif, f_regression

    ranker.on_step(0, 1, "F test")
    measure = f_regression if ranker.kind == "regression" else f_classif
    with np.errstate(all="ignore"):
        scores = np.max([measure(x, label)[0] for label in _labels(y)], axis=0)
    return _ranked(np.nan_to_num(scores, nan=0.0, posinf=np.finfo(float).max))


def by_l1(x: np.ndarray, y: np.ndarray, ranker: Ranker) -> Ranking:
    """Features by the strongest L1 penalty at which they have a weight, then by that weight."""
    from sklearn.linear_model import Lasso, LogisticRegression

    scores = np.zeros(x.shape[1])
    strengths = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
    scaled = (x - x.mean(axis=0)) / np.where(x.std(axis=0) > 0, x.std(axis=0), 1.0)
    largest = _largest_penalty(scaled, y) if ranker.kind == "regression" else 0.0
    for number, c in enumerate(strengths):
        ranker.on_step(number, len(strengths), "L1 penalties")
        for label in _labels(y):
            model: Any = (
                Lasso(alpha=max(largest * (0.5 ** (2 * number + 1)), 1e-12), max_iter=500)
                if ranker.kind == "regression"
                else LogisticRegression(
                    C=c,
                    l1_ratio=1.0,
                    solver="saga",
                    max_iter=60,
                    tol=1e-2,
                    random_state=ranker.seed,
                )
            )
            weights = np.abs(np.atleast_2d(_quietly_fitted(model, scaled, label).coef_)).max(axis=0)
            found = np.where(weights > 0, (len(strengths) - number) + np.tanh(weights), 0.0)
            scores = np.maximum(scores, found)
    return _ranked(scores)


def by_model(x: np.ndarray, y: np.ndarray, ranker: Ranker) -> Ranking:
    """Weights or importances of the model itself; of extra trees where it has neither."""
    ranker.on_step(0, 1, "importances of a model")
    return _ranked(_importances(x, y, ranker))


def by_elimination(x: np.ndarray, y: np.ndarray, ranker: Ranker) -> Ranking:
    """Recursive elimination: the least important 15 % go, until one feature is left."""
    left = np.arange(x.shape[1])
    gone: list[np.ndarray] = []
    while len(left) > 1:
        ranker.on_step(x.shape[1] - len(left), x.shape[1], f"elimination, {len(left):,} left")
        importances = _importances(x[:, left], y, ranker)
        n = max(1, int(SHARE_ELIMINATED * len(left)))
        worst = np.argsort(importances, kind="stable")[:n]
        gone.append(left[worst[::-1]])
        left = np.delete(left, worst)
    order = np.concatenate([left, *gone[::-1]])
    return Ranking(order, _scores_by_place(order))


def by_addition(x: np.ndarray, y: np.ndarray, ranker: Ranker) -> Ranking:
    """Forward selection: the feature that raises the score of 3 folds most comes next.

    At most 25 features are added; the others follow by their F statistic. Raises SettingsError for
    more than 25 features to keep.
    """
    from sklearn.model_selection import cross_val_score

    if ranker.n_features > MOST_FORWARD:
        raise SettingsError(
            f"`select='sequential'` adds at most {MOST_FORWARD} features one at a time, got "
            f"`n_features` {ranker.n_features}: use rfecv, or fewer features."
        )
    by_itself = by_f_test(x, y, ranker).order
    n = min(ranker.n_features or MOST_FORWARD, x.shape[1])
    chosen: list[int] = []
    left = by_itself.tolist()
    total = sum(len(left) - i for i in range(n))
    done = 0
    for _ in range(n):
        values = []
        for place in left:
            ranker.on_step(done, total, f"forward selection, {len(chosen)} features chosen")
            columns = x[:, [*chosen, place]]
            values.append(float(np.mean(cross_val_score(ranker.model, columns, y, cv=3))))
            done += 1
        best = left[int(np.argmax(values))]
        chosen.append(best)
        left.remove(best)
    order = np.asarray([*chosen, *left])
    return Ranking(order, _scores_by_place(order))


def by_permutation(x: np.ndarray, y: np.ndarray, ranker: Ranker) -> Ranking:
    """Loss of score when a feature is shuffled among rows that the model was not fitted on."""
    train, held, labels, held_labels = _parted(x, y, ranker)
    model = _quietly_fitted(ranker.model, train, labels)
    rng = np.random.default_rng(ranker.seed)
    usual = model.score(held, held_labels)
    scores = np.zeros(x.shape[1])
    held = held.copy()
    for place in range(x.shape[1]):
        ranker.on_step(place, x.shape[1], "permutation importance")
        values = held[:, place].copy()
        losses = []
        for _ in range(N_PERMUTATIONS):
            held[:, place] = rng.permutation(values)
            losses.append(usual - model.score(held, held_labels))
        held[:, place] = values
        scores[place] = np.mean(losses)
    return _ranked(scores)


def by_shap(x: np.ndarray, y: np.ndarray, ranker: Ranker) -> Ranking:
    """Mean size of the SHAP values on rows that the model was not fitted on."""
    from workbench.techniques.features.shap_values import mean_shap_values

    train, held, labels, _ = _parted(x, y, ranker)
    model = _quietly_fitted(ranker.model, train, labels)
    return _ranked(mean_shap_values(model, train, held, ranker.on_step))


def _parted(x: np.ndarray, y: np.ndarray, ranker: Ranker) -> list[np.ndarray]:
    """Rows to fit on and rows held out, 70 and 30 %, then the targets of both."""
    from sklearn.model_selection import train_test_split

    is_class = ranker.kind in ("classification", "binary") and np.bincount(y.astype(int)).min() > 1
    return train_test_split(
        x, y, test_size=0.3, random_state=ranker.seed, stratify=y if is_class else None
    )


def by_boruta(x: np.ndarray, y: np.ndarray, ranker: Ranker) -> Ranking:
    """Boruta: features that beat shuffled copies of all features in a random forest."""
    try:
        from boruta import BorutaPy
    except ImportError as error:
        raise MissingExtra("`select='boruta'`", "features") from error

    from workbench.techniques.features.counted_forest import counted_forest

    forest = counted_forest(ranker.kind, ranker.seed, ranker.on_step, N_BORUTA)
    search = BorutaPy(forest, n_estimators=50, max_iter=N_BORUTA, random_state=ranker.seed)
    if len(_labels(y)) > 1:
        raise SettingsError("`select='boruta'` needs one label a row: use from_model or f_test.")
    search.fit(x, y)
    scores = -search.ranking_.astype(float) - search.support_weak_ * 0.5
    ties = by_f_test(x, y, ranker).scores
    order = np.lexsort((-ties, -scores))
    return Ranking(order, scores, int(search.support_.sum()))


def by_mrmr(x: np.ndarray, y: np.ndarray, ranker: Ranker) -> Ranking:
    """Minimum redundancy, maximum relevance: F statistic over the correlation with those chosen."""
    try:
        from mrmr.main import mrmr_base
    except ImportError as error:
        raise MissingExtra("`select='mrmr'`", "features") from error
    import pandas as pd

    relevance = pd.Series(np.nan_to_num(by_f_test(x, y, ranker).scores))
    n = min(ranker.n_features or MOST_MRMR, x.shape[1])
    centred = x - x.mean(axis=0)
    norms = np.sqrt((centred**2).sum(axis=0))
    centred = centred / np.where(norms > 0, norms, 1.0)
    n_done = 0

    def redundancy(target_column: int, features: list[int]) -> pd.Series:
        nonlocal n_done
        n_done += 1
        ranker.on_step(n_done, n, "mRMR")
        return pd.Series(centred[:, features].T @ centred[:, target_column], index=features)

    chosen = mrmr_base(
        K=n, relevance_func=lambda: relevance, redundancy_func=redundancy, show_progress=False
    )
    left = [p for p in by_f_test(x, y, ranker).order.tolist() if p not in set(chosen)]
    order = np.asarray([*chosen, *left], int)
    return Ranking(order, _scores_by_place(order))


RANKINGS: Mapping[str, Callable[[np.ndarray, np.ndarray, Ranker], Ranking]] = {
    "variance": by_variance,
    "mutual_information": by_mutual_information,
    "f_test": by_f_test,
    "l1": by_l1,
    "from_model": by_model,
    "rfecv": by_elimination,
    "sequential": by_addition,
    "permutation": by_permutation,
    "shap": by_shap,
    "boruta": by_boruta,
    "mrmr": by_mrmr,
}


def _ranked(scores: np.ndarray, n: int | None = None) -> Ranking:
    return Ranking(np.argsort(-scores, kind="stable"), scores, n)


def _scores_by_place(order: np.ndarray) -> np.ndarray:
    """A score from 1 for the first feature down to near 0 for the last."""
    scores = np.zeros(len(order))
    scores[order] = np.linspace(1, 1 / len(order), len(order))
    return scores


def _labels(y: np.ndarray) -> list[np.ndarray]:
    """The targets, one array `(rows,)` a label."""
    return [y] if y.ndim == 1 else [y[:, i] for i in range(y.shape[1])]


def _largest_penalty(x: np.ndarray, y: np.ndarray) -> float:
    """The penalty of Lasso at which the last weight becomes 0."""
    centred = (y - y.mean(axis=0)).reshape(len(y), -1)
    return float(np.abs(x.T @ centred).max() / len(x))


def _importances(x: np.ndarray, y: np.ndarray, ranker: Ranker) -> np.ndarray:
    """Importances `(features,)` of a fitted model, sums of weights times the features' spread."""
    model = _quietly_fitted(ranker.model, x, y)
    if hasattr(model, "feature_importances_"):
        return np.asarray(model.feature_importances_, float)
    if hasattr(model, "coef_"):
        return np.abs(np.atleast_2d(model.coef_)).sum(axis=0) * x.std(axis=0)
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    trees = ExtraTreesRegressor if ranker.kind == "regression" else ExtraTreesClassifier
    return trees(100, random_state=ranker.seed, min_samples_leaf=3).fit(x, y).feature_importances_


def _quietly_fitted(model: Any, x: np.ndarray, y: np.ndarray) -> Any:
    """The model fitted; a ranking needs no converged weights, so warnings of that are dropped."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(x, y)
