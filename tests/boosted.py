"""Small boosted ensembles and tables, which tests of several folders share."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

import workbench as wb
from workbench.task import Candidate, Task

__all__ = ["NAMES", "REGRESSORS", "cancer", "diabetes", "ensemble", "mixed", "pipeline", "started"]

NAMES = ("gradient", "histogram", "lightgbm", "xgboost")
REGRESSORS = tuple(f"{name}_regressor" for name in NAMES)
EXTRA = 'pip install "model-optimization-workbench[boosting]"'


def ensemble(name: str, n: int = 12, **parameters: Any) -> Any:
    """An unfitted ensemble of `n` rounds; skips the test where its library is not installed."""
    library, _, kind = name.partition("_")
    is_regressor = kind == "regressor"
    if library == "gradient":
        made = GradientBoostingRegressor if is_regressor else GradientBoostingClassifier
        return made(n_estimators=n, max_depth=2, subsample=0.7, random_state=0, **parameters)
    if library == "histogram":
        made = HistGradientBoostingRegressor if is_regressor else HistGradientBoostingClassifier
        return made(max_iter=n, max_leaf_nodes=6, random_state=0, **parameters)
    module = pytest.importorskip(library, reason=EXTRA, exc_type=(ImportError, OSError))
    if library == "lightgbm":
        made = module.LGBMRegressor if is_regressor else module.LGBMClassifier
        own = {"num_leaves": 6, "subsample": 0.7, "subsample_freq": 1, "verbosity": -1}
    else:
        made = module.XGBRegressor if is_regressor else module.XGBClassifier
        own = {"max_depth": 2, "subsample": 0.7}
    return made(**{"n_estimators": n, "n_jobs": 1, "random_state": 0, **own, **parameters})


@cache
def cancer() -> tuple[np.ndarray, np.ndarray]:
    """569 rows of 30 numbers, two classes, in a fixed random order."""
    x, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    return x[order], y[order]


@cache
def diabetes() -> tuple[np.ndarray, np.ndarray]:
    """442 rows of 10 numbers, a number to predict, in a fixed random order."""
    x, y = load_diabetes(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    return x[order], y[order]


@cache
def mixed() -> tuple[pd.DataFrame, np.ndarray]:
    """Columns of numbers with gaps and of categories; the target follows both."""
    x, y = cancer()
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(x[:, :4], columns=["radius", "texture", "perimeter", "area"])
    frame["ward"] = np.where(x[:, 6] > np.median(x[:, 6]), "north", "south").astype(object)
    frame["doctor"] = rng.choice(["ann", "bob", "cem"], len(y)).astype(object)
    frame.loc[rng.random(len(y)) < 0.2, "texture"] = np.nan
    return frame, y


def pipeline(last: Any) -> Pipeline:
    """Gaps filled and categories one-hot before an ensemble; numbers stay as they are."""
    columns = make_column_transformer(
        (SimpleImputer(strategy="median"), ["radius", "texture", "perimeter", "area"]),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["ward", "doctor"]),
    )
    return Pipeline([("columns", columns), ("model", last)])


def started(model: Any, rows: tuple[Any, np.ndarray], **values: Any) -> tuple[Task, Candidate]:
    """A task with the fitted model as its start: 55 % of the rows are train, 40 % valid."""
    x, y = rows
    cuts = [0, *(int(share * len(y)) for share in (0.55, 0.95, 0.97)), len(y)]
    names = ("train", "valid", "calibration", "test")
    splits = {
        name: (x[low:high], y[low:high])
        for name, low, high in zip(names, cuts, cuts[1:], strict=False)
    }
    task = wb.make_task("boosted", model=model.fit(*splits["train"]), **splits, **values)
    return task, task.candidate()[0]
