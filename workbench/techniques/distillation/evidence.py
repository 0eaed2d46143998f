"""Tables about a student on valid: agreement with the teacher, reliability, and the models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.metrics import like_targets, positive_logit, softmax

if TYPE_CHECKING:
    import pandas as pd

    from workbench.task import Task

__all__ = ["agreement", "ensemble_outputs", "expected_calibration_error", "models", "reliability"]

N_BINS = 10
CLASS_KINDS = ("classification", "binary", "multilabel")


def ensemble_outputs(outputs: np.ndarray, kind: str) -> np.ndarray:
    """Outputs `(rows, outputs)` of the teachers' mean distribution.

    `outputs` has the shape `(rows, teachers, outputs)`.
    """
    if outputs.shape[1] == 1:
        return outputs[:, 0]
    if kind == "classification":
        n_teachers = outputs.shape[1]
        of_teachers = np.stack([softmax(outputs[:, i]) for i in range(n_teachers)], axis=1)
        return np.log(np.clip(of_teachers.mean(axis=1), 1e-12, 1.0))
    if kind in ("binary", "multilabel"):
        p = np.clip(_sigmoid(outputs).mean(axis=1), 1e-12, 1 - 1e-7)
        return np.log(p) - np.log1p(-p)
    return outputs.mean(axis=1)


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(logits, -60, 60)))


def predicted_classes(outputs: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Predicted class and its confidence, both `(rows,)`, or `(rows, labels)` of several labels."""
    if kind == "classification":
        probabilities = softmax(outputs)
        return probabilities.argmax(axis=1), probabilities.max(axis=1)
    logits = positive_logit(outputs) if kind == "binary" else outputs
    p = _sigmoid(logits)
    return (logits > 0).astype(np.int64), np.maximum(p, 1 - p)


def agreement(task: Task, outputs: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Table of the share of decisions in which student and control agree with the teacher.

    There is a row for all decisions and one for each class or label, with the accuracies beside.
    `outputs` are `(valid rows, ...)` of teacher, student and, if there is one, control. A
    regression has the mean absolute difference and the correlation, one row a model.
    """
    import pandas as pd

    targets = np.asarray(task.data.valid.targets)
    students = [name for name in outputs if name != "teacher"]
    if task.kind not in CLASS_KINDS:
        return pd.DataFrame(
            [_regression_row(outputs["teacher"], outputs[name], name) for name in students]
        )
    classes = {name: predicted_classes(o, task.kind)[0] for name, o in outputs.items()}
    if task.kind != "multilabel":
        targets = targets.reshape(len(targets)).astype(np.int64)
    rows = [_agreement_row("all", np.ones(targets.shape, bool), classes, targets)]
    if task.kind == "multilabel":
        for label in range(targets.shape[1]):
            part = np.zeros(targets.shape, bool)
            part[:, label] = True
            rows.append(_agreement_row(_class_name(task, label), part, classes, targets))
    else:
        for value in np.unique(targets):
            name = _class_name(task, value)
            rows.append(_agreement_row(name, targets == value, classes, targets))
    return pd.DataFrame(rows)


def _agreement_row(
    name: str, part: np.ndarray, classes: Mapping[str, np.ndarray], targets: np.ndarray
) -> dict[str, Any]:
    """Agreement and accuracy of all models on the decisions in `part`, a mask like `targets`."""
    teacher = classes["teacher"][part]
    row: dict[str, Any] = {"class": name, "n": int(part.sum())}
    for model, of_model in classes.items():
        if model != "teacher":
            row[f"{model}_agreement"] = float((of_model[part] == teacher).mean())
    for model, of_model in classes.items():
        row[f"{model}_accuracy"] = float((of_model[part] == targets[part]).mean())
    return row


def _regression_row(teacher: np.ndarray, student: np.ndarray, name: str) -> dict[str, Any]:
    a, b = teacher.reshape(len(teacher), -1), student.reshape(len(student), -1)
    varies = a.std() > 0 and b.std() > 0
    return {
        "model": name,
        "n": len(a),
        "mean_absolute_difference": float(np.abs(a - b).mean()),
        "correlation": float(np.corrcoef(a.ravel(), b.ravel())[0, 1]) if varies else float("nan"),
    }


def _class_name(task: Task, value: Any) -> str:
    return task.classes[int(value)] if int(value) < len(task.classes) else str(value)


def reliability(task: Task, outputs: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Table of confidence bins for each model (Guo et al., ICML 2017); empty for a regression.

    The columns are model, low, high, confidence, accuracy and n.
    """
    import pandas as pd

    columns = ["model", "low", "high", "confidence", "accuracy", "n"]
    if task.kind not in CLASS_KINDS:
        return pd.DataFrame(columns=columns)
    targets = np.asarray(task.data.valid.targets).ravel().astype(np.int64)
    rows = []
    for name, of_model in outputs.items():
        classes, confidence = (a.ravel() for a in predicted_classes(of_model, task.kind))
        correct = classes == targets
        bins = np.minimum((confidence * N_BINS).astype(int), N_BINS - 1)
        for number in np.unique(bins):
            part = bins == number
            rows.append(
                {
                    "model": name,
                    "low": number / N_BINS,
                    "high": (number + 1) / N_BINS,
                    "confidence": float(confidence[part].mean()),
                    "accuracy": float(correct[part].mean()),
                    "n": int(part.sum()),
                }
            )
    return pd.DataFrame(rows, columns=columns)


def expected_calibration_error(bins: pd.DataFrame, model: str) -> float:
    """Mean difference of confidence and accuracy over a model's bins, weighted by rows.

    NaN for a model without bins.
    """
    of_model = bins[bins["model"] == model]
    if not len(of_model):
        return float("nan")
    differences = (of_model["confidence"] - of_model["accuracy"]).abs()
    return float((differences * of_model["n"]).sum() / of_model["n"].sum())


def models(
    task: Task, outputs: Mapping[str, np.ndarray], sizes: Mapping[str, int | None]
) -> pd.DataFrame:
    """Table of each model's metric on valid, parameters and expected calibration error."""
    import pandas as pd

    targets = np.asarray(task.data.valid.targets)
    bins = reliability(task, outputs)
    return pd.DataFrame(
        {
            "model": name,
            task.metric.name: float(task.metric(like_targets(of_model, targets), targets)),
            "parameters": sizes.get(name),
            "calibration_error": expected_calibration_error(bins, name),
        }
        for name, of_model in outputs.items()
    )
