"""The corrected resampled t-test: its level in simulations, and verdicts on the same folds."""

from __future__ import annotations

import json
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest

from workbench.data.folds import fold_indices
from workbench.data.rows import Rows
from workbench.errors import DataError
from workbench.measure.statistics.intervals import student
from workbench.measure.statistics.resampled import (
    FoldScores,
    compare_folds,
    fold_scores,
    resampled,
)
from workbench.metrics import METRICS

ACCURACY = METRICS["accuracy"]
DISTANCE = 0.8  # of each class from 0, in each of two features of variance 1


def _draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows `(n, 2)` of two classes as far apart in either feature."""
    y = np.arange(n) % 2
    return rng.normal(size=(n, 2)) + np.where(y == 1, DISTANCE, -DISTANCE)[:, None], y


def _rule(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
    """The linear rule of nearest means: weights `(features,)` and threshold."""
    means = x[y == 1].mean(0), x[y == 0].mean(0)
    weights = means[0] - means[1]
    return weights, float(weights @ (means[0] + means[1]) / 2)


def _accuracy(x: np.ndarray, y: np.ndarray, rule: tuple[np.ndarray, float]) -> float:
    return float(((x @ rule[0] > rule[1]) == (y == 1)).mean())


def _true_accuracy(n_train: int) -> float:
    """The mean accuracy, by formula, of rules of 4,000 train sets of `n_train` rows."""
    rng = np.random.default_rng(99)
    values = []
    for _ in range(4000):
        weights, threshold = _rule(*_draw(rng, n_train))
        center = DISTANCE * weights.sum()
        norm = float(np.linalg.norm(weights))
        right = [NormalDist().cdf((center - s * threshold) / norm) for s in (1, -1)]
        values.append(sum(right) / 2)
    return float(np.mean(values))


def _cross_validated(x: np.ndarray, y: np.ndarray, repeats: int, seed: int) -> np.ndarray:
    rows = Rows({"x": x}, y)
    folds = fold_indices(rows, "binary", 5, seed=seed, repeats=repeats)
    return np.array([_accuracy(x[held], y[held], _rule(x[rest], y[rest])) for rest, held in folds])


def test_corrected_interval_holds_the_true_mean_in_95_of_100_samples_where_the_usual_fails() -> (
    None
):
    rng = np.random.default_rng(1)
    n, n_draws = 60, 300
    true = _true_accuracy(48)
    n_inside = {"corrected": 0, "usual": 0}
    for draw in range(n_draws):
        values = _cross_validated(*_draw(rng, n), repeats=4, seed=draw)
        intervals = {"corrected": resampled(values, 0.25, n), "usual": student(values)}
        for name, (low, high) in intervals.items():
            n_inside[name] += low <= true <= high
    assert 0.92 <= n_inside["corrected"] / n_draws <= 0.99
    assert n_inside["usual"] / n_draws < 0.85


def test_false_verdicts_on_two_models_that_are_equally_good_are_at_most_7_percent() -> None:
    rng = np.random.default_rng(2)
    decided = 0
    for draw in range(300):
        x, y = _draw(rng, 80)
        before, after = (
            fold_scores(_cross_validated(x[:, [i]], y, 1, draw), ACCURACY, n_rows=80, ratio=0.25)
            for i in (0, 1)
        )
        decided += compare_folds(before, after).decision in ("better", "worse")
    assert decided / 300 <= 0.07


def test_interval_is_the_formula_of_nadeau_and_bengio() -> None:
    values = np.array([0.8, 0.9, 0.85, 0.95, 0.75])
    low, high = resampled(values, 0.25, 100)
    half = 2.7764451 * values.std(ddof=1) * (1 / 5 + 1 / 4) ** 0.5
    assert (low, high) == pytest.approx((0.85 - half, 0.85 + half))


def _scores(*values: float, n_rows: int = 2000, **changes: object) -> FoldScores:
    return replace(fold_scores(values, ACCURACY, n_rows=n_rows, ratio=0.25), **changes)


def test_one_fold_has_no_interval_and_its_bounds_are_null_in_json() -> None:
    scores = _scores(0.9)
    assert (scores.low, scores.high) == (-np.inf, np.inf)
    data = json.loads(json.dumps(scores.to_json()))
    assert data["low"] is None
    assert FoldScores.from_json(data) == scores


def test_perfect_scores_still_have_an_interval_that_stays_a_share() -> None:
    scores = _scores(1.0, 1.0, 1.0, n_rows=100)
    assert scores.low == pytest.approx(1 - 0.0362, abs=0.001)
    assert scores.high == 1.0


def test_bounds_of_a_share_stay_between_0_and_1_and_those_of_an_error_do_not() -> None:
    assert _scores(0.5, 1.0, 0.9).high == 1.0
    errors = fold_scores([0.1, 2.0, 1.0], METRICS["mse"], n_rows=30, ratio=0.5)
    assert errors.low < 0


@pytest.mark.parametrize(
    ("after", "decision"),
    [
        ((0.80, 0.82, 0.84, 0.86), "equivalent"),
        ((0.90, 0.921, 0.939, 0.96), "better"),
        ((0.70, 0.721, 0.739, 0.76), "worse"),
        ((0.95, 0.70, 0.90, 0.80), "undecided"),
    ],
)
def test_verdict_follows_the_differences_fold_by_fold(
    after: tuple[float, ...], decision: str
) -> None:
    verdict = compare_folds(_scores(0.80, 0.82, 0.84, 0.86), _scores(*after))
    assert verdict.decision == decision
    assert decision in verdict.text


def test_same_scores_on_few_rows_are_undecided() -> None:
    few = _scores(0.9, 0.8, 0.9, n_rows=50)
    assert compare_folds(few, few).decision == "undecided"
    assert compare_folds(few, few, margin=0.1).decision == "equivalent"


def test_error_that_falls_is_better() -> None:
    before, after = (
        fold_scores(values, METRICS["mse"], n_rows=500, ratio=0.25)
        for values in ([1.0, 1.1, 0.9], [0.5, 0.61, 0.39])
    )
    assert compare_folds(before, after).decision == "better"
    assert compare_folds(after, before).decision == "worse"


def test_scores_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(DataError, match="accuracy on 3 and accuracy on 2 folds"):
        compare_folds(_scores(0.1, 0.2, 0.3), _scores(0.1, 0.2))
    with pytest.raises(DataError, match="One fold shows no difference"):
        compare_folds(_scores(0.1), _scores(0.2))
    with pytest.raises(DataError, match="`accuracy` must be a finite number on every fold"):
        _scores(0.1, float("nan"))
