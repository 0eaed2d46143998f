"""Intervals of quality keep their level, also near 0 and 1 and for rows that are correlated."""

from __future__ import annotations

import json

import numpy as np
import pytest

from workbench.errors import DataError
from workbench.measure import Quality, quality
from workbench.measure.statistics.intervals import student, tango, wilson
from workbench.metrics import METRICS, Metric, positive_probability

RIGHT = Metric("right", per_sample=lambda outputs, targets: (outputs == targets).astype(float))
ERROR = Metric(
    "error",
    per_sample=lambda outputs, targets: np.abs(outputs - targets),
    higher_is_better=False,
    unit="",
)


@pytest.mark.parametrize(("share", "n"), [(0.9, 100), (0.99, 300), (0.5, 50), (0.999, 1000)])
def test_wilson_covers_the_true_share(share: float, n: int) -> None:
    rng = np.random.default_rng(0)
    bounds = {k: wilson(k, n) for k in range(n + 1)}
    covered = [bounds[k][0] <= share <= bounds[k][1] for k in rng.binomial(n, share, 4000)]
    assert 0.915 <= np.mean(covered) <= 0.995  # it dips to 0.92 where one failure is expected


def test_t_interval_covers_the_true_mean_error() -> None:
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(1500):
        error = quality(rng.exponential(size=200), np.zeros(200), ERROR)
        covered.append(error.low <= 1 <= error.high)
    assert 0.92 <= np.mean(covered) <= 0.97


def test_bootstrap_of_a_whole_set_score_covers_the_truth() -> None:
    rng = np.random.default_rng(0)
    share = Metric("share", whole=lambda outputs, targets: float(np.mean(outputs == targets)))
    covered = []
    for seed in range(300):
        outputs = (rng.random(150) < 0.8).astype(int)
        right = quality(outputs, np.ones(150, int), share, seed=seed)
        covered.append(right.low <= 0.8 <= right.high)
    assert 0.91 <= np.mean(covered) <= 0.98


def _days(rng: np.random.Generator, n_days: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores of 0 and 1 `(rows,)` with good and bad days, and the days; the true share is 0.8."""
    shares = rng.choice([0.6, 1.0], n_days)
    days = np.repeat(np.arange(n_days), rows)
    return (rng.random(n_days * rows) < shares[days]).astype(float), days


def test_block_bootstrap_covers_where_days_differ_and_plain_interval_does_not() -> None:
    rng = np.random.default_rng(0)
    plain = []
    blocked = []
    for seed in range(300):
        right, days = _days(rng, 25, 40)
        for covered, times in ((plain, None), (blocked, days)):
            share = quality(right, np.ones(len(right)), RIGHT, blocks=times, seed=seed)
            covered.append(share.low <= 0.8 <= share.high)
    assert np.mean(plain) < 0.6
    assert 0.9 <= np.mean(blocked) <= 0.985


@pytest.mark.parametrize("name", ["accuracy", "f1"])
def test_block_interval_is_wider_where_rows_of_a_day_are_alike(name: str) -> None:
    right, days = _days(np.random.default_rng(1), 30, 40)
    outputs = np.eye(2)[right.astype(int)]
    targets = np.tile([0, 1], len(right) // 2)
    outputs = np.where(targets[:, None] == 1, outputs, outputs[:, ::-1])
    plain, blocked = (
        quality(outputs, targets, METRICS[name], blocks=times) for times in (None, days)
    )
    assert blocked.high - blocked.low > 2 * (plain.high - plain.low)


@pytest.mark.parametrize("name", ["accuracy", "f1", "label_accuracy"])
@pytest.mark.parametrize("blocks", [False, True])
def test_perfect_score_still_has_an_interval(name: str, blocks: bool) -> None:
    targets = (
        np.tile([[0, 1], [1, 0]], (50, 1)) if name == "label_accuracy" else np.tile([0, 1], 50)
    )
    outputs = 8.0 * targets - 4 if targets.ndim == 2 else 8 * np.eye(2)[targets]
    times = np.arange(100) // 5 if blocks else None
    perfect = quality(outputs, targets, METRICS[name], blocks=times)
    assert perfect.value == perfect.high == 1
    assert perfect.low < 0.97


@pytest.mark.parametrize("n", [100, 1_000])
def test_interval_of_the_calibration_error_holds_its_value_though_resampling_enlarges_it(
    n: int,
) -> None:
    rng = np.random.default_rng(0)
    for seed in range(10):
        logits = rng.normal(0, 2, n)
        targets = (rng.random(n) < positive_probability(logits)).astype(int)
        error = quality(logits, targets, METRICS["calibration_error"], seed=seed)
        assert 0 <= error.low <= error.value <= error.high


def test_brier_score_has_the_interval_of_a_mean() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=400)
    targets = rng.integers(0, 2, 400)
    brier = quality(logits, targets, METRICS["brier"])
    scores = (positive_probability(logits) - targets) ** 2
    assert (brier.low, brier.high) == pytest.approx(student(scores))


def test_interval_is_the_same_for_the_same_seed_and_reads_back_from_json() -> None:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 2, 300)
    outputs = rng.normal(size=300)
    first, second = (
        quality(outputs, targets, METRICS["pr_auc"], seed=3, split="valid") for _ in range(2)
    )
    assert first == second == Quality.from_json(json.loads(json.dumps(first.to_json())))
    assert first != quality(outputs, targets, METRICS["pr_auc"], seed=4, split="valid")
    assert "%" in first.text


def test_tango_agrees_with_published_and_limiting_values() -> None:
    # Airway hyper-responsiveness before and after a transplant, 1 and 7 discordant of 21 (in
    # Fagerland et al., 2014).
    assert tango(1, 7, 21) == pytest.approx((-0.517, -0.026), abs=5e-4)
    low, high = tango(1, 7, 21)
    assert tango(7, 1, 21) == pytest.approx((-high, -low), abs=1e-9)
    z2 = 1.959964**2
    assert tango(0, 0, 100) == pytest.approx((-z2 / (100 + z2), z2 / (100 + z2)), abs=1e-5)


@pytest.mark.parametrize(
    ("outputs", "targets", "times", "words"),
    [
        (np.zeros(3), np.zeros(4), None, "3 outputs for 4 targets"),
        (np.zeros(0), np.zeros(0), None, "no rows"),
        (np.array([0.0, np.nan]), np.zeros(2), None, r"NaN\) on 1 of 2 rows"),
        (np.array([0.0, np.inf]), np.zeros(2), None, "not finite on 1 of 2"),
        (np.zeros(4), np.zeros(4), np.zeros(4), "one block only"),
        (np.zeros(4), np.zeros(4), np.zeros(3), "3 labels for 4 rows"),
    ],
)
def test_rows_that_cannot_be_scored_are_refused(
    outputs: np.ndarray, targets: np.ndarray, times: np.ndarray | None, words: str
) -> None:
    with pytest.raises(DataError, match=words):
        quality(outputs, targets, ERROR, blocks=times)


def test_score_that_no_resample_defines_is_refused_with_a_way_out() -> None:
    targets = np.zeros(60, int)
    targets[0] = 1
    with pytest.raises(DataError, match="give more rows of the rare classes"):
        quality(np.arange(60.0), targets, Metric("never", whole=_never_twice()))


def _never_twice():
    calls = []

    def score(outputs: np.ndarray, targets: np.ndarray) -> float:
        calls.append(1)
        if len(calls) > 1:
            raise ValueError("only one class")
        return 0.5

    return score
