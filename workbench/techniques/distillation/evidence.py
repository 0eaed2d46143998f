"""Tables about a distilled student on valid: where it agrees with its teacher, and whether its
confidence can be believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.metrics import like_targets, softmax

if TYPE_CHECKING:
    import pandas as pd

    from workbench.task import Task

__all__ = ["agreement", "expected_calibration_error", "models", "reliability", "together"]

N_BINS = 10


def together(answers: np.ndarray, kind: str) -> np.ndarray:
    """The answers `(rows, teachers, outputs)` of several teachers as those of one `(rows,
    outputs)`: their mean distribution.
    """
    if answers.shape[1] == 1:
        return answers[:, 0]
    if kind == "classification":
        probabilities = np.stack(
            [softmax(answers[:, i]) for i in range(answers.shape[1])], axis=1
        ).mean(axis=1)
        return np.log(np.clip(probabilities, 1e-12, 1.0))
    if kind in ("binary", "multilabel"):
        p = np.clip((1 / (1 + np.exp(-np.clip(answers, -60, 60)))).mean(axis=1), 1e-12, 1 - 1e-7)
        return np.log(p) - np.log1p(-p)
    return answers.mean(axis=1)


def choices_of(outputs: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Chosen class and confidence of each decision, `(rows,)`, or `(rows, labels)` where there are
    several labels.
    """
    if kind == "classification":
        probabilities = softmax(outputs)
        return probabilities.argmax(axis=1), probabilities.max(axis=1)
    if kind == "binary" and outputs.ndim == 2 and outputs.shape[1] == 2:
        outputs = outputs[:, 1] - outputs[:, 0]
    logits = outputs.reshape(len(outputs)) if kind == "binary" else outputs
    p = 1 / (1 + np.exp(-np.clip(logits, -60, 60)))
    return (logits > 0).astype(np.int64), np.maximum(p, 1 - p)


def agreement(task: Task, outputs: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """A row a class, or label, and one for all: n rows, share on which the student, and the
    control, decide as the teacher.

    `outputs` are `(valid rows, ...)` of teacher, student and, if there is one, control. Of values:
    the mean absolute difference and the correlation, one row.
    """
    import pandas as pd

    targets = np.asarray(task.data.valid.targets)
    others = [name for name in outputs if name != "teacher"]
    if task.kind not in ("classification", "binary", "multilabel"):
        return pd.DataFrame(
            [_of_values(outputs["teacher"], outputs[name], name) for name in others]
        )
    chosen = {name: choices_of(o, task.kind)[0] for name, o in outputs.items()}
    rows = [_agreed("all", np.ones(targets.shape, bool), chosen, targets, others)]
    if task.kind == "multilabel":
        for label in range(targets.shape[1]):
            part = np.zeros(targets.shape, bool)
            part[:, label] = True
            rows.append(_agreed(_name(task, label), part, chosen, targets, others))
    else:
        flat = targets.reshape(len(targets)).astype(np.int64)
        rows += [
            _agreed(_name(task, value), flat == value, chosen, flat, others)
            for value in np.unique(flat)
        ]
    return pd.DataFrame(rows)


def _agreed(
    name: str,
    part: np.ndarray,
    chosen: dict[str, np.ndarray],
    targets: np.ndarray,
    others: list[str],
) -> dict[str, Any]:
    right = {f"{n}_accuracy": float((c[part] == targets[part]).mean()) for n, c in chosen.items()}
    same = {n: float((chosen[n][part] == chosen["teacher"][part]).mean()) for n in others}
    return {
        "class": name,
        "n": int(part.sum()),
        **{f"{n}_agreement": v for n, v in same.items()},
        **right,
    }


def _of_values(teacher: np.ndarray, other: np.ndarray, name: str) -> dict[str, Any]:
    a, b = teacher.reshape(len(teacher), -1), other.reshape(len(other), -1)
    known = a.std() > 0 and b.std() > 0
    correlation = float(np.corrcoef(a.ravel(), b.ravel())[0, 1]) if known else float("nan")
    return {
        "model": name,
        "n": len(a),
        "mean_absolute_difference": float(np.abs(a - b).mean()),
        "correlation": correlation,
    }


def _name(task: Task, value: Any) -> str:
    return task.classes[int(value)] if int(value) < len(task.classes) else str(value)


def reliability(task: Task, outputs: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Bins of confidence a model: model, low, high, confidence, accuracy, n (Guo et al., ICML
    2017); none for values.
    """
    import pandas as pd

    columns = ["model", "low", "high", "confidence", "accuracy", "n"]
    if task.kind not in ("classification", "binary", "multilabel"):
        return pd.DataFrame(columns=columns)
    targets, rows = np.asarray(task.data.valid.targets), []
    for name, out in outputs.items():
        chosen, confidence = (a.ravel() for a in choices_of(out, task.kind))
        right = chosen == targets.ravel().astype(np.int64)
        number = np.minimum((confidence * N_BINS).astype(int), N_BINS - 1)
        for i in np.unique(number):
            part = number == i
            means = float(confidence[part].mean()), float(right[part].mean())
            rows.append(
                {
                    "model": name,
                    "low": i / N_BINS,
                    "high": (i + 1) / N_BINS,
                    "confidence": means[0],
                    "accuracy": means[1],
                    "n": int(part.sum()),
                }
            )
    return pd.DataFrame(rows, columns=columns)


def expected_calibration_error(bins: pd.DataFrame, model: str) -> float:
    """Mean gap between confidence and accuracy over the bins of a model, weighted by their rows;
    NaN where there are none.
    """
    mine = bins[bins["model"] == model]
    if not len(mine):
        return float("nan")
    return float(
        ((mine["confidence"] - mine["accuracy"]).abs() * mine["n"]).sum() / mine["n"].sum()
    )


def models(
    task: Task, outputs: Mapping[str, np.ndarray], sizes: Mapping[str, int | None]
) -> pd.DataFrame:
    """A row a model: its deciding metric on valid, its parameters and its expected calibration
    error.
    """
    import pandas as pd

    targets, bins = np.asarray(task.data.valid.targets), reliability(task, outputs)
    return pd.DataFrame(
        {
            "model": name,
            task.metric.name: float(task.metric(like_targets(out, targets), targets)),
            "parameters": sizes.get(name),
            "calibration_error": expected_calibration_error(bins, name),
        }
        for name, out in outputs.items()
    )
