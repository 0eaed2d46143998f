"""Digits of scikit-learn as a task, with a linear NumPy model and a small network."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from wb_example.model import LinearModel
from workbench.data.rows import Rows, Splits
from workbench.metrics import METRICS, metric_named
from workbench.task import Task

__all__ = ["example_digits"]

SPLITS = {
    "train": (0, 1000),
    "valid": (1000, 1300),
    "calibration": (1300, 1400),
    "test": (1400, 1797),
}


def _network() -> Any:
    from torch import nn

    return nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))


def example_digits() -> Task:
    """The task, made anew."""
    from sklearn.datasets import load_digits

    raw = load_digits()
    order = np.random.default_rng(1).permutation(len(raw.target))
    x = (raw.data[order] / 16).astype(np.float32)
    rows = Rows({"x": x}, raw.target[order].astype(np.int64))
    return Task(
        "example_digits",
        "classification",
        Splits(**{name: rows.take(slice(*cut)) for name, cut in SPLITS.items()}),
        (metric_named("top2_accuracy"), METRICS["accuracy"]),
        builders={"linear": partial(LinearModel.untrained, 64, 10), "network": _network},
        classes=tuple("0123456789"),
    )
