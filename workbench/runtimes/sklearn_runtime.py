"""scikit-learn: fitted estimators, as they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.runtimes.scores import as_scores

__all__ = ["SklearnPredictor"]


class SklearnPredictor:
    """A fitted estimator; classifiers give log-probabilities `(batch, classes)`, regressors values `(batch,)`."""

    runtime = "sklearn"

    def __init__(self, estimator: Any, *, outputs: str = "logits") -> None:
        import sklearn

        self._estimator = estimator
        self.details: dict[str, Any] = {"version": sklearn.__version__, "outputs": outputs}

    def predict(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        from workbench.models.estimators import as_features

        features = as_features(inputs)
        if hasattr(self._estimator, "predict_proba"):
            return as_scores(self._estimator.predict_proba(features), "probabilities")
        if hasattr(self._estimator, "decision_function"):
            return np.asarray(self._estimator.decision_function(features))
        return np.asarray(self._estimator.predict(features))

    def close(self) -> None:
        self._estimator = None
