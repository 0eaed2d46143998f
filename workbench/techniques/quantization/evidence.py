"""Tables about a quantized file: bytes of weights, changed predictions, and its loss as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.metrics import like_targets
from workbench.techniques.quantization.layer_noise import MAX_DB, sqnr_db

if TYPE_CHECKING:
    import pandas as pd

    from workbench.task import Task

__all__ = ["MAX_FLIPS", "flips", "weights", "whole_file"]

MAX_FLIPS = 50  # rows of the table
FLIP_COLUMNS = ["row", "target", "before", "after", "confidence_before", "confidence_after"]


def weights(before: bytes, after: bytes) -> pd.DataFrame:
    """Bytes of the constants, of the rest of the graph, and of the whole file.

    Columns part, before_bytes, after_bytes, share (after divided by before).
    """
    import pandas as pd

    constants_before, constants_after = _constant_bytes(before), _constant_bytes(after)
    parts = {
        "weights": (constants_before, constants_after),
        "graph": (len(before) - constants_before, len(after) - constants_after),
        "file": (len(before), len(after)),
    }
    table = [
        (part, n_before, n_after, n_after / max(n_before, 1))
        for part, (n_before, n_after) in parts.items()
    ]
    return pd.DataFrame(table, columns=["part", "before_bytes", "after_bytes", "share"])


def _constant_bytes(content: bytes) -> int:
    import onnx

    graph = onnx.load_from_string(content).graph
    return sum(_n_bytes(value) for value in graph.initializer)


def _n_bytes(value: Any) -> int:
    """Bytes of a constant; 0 for one of strings."""
    from onnx import TensorProto, helper

    n_values = int(np.prod(value.dims)) if value.dims else 1
    if value.data_type == TensorProto.STRING:
        return 0
    if value.data_type in (TensorProto.INT4, TensorProto.UINT4):
        return (n_values + 1) // 2
    return n_values * helper.tensor_dtype_to_np_dtype(value.data_type).itemsize


def whole_file(
    before: np.ndarray, after: np.ndarray, targets: np.ndarray, task: Task
) -> tuple[pd.DataFrame, str]:
    """The loss of the whole file against the float model, from outputs `(rows, ...)`, and a note.

    Columns measure, before, after. The rows are the score of the task's metric, the share of equal
    predictions (classification with one class per row), and the signal-to-quantization-noise ratio
    of the outputs in dB, where equal outputs have 150 dB. A layer can have little noise in the
    table `sqnr` and the whole file a large loss: noise adds up, and some operators are no layers.
    """
    import pandas as pd

    metric = task.metric
    score_before, score_after = (
        float(metric(like_targets(outputs, targets), targets)) for outputs in (before, after)
    )
    table: list[tuple[str, float, float]] = [(metric.name, score_before, score_after)]
    parts = [f"{metric.name} {score_before:.4g} before, {score_after:.4g} after"]
    if _has_one_class(targets, task):
        classes = [_probabilities(outputs).argmax(1) for outputs in (before, after)]
        equal = float(np.mean(classes[0] == classes[1]))
        table.append(("equal predictions", 1.0, equal))
        parts.append(f"{100 * equal:.1f} % of the predictions are equal")
    sqnr = sqnr_db(*(_finite(outputs) for outputs in (before, after)))
    table.append(("output_sqnr_db", MAX_DB, sqnr))
    parts.append(f"{sqnr:.1f} dB signal to noise at the outputs")
    note = f"The whole file on {len(targets)} valid rows: {', '.join(parts)}."
    return pd.DataFrame(table, columns=["measure", "before", "after"]), note


def _finite(outputs: np.ndarray) -> np.ndarray:
    """Outputs as float64, with 0 for log-probabilities of minus infinity."""
    return np.nan_to_num(np.asarray(outputs, np.float64), posinf=0.0, neginf=0.0)


def _has_one_class(targets: np.ndarray, task: Task) -> bool:
    return task.kind in ("classification", "binary") and np.ndim(targets) == 1


def flips(
    before: np.ndarray, after: np.ndarray, targets: np.ndarray, task: Task
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Predictions that changed, from outputs `(rows, ...)`, and a note that counts them.

    At most 50 rows, those with the highest confidence before first. Columns row, target, before,
    after, confidence_before, confidence_after. Empty, without a note, for tasks other than
    classification with one class per row.
    """
    import pandas as pd

    if not _has_one_class(targets, task):
        return pd.DataFrame(columns=FLIP_COLUMNS), ()
    probabilities_before, probabilities_after = _probabilities(before), _probabilities(after)
    classes_before = probabilities_before.argmax(1)
    classes_after = probabilities_after.argmax(1)
    changed = np.flatnonzero(classes_before != classes_after)
    confidences = probabilities_before[changed, classes_before[changed]]
    rows = changed[np.argsort(-confidences, kind="stable")][:MAX_FLIPS]
    names = dict(enumerate(task.classes))
    table = pd.DataFrame(
        {
            "row": rows,
            "target": [names.get(int(c), str(c)) for c in targets[rows]],
            "before": [names.get(int(c), str(c)) for c in classes_before[rows]],
            "after": [names.get(int(c), str(c)) for c in classes_after[rows]],
            "confidence_before": probabilities_before[rows, classes_before[rows]],
            "confidence_after": probabilities_after[rows, classes_after[rows]],
        },
        columns=FLIP_COLUMNS,
    )
    n_right = int((classes_after[changed] == targets[changed]).sum())
    n_wrong = int((classes_before[changed] == targets[changed]).sum())
    note = (
        f"{len(changed)} of {len(targets)} predictions on valid changed: {n_right} became right, "
        f"{n_wrong} became wrong, {len(changed) - n_right - n_wrong} changed from one wrong class "
        "to another."
    )
    return table, (note,)


def _probabilities(outputs: np.ndarray) -> np.ndarray:
    """Probabilities `(rows, classes)` from logits; one logit a row stands for two classes."""
    logits = np.asarray(outputs, np.float64)
    logits = logits.reshape(len(logits), -1)
    if logits.shape[1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)
