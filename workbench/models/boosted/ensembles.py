"""Boosted ensembles as estimators, also behind the steps of a pipeline: rounds, trees, copies."""

from __future__ import annotations

import copy
from typing import Any

from workbench.models.boosted.library import Library
from workbench.models.boosted.light_gbm import LightGBM
from workbench.models.boosted.scikit_learn import GradientTrees, HistogramTrees
from workbench.models.boosted.xg_boost import XGBoost
from workbench.models.estimators import last_step, unfitted

__all__ = [
    "ENSEMBLES",
    "can_stop_early",
    "first_rounds",
    "is_boosted",
    "library_of",
    "n_nodes",
    "n_rounds",
    "n_trees",
    "problem_of",
    "rounds_name",
    "with_last",
    "with_rounds",
]

LIBRARIES: tuple[Library, ...] = (GradientTrees(), HistogramTrees(), LightGBM(), XGBoost())
ENSEMBLES = tuple(name for library in LIBRARIES for name in library.classes)
"""Names of the classes of boosted ensembles."""


def library_of(model: Any) -> Library | None:
    """The library of an estimator's last step; None for one that is no boosted ensemble."""
    _, last = last_step(model)
    return next((library for library in LIBRARIES if library.has(last)), None)


def problem_of(model: Any) -> str:
    """Reason why an estimator has no first rounds, as the end of a sentence; empty if it has."""
    library, (_, last) = library_of(model), last_step(model)
    if library is None:
        return f"is {type(last).__name__}, which is no boosted ensemble"
    return library.problem(last)


def is_boosted(model: Any) -> bool:
    """Whether an estimator is a boosted ensemble whose first rounds are an ensemble too."""
    return not problem_of(model)


def can_stop_early(model: Any) -> bool:
    """Whether the number of rounds can be found by scores of its predictions on held rows.

    Predictions under a loss function of the user's own have no known meaning.
    """
    _, last = last_step(model)
    return is_boosted(model) and not callable(last.get_params().get("objective"))


def rounds_name(model: Any) -> str:
    """The parameter with the number of rounds, as `set_params` of the whole estimator takes it."""
    prefix, last = last_step(model)
    return prefix + _library(model).rounds_parameter(last)


def n_rounds(model: Any) -> int:
    """The number of rounds of a fitted ensemble."""
    return _library(model).n_rounds(last_step(model)[1])


def n_trees(model: Any) -> int:
    """The number of trees of a fitted ensemble: one a round, or one a round and class."""
    return _library(model).n_trees(last_step(model)[1])


def n_nodes(model: Any) -> int:
    """The number of nodes of all trees of a fitted ensemble."""
    return _library(model).n_nodes(last_step(model)[1])


def first_rounds(model: Any, n: int) -> Any:
    """A fitted copy with the first `n` rounds, and this number as its parameter.

    It shares the trees, and the steps before the ensemble, with the model.
    """
    return with_last(model, _library(model).first(last_step(model)[1], n))


def with_rounds(model: Any, n: int) -> Any:
    """An unfitted copy that is trained for `n` rounds, whatever it did to stop by itself."""
    library, (prefix, last) = _library(model), last_step(model)
    never = {f"{prefix}{name}": value for name, value in library.never_stopping(last).items()}
    return unfitted(model).set_params(**never, **{rounds_name(model): n})


def with_last(model: Any, last: Any) -> Any:
    """A copy of a pipeline with another last step; without steps, the last step itself."""
    if not hasattr(model, "steps"):
        return last
    name, inner = model.steps[-1]
    changed = copy.copy(model)
    changed.steps = [*model.steps[:-1], (name, with_last(inner, last))]
    return changed


def _library(model: Any) -> Library:
    library = library_of(model)
    if library is None:
        raise TypeError(f"{type(last_step(model)[1]).__name__} is no boosted ensemble.")
    return library
