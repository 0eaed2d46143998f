"""scikit-learn: fitted estimators, as they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.runtimes.runtime import Runtime
from workbench.runtimes.scores import as_scores
from workbench.task import Candidate

__all__ = ["SklearnPredictor"]


class SklearnPredictor:
    """A fitted estimator; `outputs` "values" asks for its plain predictions `(batch,)`.

    All others: log-probabilities `(batch, classes)`, of several labels a row log-odds `(batch,
    labels)`, from those that have `predict_proba`.
    """

    runtime = "sklearn"

    def __init__(self, estimator: Any, *, outputs: str = "logits") -> None:
        import sklearn

        self._estimator, self._outputs = estimator, outputs
        self.details: dict[str, Any] = {"version": sklearn.__version__, "outputs": outputs}

    def predict(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        from workbench.models.estimators import as_features

        features = as_features(inputs)
        if self._outputs == "values":
            return np.asarray(self._estimator.predict(features))
        if hasattr(self._estimator, "predict_proba"):
            given = self._estimator.predict_proba(features)
            if isinstance(given, list):  # an array `(batch, 2)` a label
                return as_scores(np.column_stack([p[:, 1] for p in given]), "label_probabilities")
            return as_scores(
                given,
                "label_probabilities"
                if self._outputs == "label_probabilities"
                else "probabilities",
            )
        if hasattr(self._estimator, "decision_function"):
            return np.asarray(self._estimator.decision_function(features))
        return np.asarray(self._estimator.predict(features))

    def close(self) -> None:
        self._estimator = None


def _make(candidate: Candidate, threads: int | None, device: str) -> SklearnPredictor:
    return SklearnPredictor(candidate.model, outputs=candidate.outputs)


RUNTIME = Runtime("sklearn", ("sklearn",), _make, title="scikit-learn", libraries=("sklearn",))
