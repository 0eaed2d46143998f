"""XGBoost's estimators (extra `boosting`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.models.boosted.library import Heard, Library, two_columns

__all__ = ["XGBoost"]

FORESTS = ("XGBRFClassifier", "XGBRFRegressor")  # all of their trees are one round


class XGBoost(Library):
    """`XGBClassifier` and `XGBRegressor`."""

    package = "xgboost"
    classes = ("XGBClassifier", "XGBRegressor")

    def problem(self, model: Any) -> str:
        if type(model).__name__ in FORESTS:
            return "is a random forest, which has one round"
        booster = model.get_params().get("booster")
        if booster == "dart":
            return "has booster='dart', whose later rounds change the earlier ones"
        if booster == "gblinear":
            return "has booster='gblinear', which has no trees"
        return ""

    def never_stopping(self, model: Any) -> dict[str, Any]:
        return {"early_stopping_rounds": None}

    def n_rounds(self, model: Any) -> int:
        booster = model.get_booster()
        best = booster.attr("best_iteration")
        return booster.num_boosted_rounds() if best is None else int(best) + 1

    def n_trees(self, model: Any) -> int:
        return len(model.get_booster().get_dump())

    def n_nodes(self, model: Any) -> int:
        return sum(len(tree.splitlines()) for tree in model.get_booster().get_dump())

    def cut(self, model: Any, n: int) -> None:
        whole = model.get_booster()
        model._Booster = whole[:n]
        model._Booster.feature_names = whole.feature_names
        model._Booster.feature_types = whole.feature_types

    def fit(
        self, model: Any, x: Any, y: np.ndarray, held: tuple[Any, np.ndarray], heard: Heard
    ) -> None:
        from xgboost.callback import TrainingCallback

        stops: list[bool] = []

        def rounds(_: np.ndarray, predictions: np.ndarray) -> float:
            is_share = hasattr(model, "predict_proba") and predictions.ndim == 1
            stops.append(heard(two_columns(predictions) if is_share else predictions))
            return -float(len(stops))

        class Stop(TrainingCallback):
            def after_iteration(self, *_: Any) -> bool:
                return stops[-1]

        own = {name: model.get_params()[name] for name in ("eval_metric", "callbacks")}
        model.set_params(eval_metric=rounds, callbacks=[*(own["callbacks"] or ()), Stop()])
        model.fit(x, y, eval_set=[held], verbose=False)
        model.set_params(**own)
