"""Small real data, models and tasks that tests of the front doors and of the door check share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from workbench.data.rows import Rows, Splits
from workbench.metrics import METRICS
from workbench.runtimes import predictor
from workbench.task import Candidate, Task

__all__ = [
    "accuracy_of",
    "changed",
    "digits_task",
    "fitted_pipeline",
    "iris",
    "wine",
    "wine_net",
    "with_split",
]


def wine() -> tuple[np.ndarray, np.ndarray]:
    raw = load_wine()
    scaled = (raw.data - raw.data.mean(0)) / raw.data.std(0)
    return scaled.astype(np.float32), raw.target.astype(np.int64)


def wine_net(n_in: int = 13) -> nn.Module:
    return nn.Sequential(nn.Linear(n_in, 16), nn.ReLU(), nn.Linear(16, 3))


def iris() -> pd.DataFrame:
    raw = load_iris(as_frame=True)
    return raw.data.assign(species=raw.target_names[raw.target])


def fitted_pipeline(features: object, labels: object) -> object:
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(features, labels)


def accuracy_of(task: Task, rows: Rows) -> float:
    outputs = predictor(task.start).predict(dict(rows.prepared(task.start.prepare).inputs))
    return task.metric(outputs, rows.targets)


def digits_task(**changes: object) -> Task:
    """Real digits as float rows `(rows, 64)`, split 1000 / 350 / 97 / 350, with a linear network to
    start from.
    """
    raw = load_digits()
    order = np.random.default_rng(0).permutation(len(raw.target))
    rows = Rows({"x": raw.data[order].astype(np.float32)}, raw.target[order].astype(np.int64))
    cuts = {
        "train": (0, 1000),
        "valid": (1000, 1350),
        "calibration": (1350, 1447),
        "test": (1447, 1797),
    }
    data = Splits(**{name: rows.take(np.arange(*cut)) for name, cut in cuts.items()})
    values = {
        "kind": "classification",
        "data": data,
        "metrics": (METRICS["accuracy"],),
        "classes": tuple("0123456789"),
    }
    return Task(
        "digits", **{**values, "start": Candidate("net", "torch", nn.Linear(64, 10)), **changes}
    )


def with_split(task: Task, **splits: Rows) -> Task:
    return replace(task, data=replace(task.data, **splits))


def changed(rows: Rows, value: float, row: int = 3, column: int = 5) -> Rows:
    x = rows.inputs["x"].copy()
    x[row, column] = value
    return replace(rows, inputs={"x": x})
