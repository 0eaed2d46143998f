"""Evidence of what quantization did: bytes of weights before and after, and the predictions that
changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from workbench.task import Task

__all__ = ["FLIPS", "flips", "weights"]

FLIPS = 50
FLIP_COLUMNS = ["row", "target", "before", "after", "confidence_before", "confidence_after"]


def weights(before: bytes, after: bytes) -> pd.DataFrame:
    """Bytes of constants, of the graph around them, and of the whole file.

    Columns part, before_bytes, after_bytes, share (of before).
    """
    import pandas as pd

    parts = {
        "weights": (_constant_bytes(before), _constant_bytes(after)),
        "file": (len(before), len(after)),
    }
    parts["graph"] = tuple(f - w for f, w in zip(parts["file"], parts["weights"], strict=True))
    table = [
        (part, *parts[part], parts[part][1] / max(parts[part][0], 1))
        for part in ("weights", "graph", "file")
    ]
    return pd.DataFrame(table, columns=["part", "before_bytes", "after_bytes", "share"])


def _constant_bytes(content: bytes) -> int:
    import onnx
    from onnx import helper

    def size(value: onnx.TensorProto) -> int:
        n = int(np.prod(value.dims)) if value.dims else 1
        if value.data_type in (onnx.TensorProto.INT4, onnx.TensorProto.UINT4):
            return (n + 1) // 2
        return n * helper.tensor_dtype_to_np_dtype(value.data_type).itemsize

    graph = onnx.load_from_string(content).graph
    return sum(size(v) for v in graph.initializer if v.data_type != onnx.TensorProto.STRING)


def flips(
    before: np.ndarray, after: np.ndarray, targets: np.ndarray, task: Task
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Predictions that changed, of outputs `(rows, ...)` before and after, and a note that counts
    them.

    At most 50 rows, the surest ones before first, with columns row, target, before, after,
    confidence_before and confidence_after. Empty for tasks without one class a row.
    """
    import pandas as pd

    if task.kind not in ("classification", "binary") or np.ndim(targets) != 1:
        return pd.DataFrame(columns=FLIP_COLUMNS), ()
    p, q = _probabilities(before), _probabilities(after)
    a, b = p.argmax(1), q.argmax(1)
    changed = np.flatnonzero(a != b)
    right, wrong = (
        int((b[changed] == targets[changed]).sum()),
        int((a[changed] == targets[changed]).sum()),
    )
    sure = changed[np.argsort(-p[changed, a[changed]], kind="stable")][:FLIPS]
    names = dict(enumerate(task.classes))
    table = pd.DataFrame(
        {
            "row": sure,
            "target": [names.get(int(t), str(t)) for t in targets[sure]],
            "before": [names.get(int(c), str(c)) for c in a[sure]],
            "after": [names.get(int(c), str(c)) for c in b[sure]],
            "confidence_before": p[sure, a[sure]],
            "confidence_after": q[sure, b[sure]],
        },
        columns=FLIP_COLUMNS,
    )
    note = (
        f"{len(changed)} of {len(targets)} predictions on valid changed: {right} became right, "
        f"{wrong} wrong, {len(changed) - right - wrong} went from one wrong class to another."
    )
    return table, (note,)


def _probabilities(outputs: np.ndarray) -> np.ndarray:
    """Shares of classes `(rows, classes)` from logits; one logit a row stands for two classes."""
    scores = np.asarray(outputs, np.float64)
    scores = scores.reshape(len(scores), -1)
    if scores.shape[1] == 1:
        scores = np.concatenate([np.zeros_like(scores), scores], axis=1)
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)
