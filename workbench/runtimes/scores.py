"""What a model gives as what metrics read: probabilities become logits or their logarithm,
everything else stays.
"""

from __future__ import annotations

import numpy as np

__all__ = ["as_scores"]

LEAST = 1e-12
MOST = (
    1 - 1e-7
)  # of a single probability: float32 has no number closer to 1 whose logit is finite and exact


def as_scores(outputs: np.ndarray, kind: str) -> np.ndarray:
    """Scores `(rows, ...)` from outputs of a kind: logits, probabilities, label_probabilities or
    values.

    Log-probabilities of classes are logits; one probability a row, or one a label, becomes its
    log-odds.
    """
    if kind not in ("probabilities", "label_probabilities"):
        return outputs
    if kind == "label_probabilities" or outputs.ndim == 1 or outputs.shape[1] == 1:
        p = np.clip(outputs, LEAST, MOST)
        return np.log(p) - np.log1p(-p)
    return np.log(np.clip(outputs, LEAST, 1.0))
