"""Metrics: scores of outputs against targets, one number a sample where possible.

Outputs of classifiers are logits `(rows, classes)`; log-probabilities are logits too. A binary
classifier gives the logit of the positive class, `(rows,)` or `(rows, 1)`, or two logits
`(rows, 2)`. A multi-label classifier gives a logit a label, a regression gives values.

`precision_at_K`, `recall_at_K` and `lift_at_K` score the K % of the rows with the highest
probability of the positive class; `metric_named` makes them for every K from 1 to 100.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np

from workbench.errors import DataError, TaskError, UnknownName
from workbench.metrics.ranking import Ranking
from workbench.system.registry import Registry
from workbench.system.wording import value_text

__all__ = [
    "BY_KIND",
    "METRICS",
    "METRIC_REGISTRY",
    "Metric",
    "check_kind",
    "like_targets",
    "metric_named",
    "positive_logit",
    "positive_probability",
    "predicted",
    "softmax",
]

Scores = Callable[[np.ndarray, np.ndarray], np.ndarray]
OfRows = Callable[[np.ndarray], float]
"""The score of some rows of the same outputs, by their indices `(n,)`."""

N_BINS = 15  # of `calibration_error`, as in Guo et al.


@dataclass(frozen=True)
class Metric:
    """A named score of outputs against targets.

    `per_sample(outputs, targets) -> (rows,)` where the score is a mean over samples; else
    `whole(outputs, targets) -> float`, and intervals come from resampling. `margin` is the largest
    difference that counts as none. `unit` is `points` for shares shown in percent, else "".
    `kinds` are the kinds of task that the metric fits; empty: all.

    `of_rows(outputs, targets)` gives a faster way to the score of chosen rows of these outputs.
    """

    name: str
    per_sample: Scores | None = None
    whole: Callable[[np.ndarray, np.ndarray], float] | None = None
    higher_is_better: bool = True
    margin: float = 0.005
    unit: str = "points"
    kinds: tuple[str, ...] = ()
    of_rows: Callable[[np.ndarray, np.ndarray], OfRows] | None = None

    def __call__(self, outputs: np.ndarray, targets: np.ndarray) -> float:
        if self.whole is None or self.per_sample is not None:
            return float(np.mean(self.samples(outputs, targets)))
        return float(self.whole(outputs, targets))

    def samples(self, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """One score a row `(rows,)`; raises TaskError for a metric without `per_sample`."""
        if self.per_sample is None:
            raise TaskError(f"The metric `{self.name}` has no score a row: give it `per_sample`.")
        return self.per_sample(outputs, targets)

    def resampled(self, outputs: np.ndarray, targets: np.ndarray) -> OfRows:
        """The score of rows of these outputs, for many choices of rows."""
        if self.of_rows:
            return self.of_rows(outputs, targets)
        return lambda rows: self(outputs[rows], targets[rows])

    @property
    def sign(self) -> float:
        """1.0 if higher is better, else -1.0: `sign * value` is higher for the better model."""
        return 1.0 if self.higher_is_better else -1.0

    def fits(self, kind: str) -> bool:
        """Whether the metric can score a task of this kind; a custom task may use any metric."""
        return not self.kinds or kind == "custom" or kind in self.kinds

    def shown(self, value: float) -> str:
        """The value as text: `92.50 %` or `0.123`."""
        return value_text(value, self.unit)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities `(rows, classes)` from logits `(rows, classes)`."""
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exp / exp.sum(axis=1, keepdims=True)


def like_targets(outputs: np.ndarray, targets: Any) -> np.ndarray:
    """Outputs in the shape of the targets, where both have the same number of values.

    Engines differ: one gives `(rows, 1)` and another `(rows,)` for targets `(rows,)`.
    """
    shape = np.shape(targets)
    return outputs.reshape(shape) if outputs.size == int(np.prod(shape)) else outputs


def positive_logit(outputs: np.ndarray) -> np.ndarray:
    """The logit of the positive class `(rows,)`, from binary outputs of any shape.

    Of two logits `(rows, 2)` it is the second minus the first. Raises TaskError for outputs with
    more than two columns.
    """
    if _has_two_logits(outputs):
        return outputs[:, 1] - outputs[:, 0]
    if not _has_one_logit(outputs):
        raise TaskError(
            "Outputs of a binary classifier must be `(rows,)`, `(rows, 1)` or `(rows, 2)`, got "
            f"{outputs.shape}."
        )
    return outputs.reshape(len(outputs))


def positive_probability(outputs: np.ndarray) -> np.ndarray:
    """The probability of the positive class `(rows,)`, from binary outputs of any shape.

    Raises TaskError for outputs with more than two columns.
    """
    if _has_two_logits(outputs):
        return softmax(outputs)[:, 1]
    logit = np.clip(positive_logit(outputs), -60, 60)  # float32 overflows from exp(89) on
    return 1.0 / (1.0 + np.exp(-logit))


def predicted(outputs: np.ndarray) -> np.ndarray:
    """Predicted class `(rows,)`, from `(rows, classes)` or from one logit a row."""
    if _has_one_logit(outputs):
        return (positive_logit(outputs) > 0).astype(np.int64)
    return outputs.argmax(axis=1)


def _has_one_logit(outputs: np.ndarray) -> bool:
    return outputs.ndim == 1 or outputs.shape[1] == 1


def _has_two_logits(outputs: np.ndarray) -> bool:
    return outputs.ndim == 2 and outputs.shape[1] == 2


def _is_binary(outputs: np.ndarray) -> bool:
    return _has_one_logit(outputs) or _has_two_logits(outputs)


def _accuracy(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    return (predicted(outputs) == targets.reshape(len(targets))).astype(np.float64)


def _label_accuracy(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    return ((outputs > 0) == (targets > 0.5)).mean(axis=1)


def _log_loss(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    targets = targets.reshape(len(targets))
    if _has_one_logit(outputs):
        p = positive_probability(outputs)
        chosen = np.where(targets > 0.5, p, 1 - p)
    else:
        chosen = softmax(outputs)[np.arange(len(targets)), targets.astype(np.int64)]
    return -np.log(np.clip(chosen, 1e-12, 1.0))


def _squared_error(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    return (_differences(outputs, targets) ** 2).mean(axis=1)


def _absolute_error(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    return np.abs(_differences(outputs, targets)).mean(axis=1)


def _differences(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    return outputs.reshape(len(targets), -1) - targets.reshape(len(targets), -1)


def _pr_auc(outputs: np.ndarray, targets: np.ndarray) -> float:
    return float(np.mean([r.average_precision() for r in _rankings(outputs, targets)]))


def _pr_auc_of_rows(outputs: np.ndarray, targets: np.ndarray) -> OfRows:
    rankings = _rankings(outputs, targets)
    return lambda rows: float(np.mean([r.average_precision(rows) for r in rankings]))


def _roc_auc_of_rows(outputs: np.ndarray, targets: np.ndarray) -> OfRows:
    rankings = _rankings(outputs, targets)
    return lambda rows: float(np.mean([r.roc_auc(rows) for r in rankings]))


def _rankings(outputs: np.ndarray, targets: np.ndarray) -> list[Ranking]:
    """The rows by the probability of the positive class, of each class, or of each label."""
    if targets.ndim == 2:
        return [Ranking(outputs[:, i], targets[:, i] > 0.5) for i in range(targets.shape[1])]
    if outputs.ndim == 2 and outputs.shape[1] > 2:
        return [Ranking(p, targets == i) for i, p in enumerate(softmax(outputs).T)]
    return [Ranking(positive_probability(outputs), targets > 0.5)]


def _roc_auc(outputs: np.ndarray, targets: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    if targets.ndim == 1 and outputs.ndim == 2 and outputs.shape[1] > 2:
        return roc_auc_score(targets, softmax(outputs), multi_class="ovr")
    return roc_auc_score(targets, outputs if targets.ndim == 2 else positive_probability(outputs))


def _r2(outputs: np.ndarray, targets: np.ndarray) -> float:
    from sklearn.metrics import r2_score

    return r2_score(targets.reshape(len(targets), -1), outputs.reshape(len(targets), -1))


def _precision(outputs: np.ndarray, targets: np.ndarray) -> float:
    counts = _positive_counts(outputs, targets)
    return float(np.mean(_shares(counts.n_hits, counts.n_predicted)))


def _recall(outputs: np.ndarray, targets: np.ndarray) -> float:
    counts = _positive_counts(outputs, targets)
    return float(np.mean(_shares(counts.n_hits, counts.n_actual)))


def _f1(outputs: np.ndarray, targets: np.ndarray) -> float:
    counts = _counts(outputs, targets)
    return float(np.mean(_shares(2 * counts.n_hits, counts.n_predicted + counts.n_actual)))


def _balanced_accuracy(outputs: np.ndarray, targets: np.ndarray) -> float:
    counts = _class_counts(outputs, targets)
    counts = counts.of(counts.n_actual > 0)
    return float(np.mean(counts.n_hits / counts.n_actual))


@dataclass(frozen=True)
class _Counts:
    """Numbers of rows a class or label, `(classes,)`: predicted rightly, predicted, actual."""

    n_hits: np.ndarray
    n_predicted: np.ndarray
    n_actual: np.ndarray

    def of(self, chosen: Any) -> _Counts:
        """The counts of the chosen classes, by a mask or by their numbers."""
        return _Counts(self.n_hits[chosen], self.n_predicted[chosen], self.n_actual[chosen])


def _counts(outputs: np.ndarray, targets: np.ndarray) -> _Counts:
    """Counts of every label, or of every class that is a target or a prediction of some row."""
    if _has_labels(outputs, targets):
        predictions = outputs > 0
        actual = targets > 0.5
        return _Counts(
            (predictions & actual).sum(axis=0), predictions.sum(axis=0), actual.sum(axis=0)
        )
    counts = _class_counts(outputs, targets)
    return counts.of((counts.n_predicted + counts.n_actual) > 0)


def _positive_counts(outputs: np.ndarray, targets: np.ndarray) -> _Counts:
    """The counts of `_counts`; for a binary classifier, those of the positive class only."""
    if _is_binary(outputs) and not _has_labels(outputs, targets):
        return _class_counts(outputs, targets).of([1])
    return _counts(outputs, targets)


def _has_labels(outputs: np.ndarray, targets: np.ndarray) -> bool:
    """Whether targets `(rows, labels)` hold a 0 or 1 for each output `(rows, labels)`."""
    return targets.ndim == 2 and outputs.shape == targets.shape


def _class_counts(outputs: np.ndarray, targets: np.ndarray) -> _Counts:
    predictions = predicted(outputs)
    actual = _class_numbers(targets)
    n_classes = 1 + max(1, predictions.max(initial=0), actual.max(initial=0))
    hits = actual[actual == predictions]
    return _Counts(
        *(np.bincount(numbers, minlength=n_classes) for numbers in (hits, predictions, actual))
    )


def _class_numbers(targets: np.ndarray) -> np.ndarray:
    return targets.reshape(len(targets)).astype(np.int64)


def _shares(n_part: np.ndarray, n_all: np.ndarray) -> np.ndarray:
    """`n_part / n_all`; 0 where there is nothing to divide by, as scikit-learn counts it."""
    return np.divide(n_part, n_all, out=np.zeros(len(n_all)), where=n_all > 0)


def _brier(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Squared error of the probabilities (Brier, Monthly Weather Review 78, 1950).

    Binary: of the positive class, 0 to 1. Classes: summed over all of them, 0 to 2.
    """
    actual = _class_numbers(targets)
    outputs = outputs.astype(np.float64)
    if _is_binary(outputs):
        return (positive_probability(outputs) - actual) ** 2
    errors = softmax(outputs)
    errors[np.arange(len(actual)), actual] -= 1.0
    return (errors**2).sum(axis=1)


def _calibration_error(outputs: np.ndarray, targets: np.ndarray) -> float:
    """Expected calibration error: |accuracy - confidence| a bin, weighted by the bin's rows.

    The confidence is the probability of the predicted class; bins are `(low, high]` (Guo et al.,
    "On Calibration of Modern Neural Networks", ICML 2017). It is biased upward on few rows, as the
    gap of a bin is never exactly 0.
    """
    outputs = outputs.astype(np.float64)
    if _is_binary(outputs):
        positive = positive_probability(outputs)
        confidence = np.maximum(positive, 1.0 - positive)
    else:
        confidence = softmax(outputs).max(axis=1)
    edges = np.linspace(0.0, 1.0, N_BINS + 1)
    bins = np.searchsorted(edges[1:-1], confidence)
    gaps = np.bincount(bins, weights=_accuracy(outputs, targets) - confidence)
    return float(np.abs(gaps).sum() / len(targets))


@dataclass(frozen=True)
class _Top:
    """The rows with the highest probability of the positive class.

    `n_hits` is the number of positives among `n_top` of them; `n_positive` of all `n` rows are
    positive. Rows that tie for the last places count by their share of positives, so that the
    number is the expected one over all orders of the tied rows.
    """

    n_hits: float
    n_top: int
    n_positive: int
    n: int


def _top(outputs: np.ndarray, targets: np.ndarray, percentage: int) -> _Top:
    """The top `percentage` % of the rows, rounded to whole rows, one at least."""
    logit = positive_logit(outputs)
    is_positive = _class_numbers(targets) == 1
    n = len(logit)
    n_top = max(1, (n * percentage + 50) // 100)
    boundary = np.partition(logit, n - n_top)[n - n_top]
    above = logit > boundary
    tied = is_positive[logit == boundary]
    n_from_tied = n_top - int(above.sum())
    n_hits = int(is_positive[above].sum()) + n_from_tied * float(tied.mean())
    return _Top(n_hits, n_top, int(is_positive.sum()), n)


def _precision_at(outputs: np.ndarray, targets: np.ndarray, *, percentage: int) -> float:
    """Share of positives among the top rows."""
    top = _top(outputs, targets, percentage)
    return float(top.n_hits / top.n_top)


def _recall_at(outputs: np.ndarray, targets: np.ndarray, *, percentage: int) -> float:
    """Share of the positives that are among the top rows; 0 where there is none, as `recall`."""
    top = _top(outputs, targets, percentage)
    return float(top.n_hits / top.n_positive) if top.n_positive else 0.0


def _lift_at(outputs: np.ndarray, targets: np.ndarray, *, percentage: int) -> float:
    """Share of positives among the top rows, divided by their share among all."""
    top = _top(outputs, targets, percentage)
    if not top.n_positive:
        raise DataError(
            f"`lift_at_{percentage}` divides by the share of positives, and none of the {top.n} "
            "targets is positive; give rows of both classes."
        )
    return float(top.n_hits * top.n / (top.n_top * top.n_positive))


BINARY_OR_CLASSES = ("binary", "classification")
ALL_CLASSIFIERS = (*BINARY_OR_CLASSES, "multilabel")
ERROR: dict[str, Any] = {"higher_is_better": False, "unit": ""}

RANKED: dict[str, tuple[Any, dict[str, Any]]] = {
    "precision": (_precision_at, {}),
    "recall": (_recall_at, {}),
    "lift": (_lift_at, {"margin": 0.0, "unit": ""}),
}
USUAL_PERCENTAGE = 10  # of the forms that the registry lists


@cache
def _ranked(score: str, percentage: int) -> Metric:
    """The metric `SCORE_at_K` of the K % of the rows that rank highest."""
    function, values = RANKED[score]
    whole = partial(function, percentage=percentage)
    return Metric(f"{score}_at_{percentage}", whole=whole, kinds=("binary",), **values)


METRICS = {
    metric.name: metric
    for metric in (
        Metric("accuracy", _accuracy, kinds=BINARY_OR_CLASSES),
        Metric("balanced_accuracy", whole=_balanced_accuracy, kinds=BINARY_OR_CLASSES),
        Metric("label_accuracy", _label_accuracy, kinds=("multilabel",)),
        Metric("precision", whole=_precision, kinds=ALL_CLASSIFIERS),
        Metric("recall", whole=_recall, kinds=ALL_CLASSIFIERS),
        Metric("f1", whole=_f1, kinds=ALL_CLASSIFIERS),
        Metric("pr_auc", whole=_pr_auc, kinds=ALL_CLASSIFIERS, of_rows=_pr_auc_of_rows),
        Metric("roc_auc", whole=_roc_auc, kinds=ALL_CLASSIFIERS, of_rows=_roc_auc_of_rows),
        Metric("log_loss", _log_loss, margin=0.01, kinds=BINARY_OR_CLASSES, **ERROR),
        Metric("brier", _brier, kinds=BINARY_OR_CLASSES, **ERROR),
        Metric(
            "calibration_error",
            whole=_calibration_error,
            higher_is_better=False,
            kinds=BINARY_OR_CLASSES,
        ),
        *(_ranked(score, USUAL_PERCENTAGE) for score in RANKED),
        Metric("mse", _squared_error, margin=0.0, kinds=("regression",), **ERROR),
        Metric("mae", _absolute_error, margin=0.0, kinds=("regression",), **ERROR),
        Metric("r2", whole=_r2, unit="", kinds=("regression",)),
    )
}

ALIASES = {"auc": "roc_auc"}

METRIC_REGISTRY = Registry(
    "workbench.metrics",
    "metric",
    lambda: Metric,
    lambda: METRICS,
    hint=" The number of `..._at_10` may be any whole percentage from 1 to 100.",
)

BY_KIND = {
    "classification": ("accuracy", "log_loss"),
    "binary": ("accuracy", "pr_auc", "log_loss"),
    "multilabel": ("label_accuracy", "f1"),
    "regression": ("mse", "mae"),
}


def metric_named(name: str) -> Metric:
    """The metric of this name: built-in, registered by another package, or by its alias.

    `auc` is `roc_auc`; `lift_at_5` is the lift of the top 5 % of the rows. Raises UnknownName that
    lists all names, or tells the range of the percentage, and RegistryError when a registered
    metric cannot be loaded.
    """
    if name in METRIC_REGISTRY:
        return METRIC_REGISTRY.get(name)
    matched = re.fullmatch(rf"({'|'.join(RANKED)})_at_(.*)", str(name))
    if matched is None:
        return METRIC_REGISTRY.get(ALIASES.get(name, name))
    score, percentage = matched.groups()
    if not re.fullmatch(r"[1-9]\d?|100", percentage, re.ASCII):
        raise UnknownName(
            f"`{score}_at_K` needs for K a whole percentage of the rows from 1 to 100, got "
            f"`{percentage}`. For example, `{score}_at_{USUAL_PERCENTAGE}` scores the "
            f"{USUAL_PERCENTAGE} % of the rows with the highest probability of the positive class."
        )
    return _ranked(score, int(percentage))


def check_kind(metric: Metric, kind: str) -> None:
    """Raise TaskError when the metric does not fit this kind of task, with the metrics that do."""
    if metric.fits(kind):
        return
    fitting = ", ".join(f"`{other.name}`" for other in METRICS.values() if other.fits(kind))
    raise TaskError(
        f"The metric `{metric.name}` is for tasks of kind {' or '.join(metric.kinds)}, and this "
        f"task is of kind {kind}. Use one of {fitting}, or a function of your own."
    )
