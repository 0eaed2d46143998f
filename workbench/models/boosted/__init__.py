"""Boosted ensembles of trees, by their rounds: those of scikit-learn, LightGBM and XGBoost.

A round adds a tree, or a tree a class. The first rounds of a trained ensemble are the ensemble that
training with so few rounds gives. An ensemble is an estimator, alone or as the last step of
pipelines:

    Pipeline  columns -> model      rounds_name: "model__n_estimators"
                          |
                     LGBMClassifier, XGBRegressor, GradientBoostingClassifier, ...
"""

from workbench.models.boosted.early_stopping import MOST_ROUNDS, PATIENCE, Followed, fitted_early
from workbench.models.boosted.ensembles import (
    ENSEMBLES,
    can_stop_early,
    first_rounds,
    is_boosted,
    n_nodes,
    n_rounds,
    n_trees,
    problem_of,
    rounds_name,
    with_rounds,
)

__all__ = [
    "ENSEMBLES",
    "MOST_ROUNDS",
    "PATIENCE",
    "Followed",
    "can_stop_early",
    "first_rounds",
    "fitted_early",
    "is_boosted",
    "n_nodes",
    "n_rounds",
    "n_trees",
    "problem_of",
    "rounds_name",
    "with_rounds",
]
