"""LinearModel, a linear classifier that needs nothing but NumPy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["LinearModel"]


@dataclass(eq=False)
class LinearModel:
    """Logits `(rows, classes)` of rows `(rows, features)`; weights of zero are untrained."""

    weight: np.ndarray
    bias: np.ndarray

    @classmethod
    def untrained(cls, n_features: int, n_classes: int) -> LinearModel:
        """A model of this size with weights of zero."""
        return cls(np.zeros((n_features, n_classes)), np.zeros(n_classes))

    def logits(self, x: np.ndarray) -> np.ndarray:
        return x.astype(np.float64) @ self.weight + self.bias

    def trained(self, x: np.ndarray, targets: np.ndarray, *, ridge: float = 1.0) -> LinearModel:
        """A model of least squares on one-hot targets, with a penalty on the weights."""
        wanted = 8 * np.eye(self.weight.shape[1])[targets] - 4
        x = x.astype(np.float64)
        mean = x.mean(axis=0)
        centred = x - mean
        penalty = ridge * np.eye(x.shape[1])
        weight = np.linalg.solve(
            centred.T @ centred + penalty, centred.T @ (wanted - wanted.mean(axis=0))
        )
        return LinearModel(weight, wanted.mean(axis=0) - mean @ weight)
