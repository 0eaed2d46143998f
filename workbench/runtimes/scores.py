"""Outputs of a model as scores for metrics: probabilities become log-odds or their logarithm."""

from __future__ import annotations

import numpy as np

__all__ = ["as_scores"]

LEAST = 1e-12
# Of a single probability: float32 has no number closer to 1 whose logit is finite and exact.
MOST = 1 - 1e-7


def as_scores(outputs: np.ndarray, kind: str) -> np.ndarray:
    """Scores `(rows, ...)` from outputs of a kind.

    The kind is `logits`, `probabilities`, `label_probabilities` or `values`. Probabilities of
    classes become log-probabilities, which are logits too. One probability a row, or one a label,
    becomes its log-odds. Logits and values stay.
    """
    if kind not in ("probabilities", "label_probabilities"):
        return outputs
    if kind == "label_probabilities" or outputs.ndim == 1 or outputs.shape[1] == 1:
        p = np.clip(outputs, LEAST, MOST)
        return np.log(p) - np.log1p(-p)
    return np.log(np.clip(outputs, LEAST, 1.0))
