"""Plain Optuna as practitioners write it: TPE, the mean score of the folds, and a refit."""

from __future__ import annotations

import time
from typing import Any

import optuna
import pandas as pd
from handoff import Handoff
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def boosting(x: pd.DataFrame, **parameters: Any) -> Pipeline:
    """The model `boosting` of the task flights, written out."""
    numbers = x.select_dtypes("number").columns
    categories = x.columns.difference(numbers, sort=False)
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
            (
                "categories",
                OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype="float32"),
                categories,
            ),
        ],
        sparse_threshold=0.0,
    )
    model = GradientBoostingClassifier(
        n_estimators=150, subsample=0.1, max_features="sqrt", random_state=0, **parameters
    )
    return Pipeline([("columns", columns), ("model", model)])


def main() -> None:
    work = Handoff.from_command_line()
    x, y = work.train()
    folds = work.folds()

    def objective(trial: optuna.Trial) -> float:
        model = boosting(
            x,
            learning_rate=trial.suggest_float("learning_rate", 0.03, 0.5, log=True),
            max_depth=trial.suggest_int("max_depth", 3, 7),
            min_samples_leaf=trial.suggest_int("min_samples_leaf", 5, 200, log=True),
        )
        return float(cross_val_score(model, x, y, cv=folds, scoring="average_precision").mean())

    sampler = optuna.samplers.TPESampler(seed=work.seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    began = time.perf_counter()
    study.optimize(objective, timeout=work.seconds)
    searched = time.perf_counter()
    model = boosting(x, **study.best_params).fit(x, y)
    refitted = time.perf_counter()
    work.give_back(
        model.predict_proba(work.valid())[:, 1],
        trials=len(study.trials),
        search_seconds=searched - began,
        refit_seconds=refitted - searched,
        learner="boosting",
        best=study.best_value,
        point=study.best_params,
    )


if __name__ == "__main__":
    main()
