"""Features by their SHAP values: how far each moves single predictions, on held-out rows.

Lundberg and Lee, "A Unified Approach to Interpreting Model Predictions" (NIPS 2017). Trees and
linear models have exact values; of other models they are estimated by permutations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.errors import MissingExtra

__all__ = ["mean_shap_values"]

N_BACKGROUND = 50  # rows that stand for a feature that is not known
N_EXPLAINED = 200  # rows whose predictions are explained
ROWS_A_STEP = 25
LINEAR = ("LogisticRegression", "Ridge", "LinearRegression", "Lasso", "ElasticNet")
TREES = ("Forest", "ExtraTrees", "Boosting", "DecisionTree", "LGBM", "XGB")


def mean_shap_values(
    model: Any, train: np.ndarray, held: np.ndarray, on_step: Callable[[float, float, str], None]
) -> np.ndarray:
    """The mean size of the SHAP values of each feature `(features,)`, of all outputs together.

    `model` is fitted on `train` `(rows, features)`; `held` are rows that it was not fitted on.
    Raises MissingExtra without the library shap.
    """
    try:
        import shap
    except ImportError as error:
        raise MissingExtra("`select='shap'`", "features") from error
    background = train[np.linspace(0, len(train) - 1, min(N_BACKGROUND, len(train))).astype(int)]
    rows = held[:N_EXPLAINED]
    explain = _explainer(shap, model, background)
    total = np.zeros(train.shape[1])
    for start in range(0, len(rows), ROWS_A_STEP):
        on_step(start, len(rows), "SHAP values")
        values = np.abs(explain(rows[start : start + ROWS_A_STEP]))
        total += values.reshape(*values.shape[:2], -1).sum(axis=(0, 2))
    return total / max(1, len(rows))


def _explainer(shap: Any, model: Any, background: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """From rows to SHAP values `(rows, features)`, or `(rows, features, outputs)` of several."""
    name = type(model).__name__
    if name in LINEAR:
        linear = shap.LinearExplainer(model, background)
        return lambda rows: np.asarray(linear(rows).values)
    if any(word in name for word in TREES):
        try:
            trees = shap.TreeExplainer(model)
            trees(background[:1])
        except Exception:  # such as boosting of several classes in scikit-learn
            pass
        else:
            return lambda rows: np.asarray(trees(rows, check_additivity=False).values)
    has_chances = hasattr(model, "predict_proba") and not isinstance(
        model.predict_proba(background[:1]), list
    )
    predict = model.predict_proba if has_chances else model.predict
    least = 2 * background.shape[1] + 1
    permuted = shap.explainers.Permutation(predict, background, seed=0)
    return lambda rows: np.asarray(permuted(rows, max_evals=least, silent=True).values)
