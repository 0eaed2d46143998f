"""Metrics give scikit-learn's numbers on the outputs of real models, whatever shape these outputs
have.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from sklearn import metrics as reference
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from workbench.errors import UnknownName
from workbench.metrics import BY_KIND, METRICS, Metric, metric_named, predicted, softmax

Outputs = tuple[np.ndarray, np.ndarray]


@cache
def three_classes() -> Outputs:
    """Logits `(178, 3)` that get some wines wrong: two of the thirteen measurements."""
    x, y = load_wine(return_X_y=True)
    model = make_pipeline(StandardScaler(), LogisticRegression())
    return cross_val_predict(model, x[:, 1:3], y, cv=3, method="decision_function"), y


@cache
def two_classes() -> Outputs:
    """One logit a row `(569,)`."""
    x, y = load_breast_cancer(return_X_y=True)
    model = make_pipeline(StandardScaler(), LogisticRegression())
    return cross_val_predict(model, x[:, 1:3], y, cv=3, method="decision_function"), y


@cache
def labels() -> Outputs:
    """Logits of two labels a wine `(178, 2)`: little acid, much alcohol."""
    x, _ = load_wine(return_X_y=True)
    y = np.column_stack([x[:, 1] < 2, x[:, 0] > 13]).astype(np.int64)
    model = MultiOutputClassifier(LogisticRegression(max_iter=2000)).fit(x[:, 3:], y)
    return np.column_stack([one.decision_function(x[:, 3:]) for one in model.estimators_]), y


@cache
def values() -> Outputs:
    x, y = load_diabetes(return_X_y=True)
    return cross_val_predict(LinearRegression(), x, y, cv=3), y


OUTPUTS = {
    "classification": three_classes,
    "binary": two_classes,
    "multilabel": labels,
    "regression": values,
}


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


@pytest.mark.parametrize(
    ("name", "outputs", "wanted"),
    [
        ("accuracy", three_classes, lambda o, t: reference.accuracy_score(t, o.argmax(1))),
        ("log_loss", three_classes, lambda o, t: reference.log_loss(t, softmax(o))),
        ("f1", three_classes, lambda o, t: reference.f1_score(t, o.argmax(1), average="macro")),
        (
            "roc_auc",
            three_classes,
            lambda o, t: reference.roc_auc_score(t, softmax(o), multi_class="ovr"),
        ),
        (
            "pr_auc",
            three_classes,
            lambda o, t: reference.average_precision_score(
                np.eye(3)[t], softmax(o), average="macro"
            ),
        ),
        ("accuracy", two_classes, lambda o, t: reference.accuracy_score(t, o > 0)),
        ("log_loss", two_classes, lambda o, t: reference.log_loss(t, sigmoid(o))),
        ("f1", two_classes, lambda o, t: reference.f1_score(t, o > 0, average="macro")),
        ("roc_auc", two_classes, lambda o, t: reference.roc_auc_score(t, o)),
        ("pr_auc", two_classes, lambda o, t: reference.average_precision_score(t, o)),
        ("label_accuracy", labels, lambda o, t: 1 - reference.hamming_loss(t, o > 0)),
        ("f1", labels, lambda o, t: reference.f1_score(t, o > 0, average="macro")),
        ("roc_auc", labels, lambda o, t: reference.roc_auc_score(t, o, average="macro")),
        ("pr_auc", labels, lambda o, t: reference.average_precision_score(t, o, average="macro")),
        ("mse", values, lambda o, t: reference.mean_squared_error(t, o)),
        ("mae", values, lambda o, t: reference.mean_absolute_error(t, o)),
        ("r2", values, lambda o, t: reference.r2_score(t, o)),
    ],
)
def test_metric_agrees_with_scikit_learn_on_real_outputs(
    name: str, outputs: object, wanted: object
) -> None:
    found, targets = outputs()
    assert metric_named(name)(found, targets) == pytest.approx(wanted(found, targets), rel=1e-6)


@pytest.mark.parametrize("name", BY_KIND["binary"] + ("f1", "roc_auc"))
def test_binary_metrics_are_the_same_for_one_logit_a_column_of_them_and_two(name: str) -> None:
    logit, targets = two_classes()
    wanted = metric_named(name)(logit, targets)
    assert metric_named(name)(logit[:, None], targets) == pytest.approx(wanted)
    assert metric_named(name)(
        np.column_stack([np.zeros_like(logit), logit]), targets
    ) == pytest.approx(wanted)


@pytest.mark.parametrize("name", ["accuracy", "log_loss", "f1", "roc_auc"])
def test_log_probabilities_score_as_the_logits_that_they_came_from(name: str) -> None:
    logits, targets = three_classes()
    assert metric_named(name)(np.log(softmax(logits)), targets) == pytest.approx(
        metric_named(name)(logits, targets)
    )


@pytest.mark.parametrize(
    "metric", [m for m in METRICS.values() if m.per_sample], ids=lambda m: m.name
)
def test_per_sample_scores_are_one_a_row_and_average_to_the_metric(metric: Metric) -> None:
    kind = next(k for k, names in BY_KIND.items() if metric.name in names)
    outputs, targets = OUTPUTS[kind]()
    scores = metric.per_sample(outputs, targets)
    assert scores.shape == (len(targets),)
    assert metric(outputs, targets) == pytest.approx(scores.mean())


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("mse", reference.mean_squared_error),
        ("mae", reference.mean_absolute_error),
        ("r2", reference.r2_score),
    ],
)
def test_regression_metrics_average_over_several_values_a_row(name: str, wanted: object) -> None:
    x, y = load_diabetes(return_X_y=True)
    targets = np.column_stack([y, 100 * x[:, 0]])
    outputs = cross_val_predict(LinearRegression(), x[:, 1:], targets, cv=3)
    assert metric_named(name)(outputs, targets) == pytest.approx(wanted(targets, outputs))


@pytest.mark.parametrize("name", ["mse", "mae", "r2"])
def test_regression_metrics_do_not_mix_a_column_with_a_row(name: str) -> None:
    outputs, targets = values()
    assert metric_named(name)(outputs[:, None], targets) == pytest.approx(
        metric_named(name)(outputs, targets)
    )


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda m: m.name)
def test_higher_is_better_says_where_right_answers_lie(metric: Metric) -> None:
    kind = next(
        (k for k, names in BY_KIND.items() if metric.name in names),
        "regression" if metric.name == "r2" else "binary",
    )
    outputs, targets = OUTPUTS[kind]()
    perfect = {
        "classification": lambda: 10.0 * np.eye(3)[targets],
        "binary": lambda: 20.0 * targets - 10,
        "multilabel": lambda: 20.0 * targets - 10,
        "regression": lambda: targets,
    }[kind]()
    better, worse = metric(perfect, targets), metric(outputs, targets)
    assert better > worse if metric.higher_is_better else better < worse


def test_softmax_and_log_loss_stay_finite_for_huge_logits() -> None:
    logits, targets = np.array([[1e4, -1e4], [-1e4, 1e4]]), np.array([0, 0])
    assert np.allclose(softmax(logits), [[1, 0], [0, 1]])
    assert metric_named("log_loss")(logits, targets) == pytest.approx(-np.log(1e-12) / 2)
    assert np.isfinite(metric_named("log_loss")(np.array([1e4, -1e4]), targets))


def test_predicted_takes_the_sign_of_one_logit_and_the_largest_of_several() -> None:
    assert predicted(np.array([-1.0, 2.0])).tolist() == [0, 1]
    assert predicted(np.array([[-1.0], [2.0]])).tolist() == [0, 1]
    assert predicted(np.array([[0.1, 0.3, 0.2]])).tolist() == [1]


def test_metric_named_lists_the_valid_ones_when_unknown() -> None:
    with pytest.raises(UnknownName, match=r"Unknown metric `acc`\. .*`accuracy`.*`roc_auc`"):
        metric_named("acc")


def test_shown_gives_percent_for_shares_and_digits_for_the_rest() -> None:
    assert metric_named("accuracy").shown(0.925) == "92.50 %"
    assert metric_named("mse").shown(0.123456) == "0.1235"
