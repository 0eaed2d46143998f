"""Accuracy of the two most likely classes."""

from __future__ import annotations

import numpy as np

from workbench.metrics import Metric

__all__ = ["TOP2_ACCURACY"]


def _is_among_two(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """1 a row where the target is one of the two classes with the largest logits."""
    largest = np.argsort(outputs, axis=1)[:, -2:]
    return (largest == targets.reshape(-1, 1)).any(axis=1).astype(np.float64)


TOP2_ACCURACY = Metric("top2_accuracy", _is_among_two, kinds=("classification",))
