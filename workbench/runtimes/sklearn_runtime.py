"""scikit-learn: fitted estimators, as they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.runtimes.runtime import Runtime
from workbench.runtimes.scores import as_scores
from workbench.task import Candidate

__all__ = ["SklearnPredictor"]


class SklearnPredictor:
    """A fitted estimator; with `outputs="values"` it gives its plain predictions `(batch,)`.

    Else it gives log-probabilities `(batch, classes)`, or log-odds `(batch, labels)` for several
    labels a row. An estimator without `predict_proba` gives its `decision_function`, or its
    predictions.
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
            shares = self._estimator.predict_proba(features)
            if isinstance(shares, list):  # an array `(batch, 2)` a label
                return as_scores(np.column_stack([p[:, 1] for p in shares]), "label_probabilities")
            of_labels = self._outputs == "label_probabilities"
            return as_scores(shares, "label_probabilities" if of_labels else "probabilities")
        if hasattr(self._estimator, "decision_function"):
            return np.asarray(self._estimator.decision_function(features))
        return np.asarray(self._estimator.predict(features))

    def close(self) -> None:
        self._estimator = None


def _make(candidate: Candidate, threads: int | None, device: str) -> SklearnPredictor:
    return SklearnPredictor(candidate.model, outputs=candidate.outputs)


RUNTIME = Runtime("sklearn", ("sklearn",), _make, title="scikit-learn", libraries=("sklearn",))
