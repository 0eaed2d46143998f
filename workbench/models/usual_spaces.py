"""Usual search spaces: of estimators by their class, and of networks by their settings of training.

The ranges are those that practice and the libraries' own documentation name as the ones that
matter; a space of a task or of the user comes before them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workbench.models.estimators import last_step

__all__ = ["FIT_NAMES", "estimator_space", "network_space"]

FIT_NAMES = ("lr", "batch_size", "weight_decay")
"""Settings of training that are searched for any network; early stopping finds the epochs."""


def _log(low: float, high: float) -> dict[str, Any]:
    return {"low": low, "high": high, "log": True}


_STRENGTH = {"C": _log(1e-3, 100.0)}
_FOREST = {
    "max_features": {"low": 0.1, "high": 1.0},
    "min_samples_leaf": _log(1, 50),
    "max_depth": _log(3, 30),
}
_BOOSTING = {
    "learning_rate": _log(0.02, 0.5),
    "max_depth": {"low": 2, "high": 8},
    "min_samples_leaf": _log(1, 200),
    "subsample": {"low": 0.1, "high": 1.0},
}
_HISTOGRAMS = {
    "learning_rate": _log(0.02, 0.5),
    "max_leaf_nodes": _log(7, 127),
    "min_samples_leaf": _log(1, 200),
    "l2_regularization": _log(1e-6, 10.0),
}
_SHARE = {"low": 0.3, "high": 1.0}
_LIGHTGBM = {  # without `subsample`, which has no effect at `subsample_freq` 0, the default
    "learning_rate": _log(0.02, 0.5),
    "num_leaves": _log(7, 127),
    "min_child_samples": _log(1, 200),
    "colsample_bytree": _SHARE,
    "reg_lambda": _log(1e-6, 10.0),
}
_XGBOOST = {
    "learning_rate": _log(0.02, 0.5),
    "max_depth": {"low": 2, "high": 10},
    "min_child_weight": _log(0.1, 100.0),
    "subsample": _SHARE,
    "colsample_bytree": _SHARE,
    "reg_lambda": _log(1e-6, 10.0),
}
_NEIGHBOURS = {"n_neighbors": _log(1, 50), "weights": ["uniform", "distance"]}
_SUPPORT = {"C": _log(0.01, 1000.0), "gamma": _log(1e-5, 10.0)}
_LAYERS = {"alpha": _log(1e-6, 1.0), "learning_rate_init": _log(1e-4, 0.03)}

ESTIMATORS: Mapping[str, Mapping[str, Any]] = {
    "LogisticRegression": _STRENGTH,
    "LinearSVC": _STRENGTH,
    "LinearSVR": _STRENGTH,
    "SVC": _SUPPORT,
    "SVR": _SUPPORT,
    "Ridge": {"alpha": _log(1e-4, 1000.0)},
    "RidgeClassifier": {"alpha": _log(1e-4, 1000.0)},
    "Lasso": {"alpha": _log(1e-4, 10.0)},
    "ElasticNet": {"alpha": _log(1e-4, 10.0), "l1_ratio": {"low": 0.05, "high": 1.0}},
    "SGDClassifier": {"alpha": _log(1e-7, 0.1), "penalty": ["l2", "l1"]},
    "SGDRegressor": {"alpha": _log(1e-7, 0.1), "penalty": ["l2", "l1"]},
    "DecisionTreeClassifier": {"max_depth": _log(2, 30), "min_samples_leaf": _log(1, 200)},
    "DecisionTreeRegressor": {"max_depth": _log(2, 30), "min_samples_leaf": _log(1, 200)},
    "RandomForestClassifier": _FOREST,
    "RandomForestRegressor": _FOREST,
    "ExtraTreesClassifier": _FOREST,
    "ExtraTreesRegressor": _FOREST,
    "GradientBoostingClassifier": _BOOSTING,
    "GradientBoostingRegressor": _BOOSTING,
    "HistGradientBoostingClassifier": _HISTOGRAMS,
    "HistGradientBoostingRegressor": _HISTOGRAMS,
    "KNeighborsClassifier": _NEIGHBOURS,
    "KNeighborsRegressor": _NEIGHBOURS,
    "MLPClassifier": _LAYERS,
    "MLPRegressor": _LAYERS,
    "MultinomialNB": {"alpha": _log(1e-3, 10.0)},
    "GaussianNB": {"var_smoothing": _log(1e-12, 0.01)},
    "LGBMClassifier": _LIGHTGBM,
    "LGBMRegressor": _LIGHTGBM,
    "XGBClassifier": _XGBOOST,
    "XGBRegressor": _XGBOOST,
}
"""Parameters that are searched, by the name of an estimator's class.

The rounds of boosted ensembles are not among them: early stopping finds them.
"""


def network_space(width: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The space of a network of this package: settings of training, and its `width`."""
    space: dict[str, Any] = {
        "fit.lr": _log(1e-4, 0.03),
        "fit.batch_size": {"low": 16, "high": 256, "log": True, "type": "int"},
        "fit.weight_decay": _log(1e-5, 0.1),
    }
    return space if width is None else {**space, "model.width": dict(width)}


def estimator_space(estimator: Any) -> dict[str, Any]:
    """The usual space of an estimator or of the last step of a pipeline; empty for other classes.

    The names are those of `set_params`, behind `estimator.`.
    """
    prefix, inner = last_step(estimator)
    known = ESTIMATORS.get(type(inner).__name__, {})
    parameters = inner.get_params(deep=False) if known else {}
    return {f"estimator.{prefix}{key}": value for key, value in known.items() if key in parameters}
