"""Metrics agree with scikit-learn on the outputs of real models, whatever their shape."""

from __future__ import annotations

import pickle
from functools import cache
from importlib.metadata import EntryPoint

import numpy as np
import pytest
from sklearn import metrics as reference
from sklearn.calibration import calibration_curve
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from workbench import metrics
from workbench.errors import DataError, TaskError, UnknownName
from workbench.measure.statistics.quality import quality
from workbench.metrics import (
    BY_KIND,
    METRICS,
    Metric,
    check_kind,
    metric_named,
    positive_logit,
    positive_probability,
    predicted,
    softmax,
)
from workbench.system import registry
from workbench.system.registry import Registry

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


def reference_calibration_error(right: np.ndarray, confidence: np.ndarray) -> float:
    """scikit-learn's reliability curve, its gaps weighted by the rows of each bin."""
    accuracies, confidences = calibration_curve(right, confidence, n_bins=15)
    edges = np.linspace(0, 1, 16)
    n_rows, _ = np.histogram(-confidence, bins=np.sort(-edges))  # bins (low, high], like the curve
    n_rows = n_rows[::-1][n_rows[::-1] > 0]
    return float(np.average(np.abs(accuracies - confidences), weights=n_rows))


@pytest.mark.parametrize(
    ("name", "outputs", "expected"),
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
        (
            "balanced_accuracy",
            three_classes,
            lambda o, t: reference.balanced_accuracy_score(t, o.argmax(1)),
        ),
        (
            "precision",
            three_classes,
            lambda o, t: reference.precision_score(t, o.argmax(1), average="macro"),
        ),
        (
            "recall",
            three_classes,
            lambda o, t: reference.recall_score(t, o.argmax(1), average="macro"),
        ),
        ("brier", three_classes, lambda o, t: reference.brier_score_loss(t, softmax(o))),
        (
            "calibration_error",
            three_classes,
            lambda o, t: reference_calibration_error(o.argmax(1) == t, softmax(o).max(1)),
        ),
        (
            "balanced_accuracy",
            two_classes,
            lambda o, t: reference.balanced_accuracy_score(t, o > 0),
        ),
        ("precision", two_classes, lambda o, t: reference.precision_score(t, o > 0)),
        ("recall", two_classes, lambda o, t: reference.recall_score(t, o > 0)),
        ("brier", two_classes, lambda o, t: reference.brier_score_loss(t, sigmoid(o))),
        (
            "calibration_error",
            two_classes,
            lambda o, t: reference_calibration_error((o > 0) == t, sigmoid(np.abs(o))),
        ),
        ("precision", labels, lambda o, t: reference.precision_score(t, o > 0, average="macro")),
        ("recall", labels, lambda o, t: reference.recall_score(t, o > 0, average="macro")),
        ("mse", values, lambda o, t: reference.mean_squared_error(t, o)),
        ("mae", values, lambda o, t: reference.mean_absolute_error(t, o)),
        ("r2", values, lambda o, t: reference.r2_score(t, o)),
    ],
)
def test_metric_agrees_with_scikit_learn_on_real_outputs(
    name: str, outputs: object, expected: object
) -> None:
    scores, targets = outputs()
    value = metric_named(name)(scores, targets)
    assert value == pytest.approx(expected(scores, targets), rel=1e-6)


@pytest.mark.parametrize("name", [m.name for m in METRICS.values() if m.fits("binary")])
def test_binary_metrics_are_the_same_for_one_logit_a_column_of_them_and_two(name: str) -> None:
    logit, targets = two_classes()
    two_logits = np.column_stack([np.full_like(logit, 0.5), logit + 0.5])
    metric = metric_named(name)
    assert metric(logit[:, None], targets) == pytest.approx(metric(logit, targets))
    assert metric(two_logits, targets) == pytest.approx(metric(logit, targets))


BINARY_EDGES = {
    "no positive predicted": (np.array([-1.0, -2.0, -0.5, -3.0]), np.array([0, 1, 1, 0])),
    "no positive target": (np.array([1.0, -2.0, 0.5, -3.0]), np.array([0, 0, 0, 0])),
    "one class, all right": (np.array([-1.0, -2.0]), np.array([0, 0])),
    "all positive": (np.array([1.0, 2.0]), np.array([1, 1])),
    "probabilities 0 and 1": (np.array([1e4, -1e4, 1e4, -np.inf]), np.array([1, 0, 0, 1])),
}


@pytest.mark.parametrize("case", BINARY_EDGES)
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.filterwarnings("ignore:A single label was found")
def test_binary_metrics_agree_with_scikit_learn_at_the_edges(case: str) -> None:
    logits, targets = BINARY_EDGES[case]
    chosen = (logits > 0).astype(int)
    probability = positive_probability(logits)
    expected = {
        "precision": reference.precision_score(targets, chosen, zero_division=0),
        "recall": reference.recall_score(targets, chosen, zero_division=0),
        "f1": reference.f1_score(targets, chosen, average="macro", zero_division=0),
        "balanced_accuracy": reference.balanced_accuracy_score(targets, chosen),
        "brier": reference.brier_score_loss(targets, probability, labels=[0, 1]),
        "calibration_error": reference_calibration_error(
            chosen == targets, np.maximum(probability, 1 - probability)
        ),
    }
    for outputs in (logits, logits[:, None], np.column_stack([np.zeros(len(logits)), logits])):
        for name, value in expected.items():
            assert metric_named(name)(outputs, targets) == pytest.approx(value, abs=1e-12), name


CLASS_EDGES = {
    "a class without predictions": (4 * np.eye(3)[[0, 0, 1, 1]], np.array([0, 1, 1, 2])),
    "a class without targets": (4 * np.eye(3)[[0, 2, 1, 1]], np.array([0, 0, 1, 1])),
    "a class without either": (4 * np.eye(4)[[0, 2, 2, 0]], np.array([0, 0, 2, 2])),
    "one class only": (4 * np.eye(3)[[1, 1, 1]], np.array([1, 1, 1])),
    "probabilities 0 and 1": (1e4 * np.eye(3)[[0, 1, 2, 0]], np.array([0, 1, 1, 2])),
    "log-probability of 0": (
        np.array(
            [[0, -np.inf, -np.inf], [-np.inf, 0, -np.inf], [-np.inf, -1, np.log(1 - 1 / np.e)]]
        ),
        np.array([0, 1, 1]),
    ),
}


@pytest.mark.parametrize("case", CLASS_EDGES)
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.filterwarnings("ignore:A single label was found")
def test_class_metrics_agree_with_scikit_learn_at_the_edges(case: str) -> None:
    logits, targets = CLASS_EDGES[case]
    chosen = logits.argmax(axis=1)
    probabilities = softmax(logits)
    macro = {"average": "macro", "zero_division": 0}
    expected = {
        "precision": reference.precision_score(targets, chosen, **macro),
        "recall": reference.recall_score(targets, chosen, **macro),
        "f1": reference.f1_score(targets, chosen, **macro),
        "balanced_accuracy": reference.balanced_accuracy_score(targets, chosen),
        "brier": reference.brier_score_loss(targets, probabilities, labels=range(logits.shape[1])),
        "calibration_error": reference_calibration_error(
            chosen == targets, probabilities.max(axis=1)
        ),
    }
    for name, value in expected.items():
        assert metric_named(name)(logits, targets) == pytest.approx(value, abs=1e-12), name


@pytest.mark.parametrize("name", ["precision", "recall", "f1"])
def test_label_without_predictions_or_targets_counts_as_in_scikit_learn(name: str) -> None:
    logits = np.array([[1.0, -1.0, -1.0], [2.0, -2.0, -1.0], [-1.0, -1.0, -1.0]])
    targets = np.array([[1, 1, 0], [0, 0, 0], [1, 0, 0]])
    score = getattr(reference, f"{name}_score")
    expected = score(targets, logits > 0, average="macro", zero_division=0)
    assert metric_named(name)(logits, targets) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["precision", "recall", "balanced_accuracy", "brier"])
def test_column_of_targets_scores_as_a_row_of_them(name: str) -> None:
    logit, targets = two_classes()
    metric = metric_named(name)
    assert metric(logit[:, None], targets[:, None]) == pytest.approx(metric(logit, targets))


def test_bins_of_the_calibration_error_hold_their_upper_bound() -> None:
    confidence = np.array([0.6, 0.6, 2 / 3, 0.8, 0.8 + 1e-9])
    logits = np.log(confidence) - np.log1p(-confidence)
    right = np.array([1, 0, 1, 1, 0])
    expected = reference_calibration_error(right, positive_probability(logits))
    assert metric_named("calibration_error")(logits, right) == pytest.approx(expected)


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
    outputs, targets = OUTPUTS[metric.kinds[0]]()
    scores = metric.per_sample(outputs, targets)
    assert scores.shape == (len(targets),)
    assert metric(outputs, targets) == pytest.approx(scores.mean())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mse", reference.mean_squared_error),
        ("mae", reference.mean_absolute_error),
        ("r2", reference.r2_score),
    ],
)
def test_regression_metrics_average_over_several_values_a_row(name: str, expected: object) -> None:
    x, y = load_diabetes(return_X_y=True)
    targets = np.column_stack([y, 100 * x[:, 0]])
    outputs = cross_val_predict(LinearRegression(), x[:, 1:], targets, cv=3)
    assert metric_named(name)(outputs, targets) == pytest.approx(expected(targets, outputs))


@pytest.mark.parametrize("name", ["mse", "mae", "r2"])
def test_regression_metrics_do_not_mix_a_column_with_a_row(name: str) -> None:
    outputs, targets = values()
    assert metric_named(name)(outputs[:, None], targets) == pytest.approx(
        metric_named(name)(outputs, targets)
    )


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda m: m.name)
def test_higher_is_better_says_where_right_answers_lie(metric: Metric) -> None:
    kind = metric.kinds[0]
    outputs, targets = OUTPUTS[kind]()
    perfect = {
        "classification": lambda: 10.0 * np.eye(3)[targets],
        "binary": lambda: 20.0 * targets - 10,
        "multilabel": lambda: 20.0 * targets - 10,
        "regression": lambda: targets,
    }[kind]()
    if "_at_" in metric.name:
        outputs = outputs[::-1]  # the top rows of the model are right: give rows others' outputs
    better = metric(perfect, targets)
    worse = metric(outputs, targets)
    assert better > worse if metric.higher_is_better else better < worse
    assert metric.sign * better > metric.sign * worse


def test_softmax_and_log_loss_stay_finite_for_huge_logits() -> None:
    logits = np.array([[1e4, -1e4], [-1e4, 1e4]])
    targets = np.array([0, 0])
    assert np.allclose(softmax(logits), [[1, 0], [0, 1]])
    assert metric_named("log_loss")(logits, targets) == pytest.approx(-np.log(1e-12) / 2)
    assert np.isfinite(metric_named("log_loss")(np.array([1e4, -1e4]), targets))


def test_predicted_takes_the_sign_of_one_logit_and_the_largest_of_several() -> None:
    assert predicted(np.array([-1.0, 2.0])).tolist() == [0, 1]
    assert predicted(np.array([[-1.0], [2.0]])).tolist() == [0, 1]
    assert predicted(np.array([[0.1, 0.3, 0.2]])).tolist() == [1]


def test_positive_logit_and_probability_are_the_same_for_one_output_and_two() -> None:
    logit = np.array([-800.0, -1.5, 0.0, 3.0, 800.0], np.float32)
    two_logits = np.column_stack([np.full_like(logit, 2.0), logit + 2])
    probability = positive_probability(logit)
    assert np.array_equal(positive_logit(logit[:, None]), logit)
    assert np.allclose(positive_logit(two_logits), logit)
    assert np.allclose(positive_probability(two_logits), probability)
    assert np.allclose(probability, [0, 0.182426, 0.5, 0.952574, 1], atol=1e-6)
    assert np.isfinite(probability).all()


@pytest.mark.parametrize("function", [positive_logit, positive_probability])
def test_three_columns_are_refused_as_outputs_of_a_binary_classifier(function: object) -> None:
    with pytest.raises(TaskError, match=r"must be `\(rows,\)`, .* or `\(rows, 2\)`, got \(4, 3\)"):
        function(np.zeros((4, 3)))


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda m: m.name)
@pytest.mark.parametrize("kind", OUTPUTS)
def test_check_kind_takes_the_metrics_that_can_score_the_kind(metric: Metric, kind: str) -> None:
    if metric.fits(kind):
        check_kind(metric, kind)
        assert np.isfinite(metric(*OUTPUTS[kind]()))
    else:
        with pytest.raises(TaskError, match=f"`{metric.name}` is for tasks of kind .*{kind}"):
            check_kind(metric, kind)


@pytest.mark.parametrize(("kind", "names"), BY_KIND.items())
def test_check_kind_names_the_metrics_that_fit(kind: str, names: tuple[str, ...]) -> None:
    wrong = "accuracy" if kind == "regression" else "mse"
    if kind == "multilabel":
        wrong = "brier"
    with pytest.raises(TaskError) as caught:
        check_kind(METRICS[wrong], kind)
    _, fitting = str(caught.value).split("Use one of")
    assert all(f"`{name}`" in fitting for name in names)
    assert f"`{wrong}`" not in fitting


@pytest.mark.parametrize("kind", [*OUTPUTS, "custom"])
def test_metric_without_kinds_fits_every_kind_and_a_custom_task_takes_every_metric(
    kind: str,
) -> None:
    check_kind(Metric("own", whole=lambda outputs, targets: 0.0), kind)
    check_kind(METRICS["mse"], "custom")


def test_metric_pickled_before_it_had_kinds_fits_every_kind() -> None:
    old = Metric("own", whole=lambda outputs, targets: 0.0, higher_is_better=False)
    del old.__dict__["kinds"]
    assert old.fits("regression")
    assert old.sign == -1.0


def test_auc_is_roc_auc() -> None:
    assert metric_named("auc") is METRICS["roc_auc"]


def test_metric_of_another_package_is_found_by_its_entry_point(monkeypatch) -> None:
    entry = EntryPoint("kappa", "tests.test_metrics:KAPPA", "workbench.metrics")
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry])
    fresh = Registry("workbench.metrics", "metric", lambda: Metric, lambda: METRICS)
    monkeypatch.setattr(metrics, "METRIC_REGISTRY", fresh)
    assert metric_named("kappa") == KAPPA
    assert metric_named("accuracy") is METRICS["accuracy"]
    with pytest.raises(UnknownName, match="Did you mean `kappa`"):
        metric_named("kapa")


RANKED_LOGITS = np.array([4.0, 3.0, 2.0, 1.0, 0.0, -1.0, -2.0, -3.0, -4.0, -5.0])
RANKED_TARGETS = np.array([1, 0, 1, 1, 0, 0, 0, 1, 0, 0])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("precision_at_10", 1.0),
        ("precision_at_20", 1 / 2),
        ("precision_at_40", 3 / 4),
        ("precision_at_100", 4 / 10),
        ("recall_at_10", 1 / 4),
        ("recall_at_40", 3 / 4),
        ("recall_at_100", 1.0),
        ("lift_at_10", 2.5),
        ("lift_at_20", 1.25),
        ("lift_at_100", 1.0),
        ("precision_at_1", 1.0),  # one row at least
        ("precision_at_24", 1 / 2),  # 2.4 rows are 2
        ("precision_at_25", 2 / 3),  # 2.5 rows are 3
    ],
)
def test_scores_of_the_top_rows_are_those_computed_by_hand(name: str, expected: float) -> None:
    assert metric_named(name)(RANKED_LOGITS, RANKED_TARGETS) == pytest.approx(expected)


@pytest.mark.parametrize("percentage", [1, 10, 30, 50, 90, 100])
@pytest.mark.parametrize("decimals", [0, 1])
def test_tied_rows_count_as_the_average_over_their_orders(percentage: int, decimals: int) -> None:
    logits, targets = two_classes()
    logits, targets = logits[:200].round(decimals), targets[:200]
    n_top = max(1, round(200 * percentage / 100))
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(2000):
        order = rng.permutation(200)
        ranked = order[np.argsort(-logits[order], kind="stable")]
        shares.append(targets[ranked[:n_top]].mean())
    value = metric_named(f"precision_at_{percentage}")(logits, targets)
    assert value == pytest.approx(np.mean(shares), abs=4 * np.std(shares) / 2000**0.5 + 1e-12)


def test_constant_outputs_have_a_lift_of_one_whatever_the_order_of_the_rows() -> None:
    for targets in (RANKED_TARGETS, np.sort(RANKED_TARGETS), np.sort(RANKED_TARGETS)[::-1]):
        assert metric_named("lift_at_30")(np.zeros(10), targets) == pytest.approx(1.0)
        assert metric_named("recall_at_30")(np.zeros(10), targets) == pytest.approx(0.3)


def test_rows_that_rank_first_are_told_apart_where_their_probabilities_are_1() -> None:
    logits = np.array([100.0, 200.0, -5.0, -6.0])
    assert metric_named("precision_at_25")(logits, np.array([0, 1, 0, 0])) == 1.0


def test_targets_without_a_positive_have_no_lift_and_a_recall_of_0() -> None:
    targets = np.zeros(10, dtype=np.int64)
    assert metric_named("recall_at_20")(RANKED_LOGITS, targets) == 0.0
    assert metric_named("precision_at_20")(RANKED_LOGITS, targets) == 0.0
    with pytest.raises(DataError, match=r"`lift_at_20` divides .* none of the 10 targets"):
        metric_named("lift_at_20")(RANKED_LOGITS, targets)


@pytest.mark.parametrize("name", ["precision_at_7", "recall_at_7", "lift_at_7"])
def test_top_rows_of_any_percentage_have_an_interval_and_travel_as_pickles(name: str) -> None:
    metric = metric_named(name)
    assert metric is metric_named(name)
    assert metric.name == name
    assert metric.unit == ("" if name.startswith("lift") else "points")
    logits, targets = two_classes()
    measured = quality(logits, targets, metric)
    assert measured.low <= measured.value <= measured.high
    assert measured.low < measured.high
    same = pickle.loads(pickle.dumps(metric))
    assert same(logits, targets) == measured.value


@pytest.mark.parametrize("wrong", ["0", "101", "1000", "05", "-5", "2.5", "ten", ""])
@pytest.mark.parametrize("score", ["precision", "recall", "lift"])
def test_percentage_outside_its_range_is_refused_with_an_example(score: str, wrong: str) -> None:
    expected = rf"whole percentage of the rows from 1 to 100, got `{wrong}`.*`{score}_at_10` scores"
    with pytest.raises(UnknownName, match=expected):
        metric_named(f"{score}_at_{wrong}")


@pytest.mark.parametrize("kind", ["classification", "multilabel", "regression"])
def test_scores_of_the_top_rows_are_for_binary_tasks_only(kind: str) -> None:
    with pytest.raises(TaskError, match=f"`lift_at_5` is for tasks of kind binary, .*{kind}"):
        check_kind(metric_named("lift_at_5"), kind)


def test_registry_lists_the_forms_of_10_percent() -> None:
    listed = {name for name in metrics.METRIC_REGISTRY if "_at_" in name}
    assert listed == {"precision_at_10", "recall_at_10", "lift_at_10"}
    with pytest.raises(UnknownName, match=r"`..._at_10` may be any whole percentage from 1 to 100"):
        metric_named("lift_at")


KAPPA = Metric("kappa", whole=reference.cohen_kappa_score)


def test_metric_named_lists_the_valid_ones_when_unknown() -> None:
    with pytest.raises(UnknownName, match=r"Unknown metric `acc`\. .*`accuracy`.*`roc_auc`"):
        metric_named("acc")


def test_shown_gives_percent_for_shares_and_digits_for_the_rest() -> None:
    assert metric_named("accuracy").shown(0.925) == "92.50 %"
    assert metric_named("mse").shown(0.123456) == "0.1235"


@pytest.mark.parametrize("decimals", [1, 2, 12])
def test_area_under_precision_and_recall_is_that_of_scikit_learn(decimals):
    from sklearn.metrics import average_precision_score

    rng = np.random.default_rng(decimals)
    for n in (1, 2, 7, 50, 400):
        targets = rng.integers(0, 2, n)
        targets[0] = 1
        logits = np.round(rng.normal(size=n) + targets, decimals)  # many ties with few decimals
        expected = average_precision_score(targets, positive_probability(logits))
        assert METRICS["pr_auc"](logits, targets) == pytest.approx(expected, abs=1e-12)
    assert METRICS["pr_auc"](np.zeros(3), np.zeros(3, int)) == 0.0


@pytest.mark.parametrize("name", ["pr_auc", "roc_auc"])
@pytest.mark.parametrize("decimals", [0, 1, 12])  # many ties with few decimals
def test_a_score_of_resampled_rows_is_that_of_these_rows(name, decimals):
    rng = np.random.default_rng(decimals)
    for shape in ((60,), (60, 1), (60, 2)):
        targets = rng.integers(0, 2, 60)
        outputs = np.round(rng.normal(size=shape), decimals)
        of_rows = METRICS[name].resampled(outputs, targets)
        for _ in range(20):
            rows = rng.integers(0, 60, 60)
            expected = METRICS[name](outputs[rows], targets[rows])
            assert of_rows(rows) == pytest.approx(expected, abs=1e-12)
        assert of_rows(rng.permutation(60)[:7]) is not None  # fewer rows, as of some blocks


def test_a_resample_of_one_class_has_no_roc_auc_and_a_precision_of_zero():
    targets, outputs = np.array([0, 0, 1]), np.array([0.1, 0.2, 0.3])
    alone = np.array([0, 1, 1])
    assert np.isnan(METRICS["roc_auc"].resampled(outputs, targets)(alone))
    assert METRICS["pr_auc"].resampled(outputs, targets)(alone) == 0.0


@pytest.mark.parametrize("kind", ["three classes", "labels"])
@pytest.mark.parametrize("decimals", [0, 12])
def test_a_score_of_resampled_rows_is_the_mean_over_classes_or_labels(kind, decimals):
    rng = np.random.default_rng(0)
    outputs = np.round(rng.normal(size=(90, 3)), decimals)
    one_class_a_row = kind == "three classes"
    targets = rng.integers(0, 3, 90) if one_class_a_row else rng.integers(0, 2, (90, 3))
    for name in ("pr_auc", "roc_auc"):
        of_rows = METRICS[name].resampled(outputs, targets)
        for _ in range(5):
            rows = rng.integers(0, 90, 90)
            expected = METRICS[name](outputs[rows], targets[rows])
            assert of_rows(rows) == pytest.approx(expected, abs=1e-12)


def test_a_metric_without_a_faster_way_is_asked_about_the_rows():
    outputs, targets, rows = np.array([1.0, -1.0, 1.0]), np.array([1, 1, 0]), np.array([0, 0, 1])
    of_rows = METRICS["recall"].resampled(outputs, targets)
    assert of_rows(rows) == METRICS["recall"](outputs[rows], targets[rows]) == 2 / 3
