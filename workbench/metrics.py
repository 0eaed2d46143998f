"""Metrics: what a score is, one number a sample where possible, and how a model's outputs become
predictions.

Outputs of classifiers are logits `(rows, classes)`, or log-probabilities, which are logits too; of
binary ones with one output, `(rows,)` or `(rows, 1)`, the logit of the positive class; of
multi-label ones a logit a label; of regressions values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.errors import UnknownName, unknown

__all__ = ["METRICS", "Metric", "like_targets", "metric_named", "softmax"]

Scores = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Metric:
    """A named score of outputs against targets.

    `per_sample(outputs, targets) -> (rows,)` where the score is a mean over samples; else
    `whole(outputs, targets) -> float` and intervals come from resampling. `margin` is the
    difference that counts as none; `unit` is `points` for shares shown in percent, else "".
    """

    name: str
    per_sample: Scores | None = None
    whole: Callable[[np.ndarray, np.ndarray], float] | None = None
    higher_is_better: bool = True
    margin: float = 0.005
    unit: str = "points"

    def __call__(self, outputs: np.ndarray, targets: np.ndarray) -> float:
        if self.per_sample is not None:
            return float(np.mean(self.per_sample(outputs, targets)))
        return float(self.whole(outputs, targets))

    def shown(self, value: float) -> str:
        """The value as people read it: 92.5 % or 0.123."""
        return f"{100 * value:.2f} %" if self.unit == "points" else f"{value:.4g}"


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities `(rows, classes)` from logits `(rows, classes)`."""
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exp / exp.sum(axis=1, keepdims=True)


def like_targets(outputs: np.ndarray, targets: Any) -> np.ndarray:
    """Outputs `(rows, 1)` in the shape of targets `(rows,)`, and the other way round: engines
    differ, metrics must not.
    """
    shape = np.shape(targets)
    return outputs.reshape(shape) if outputs.size == int(np.prod(shape)) else outputs


def predicted(outputs: np.ndarray) -> np.ndarray:
    """Predicted class `(rows,)`, from `(rows, classes)` or from one logit a row."""
    if outputs.ndim == 1 or outputs.shape[1] == 1:
        return (outputs.reshape(len(outputs)) > 0).astype(np.int64)
    return outputs.argmax(axis=1)


def _probability(outputs: np.ndarray) -> np.ndarray:
    """Probability of the positive class `(rows,)`."""
    if outputs.ndim == 2 and outputs.shape[1] == 2:
        return softmax(outputs)[:, 1]
    return 1.0 / (1.0 + np.exp(-np.clip(outputs.reshape(len(outputs)), -60, 60)))


def _accuracy(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    return (predicted(outputs) == targets.reshape(len(targets))).astype(np.float64)


def _label_accuracy(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    return ((outputs > 0) == (targets > 0.5)).mean(axis=1)


def _log_loss(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    targets = targets.reshape(len(targets))
    if outputs.ndim == 1 or outputs.shape[1] == 1:
        p = _probability(outputs)
        chosen = np.where(targets > 0.5, p, 1 - p)
    else:
        chosen = softmax(outputs)[np.arange(len(targets)), targets.astype(np.int64)]
    return -np.log(np.clip(chosen, 1e-12, 1.0))


def _squared_error(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    return ((outputs.reshape(len(targets), -1) - targets.reshape(len(targets), -1)) ** 2).mean(
        axis=1
    )


def _absolute_error(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    return np.abs(outputs.reshape(len(targets), -1) - targets.reshape(len(targets), -1)).mean(
        axis=1
    )


def _f1(outputs: np.ndarray, targets: np.ndarray) -> float:
    from sklearn.metrics import f1_score

    if targets.ndim == 2:
        return f1_score(targets > 0.5, outputs > 0, average="macro", zero_division=0)
    return f1_score(targets, predicted(outputs), average="macro", zero_division=0)


def _pr_auc(outputs: np.ndarray, targets: np.ndarray) -> float:
    from sklearn.metrics import average_precision_score

    if targets.ndim == 2:
        return average_precision_score(targets > 0.5, outputs, average="macro")
    if outputs.ndim == 2 and outputs.shape[1] > 2:
        return average_precision_score(
            np.eye(outputs.shape[1])[targets], softmax(outputs), average="macro"
        )
    return average_precision_score(targets, _probability(outputs))


def _roc_auc(outputs: np.ndarray, targets: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    if targets.ndim == 1 and outputs.ndim == 2 and outputs.shape[1] > 2:
        return roc_auc_score(targets, softmax(outputs), multi_class="ovr")
    return roc_auc_score(targets, outputs if targets.ndim == 2 else _probability(outputs))


def _r2(outputs: np.ndarray, targets: np.ndarray) -> float:
    from sklearn.metrics import r2_score

    return r2_score(targets.reshape(len(targets), -1), outputs.reshape(len(targets), -1))


METRICS = {
    m.name: m
    for m in (
        Metric("accuracy", per_sample=_accuracy),
        Metric("label_accuracy", per_sample=_label_accuracy),
        Metric("log_loss", per_sample=_log_loss, higher_is_better=False, margin=0.01, unit=""),
        Metric("f1", whole=_f1),
        Metric("pr_auc", whole=_pr_auc),
        Metric("roc_auc", whole=_roc_auc),
        Metric("mse", per_sample=_squared_error, higher_is_better=False, margin=0.0, unit=""),
        Metric("mae", per_sample=_absolute_error, higher_is_better=False, margin=0.0, unit=""),
        Metric("r2", whole=_r2, unit=""),
    )
}

BY_KIND = {
    "classification": ("accuracy", "log_loss"),
    "binary": ("accuracy", "pr_auc", "log_loss"),
    "multilabel": ("label_accuracy", "f1"),
    "regression": ("mse", "mae"),
}


def metric_named(name: str) -> Metric:
    """A built-in metric; raises UnknownName that lists them all."""
    if name not in METRICS:
        raise UnknownName(unknown("metric", name, METRICS))
    return METRICS[name]
