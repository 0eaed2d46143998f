"""The runtime of `LinearModel`: one product of matrices in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from wb_example.model import LinearModel
from workbench.runtimes import Runtime
from workbench.task import Candidate

__all__ = ["RUNTIME", "NumpyPredictor"]


class NumpyPredictor:
    """A linear model, ready to run."""

    runtime = "numpy_matmul"

    def __init__(self, model: LinearModel) -> None:
        self._model: LinearModel | None = model
        self.details: dict[str, Any] = {"version": np.__version__}

    def predict(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        if self._model is None:
            raise RuntimeError("This predictor is closed: make another one.")
        x = np.concatenate([a.reshape(len(a), -1) for a in inputs.values()], axis=1)
        return self._model.logits(x)

    def close(self) -> None:
        self._model = None


def _make(candidate: Candidate, threads: int | None, device: str) -> NumpyPredictor:
    return NumpyPredictor(candidate.model)


RUNTIME = Runtime("numpy_matmul", ("numpy_linear",), _make, title="NumPy", libraries=("numpy",))
