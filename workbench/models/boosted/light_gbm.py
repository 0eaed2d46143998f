"""LightGBM's estimators (extra `boosting`)."""

from __future__ import annotations

import copy
import re
from typing import Any

import numpy as np

from workbench.models.boosted.library import Heard, Library, two_columns

__all__ = ["LightGBM"]

ALIASES = (
    "num_iterations",
    "num_iteration",
    "n_iter",
    "num_tree",
    "num_trees",
    "num_round",
    "num_rounds",
    "nrounds",
    "num_boost_round",
    "max_iter",
)
"""Other names of the number of rounds, which come before `n_estimators` where they are given."""

STOPPING = (
    "early_stopping_round",
    "early_stopping_rounds",
    "early_stopping",
    "n_iter_no_change",
)
KINDS = ("boosting", "boosting_type", "boost")  # names of the parameter with the kind of boosting


class LightGBM(Library):
    """`LGBMClassifier` and `LGBMRegressor`."""

    package = "lightgbm"
    classes = ("LGBMClassifier", "LGBMRegressor")

    def problem(self, model: Any) -> str:
        parameters = model.get_params()
        darts = [f"{name}='dart'" for name in KINDS if parameters.get(name) == "dart"]
        return f"has {darts[0]}, whose later rounds change the earlier ones" if darts else ""

    def rounds_parameter(self, model: Any) -> str:
        parameters = model.get_params()
        return next((name for name in ALIASES if name in parameters), self.rounds)

    def never_stopping(self, model: Any) -> dict[str, Any]:
        return {name: 0 for name in STOPPING if name in model.get_params()}

    def n_rounds(self, model: Any) -> int:
        booster = model.booster_
        best = booster.best_iteration
        return int(best) if best > 0 else int(booster.current_iteration())

    def n_trees(self, model: Any) -> int:
        return self.n_rounds(model) * int(model.booster_.num_model_per_iteration())

    def n_nodes(self, model: Any) -> int:
        leaves = re.findall(r"^num_leaves=(\d+)$", model.booster_.model_to_string(), re.MULTILINE)
        return sum(2 * int(n) - 1 for n in leaves)

    def first(self, model: Any, n: int) -> Any:
        own = copy.copy(model)
        own._other_params = dict(model._other_params)  # `set_params` changes it in place
        return super().first(own, n)

    def cut(self, model: Any, n: int) -> None:
        from lightgbm import Booster

        model._Booster = Booster(model_str=model.booster_.model_to_string(num_iteration=n))
        model._best_iteration = 0

    def fit(
        self, model: Any, x: Any, y: np.ndarray, held: tuple[Any, np.ndarray], heard: Heard
    ) -> None:
        from lightgbm.callback import EarlyStopException

        stops: list[bool] = []

        def score(_: np.ndarray, predictions: np.ndarray) -> tuple[str, float, bool]:
            is_share = hasattr(model, "predict_proba") and predictions.ndim == 1
            stops.append(heard(two_columns(predictions) if is_share else predictions))
            return "rounds", float(len(stops)), True

        def stop(environment: Any) -> None:
            if stops[-1]:
                raise EarlyStopException(environment.iteration, environment.evaluation_result_list)

        model.fit(x, y, eval_X=held[0], eval_y=held[1], eval_metric=score, callbacks=[stop])
