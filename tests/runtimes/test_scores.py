"""Scores: probabilities of classes and of labels become what metrics read, from every shape that
estimators give.
"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier

from workbench.metrics import METRICS
from workbench.runtimes.scores import as_scores
from workbench.runtimes.sklearn_runtime import SklearnPredictor


def test_probabilities_of_labels_become_log_odds_one_by_one() -> None:
    p = np.array([[0.9, 0.2, 0.5]])
    assert np.allclose(as_scores(p, "label_probabilities"), np.log(p / (1 - p)))
    assert np.allclose(as_scores(p, "probabilities"), np.log(p))
    assert as_scores(p, "logits") is p


@pytest.mark.parametrize(
    "model",
    [
        OneVsRestClassifier(LogisticRegression(max_iter=2000)),
        MultiOutputClassifier(LogisticRegression(max_iter=2000)),
        RandomForestClassifier(20, random_state=0),
    ],
    ids=["array", "list", "forest"],
)
def test_multilabel_metrics_read_an_estimators_own_predictions(model: object) -> None:
    raw = load_digits()
    labels = (raw.target[:, None] >> np.arange(4)) & 1
    model.fit(raw.data / 16, labels)
    scores = SklearnPredictor(model, outputs="label_probabilities").predict({"x": raw.data / 16})
    assert scores.shape == labels.shape
    assert METRICS["label_accuracy"](scores, labels) == pytest.approx(
        (model.predict(raw.data / 16) == labels).mean(), abs=0.01
    )


def test_plain_predictions_are_given_where_values_are_asked_for() -> None:
    raw = load_digits()
    x = {"x": raw.data}
    regressor, classifier = (
        LinearRegression().fit(raw.data, raw.target),
        RandomForestClassifier(5).fit(raw.data, raw.target),
    )
    for outputs in ("logits", "values"):
        assert np.array_equal(
            SklearnPredictor(regressor, outputs=outputs).predict(x), regressor.predict(raw.data)
        )
    assert np.array_equal(
        SklearnPredictor(classifier, outputs="values").predict(x), classifier.predict(raw.data)
    )
    assert np.array_equal(
        SklearnPredictor(classifier).predict(x).argmax(1), classifier.predict(raw.data)
    )
