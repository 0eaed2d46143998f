"""Verdicts follow the interval: four decisions, paired rows, Holm's correction, speed by rounds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from workbench.errors import DataError
from workbench.measure import Verdict, compare_many, compare_quality, compare_speed, within
from workbench.measure.statistics.intervals import tango, trimmed
from workbench.metrics import METRICS, Metric

RECORDED = json.loads(Path(__file__).with_name("recorded_aa.json").read_text(encoding="utf-8"))
RIGHT = Metric("accuracy", per_sample=lambda outputs, targets: (outputs == targets).astype(float))
ERROR = Metric(
    "error",
    per_sample=lambda outputs, targets: outputs - targets,
    higher_is_better=False,
    margin=0.1,
    unit="",
)


def pair(
    n: int, gained: int, lost: int, wrong: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outputs before and after, and targets: 1 is right, `gained` and `lost` rows change."""
    before = np.ones(n)
    after = np.ones(n)
    before[:gained] = 0
    after[gained : gained + lost] = 0
    before[n - wrong :] = after[n - wrong :] = 0
    return before, after, np.ones(n)


@pytest.mark.parametrize(
    ("case", "decision", "words"),
    [
        (
            pair(10_000, 20, 25, 500),
            "equivalent",
            "accuracy: equivalent within 0.5 points (-0.05, 95 % interval -0.1",
        ),
        (pair(1_000, 60, 10, 100), "better", "accuracy: better by 5.00 points (95 % interval +3."),
        (pair(1_000, 10, 60, 100), "worse", "accuracy: worse by 5.00 points (95 % interval -6."),
        (
            pair(1_000, 20, 15, 100),
            "undecided",
            "these 1,000 samples could only show differences from 1.7 points on",
        ),
    ],
)
def test_decision_follows_the_interval(
    case: tuple[np.ndarray, ...], decision: str, words: str
) -> None:
    verdict = compare_quality(*case, RIGHT)
    assert verdict.decision == decision
    assert words in verdict.text
    assert verdict.low <= verdict.difference <= verdict.high


def test_proved_difference_inside_the_margin_is_equivalent() -> None:
    verdict = compare_quality(*pair(100_000, 100, 0), RIGHT)
    assert verdict.low > 0
    assert verdict.decision == "equivalent"


def test_lower_is_better_where_the_metric_says_so() -> None:
    rng = np.random.default_rng(0)
    targets = np.zeros(400)
    before = rng.normal(5, 1, 400)
    assert (
        compare_quality(before, before - 0.5 + rng.normal(0, 0.1, 400), targets, ERROR).decision
        == "better"
    )
    worse = compare_quality(before, before + 0.5 + rng.normal(0, 0.1, 400), targets, ERROR)
    assert worse.decision == "worse"
    assert worse.difference > 0
    assert not within(worse, 0.4)
    assert within(worse, 0.6)


def test_pairing_shows_what_separate_intervals_cannot() -> None:
    rng = np.random.default_rng(0)
    before = rng.normal(5, 3, 500)
    verdict = compare_quality(before, before - 0.3 + rng.normal(0, 0.2, 500), np.zeros(500), ERROR)
    assert verdict.decision == "better"
    assert verdict.high - verdict.low < 0.1


@pytest.mark.parametrize("name", ["accuracy", "f1", "log_loss", "mse"])
@pytest.mark.parametrize("blocks", [False, True])
def test_identical_outputs_are_equivalent_but_never_with_certainty(name: str, blocks: bool) -> None:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 2, 2_000)
    outputs = (
        rng.normal(size=2_000)
        if name == "mse"
        else rng.normal(size=(2_000, 2)) + 2 * np.eye(2)[targets]
    )
    verdict = compare_quality(
        outputs, outputs, targets, METRICS[name], blocks=np.arange(2_000) // 50 if blocks else None
    )
    assert verdict.difference == 0
    assert verdict.low < 0 < verdict.high
    if name != "mse":
        assert verdict.decision == "equivalent"


def test_few_identical_rows_do_not_prove_equivalence() -> None:
    assert compare_quality(*pair(200, 0, 0), RIGHT).decision == "undecided"


@pytest.mark.parametrize(
    ("gain", "loss", "n"),
    [(0.002, 0.002, 1000), (0.01, 0.004, 500), (0.05, 0.05, 100), (0.0, 0.003, 1000)],
)
def test_tango_covers_the_true_difference_with_few_discordant_pairs(
    gain: float, loss: float, n: int
) -> None:
    rng = np.random.default_rng(0)
    intervals = {}
    covered = []
    for gained, lost, _ in rng.multinomial(n, [gain, loss, 1 - gain - loss], 3000):
        low, high = intervals.setdefault((gained, lost), tango(gained, lost, n))
        covered.append(low <= gain - loss <= high)
    assert 0.93 <= np.mean(covered) <= 0.998


def test_smallest_is_shown_four_times_in_five() -> None:
    rng = np.random.default_rng(0)
    targets = np.zeros(300)
    smallest = compare_quality(
        rng.normal(size=300), rng.normal(size=300), targets, ERROR, margin=1e-9
    ).smallest
    shown = [
        compare_quality(
            rng.normal(size=300), rng.normal(size=300) - smallest, targets, ERROR, margin=1e-9
        ).decision
        == "better"
        for _ in range(400)
    ]
    assert 0.72 <= np.mean(shown) <= 0.88


def test_blocks_widen_the_interval_of_a_difference_that_comes_by_days() -> None:
    rng = np.random.default_rng(0)
    days = np.repeat(np.arange(20), 50)
    before = rng.normal(5, 1, 1000)
    change = rng.normal(0, 1, 20)[days] + rng.normal(0, 0.1, 1000)
    plain, blocked = (
        compare_quality(before, before + change, np.zeros(1000), ERROR, blocks=t)
        for t in (None, days)
    )
    assert blocked.high - blocked.low > 3 * (plain.high - plain.low)


def test_within_asks_for_the_bound_not_the_estimate() -> None:
    verdict = compare_quality(*pair(2_000, 10, 16, 100), RIGHT)
    assert verdict.difference == pytest.approx(-0.003)
    assert not within(verdict, 0.005)
    assert within(verdict, 0.02)
    slower = compare_speed(np.full(20, 1.0), np.full(20, 1.04))
    assert not within(slower, 0.04)
    assert within(slower, 0.06)


def test_verdict_reads_back_from_json() -> None:
    verdict = compare_quality(*pair(1_000, 60, 10), RIGHT)
    assert Verdict.from_json(json.loads(json.dumps(verdict.to_json()))) == verdict


def _named(name: str, column: int) -> Metric:
    return Metric(
        name, per_sample=lambda outputs, targets: outputs[:, column], unit="", margin=1e-9
    )


def test_holm_gives_the_first_decision_a_stricter_level_and_the_next_an_easier_one() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(400, 3))
    noise -= noise.mean(axis=0)
    change = (
        noise + np.array([5.0, 2.15, 0.5]) * noise.std(axis=0, ddof=1) / 20
    )  # t of 5.0, 2.15 and 0.5
    metrics = [_named(name, i) for i, name in enumerate("abc")]
    first, second, third = compare_many(np.zeros((400, 3)), change, np.zeros(400), metrics)
    assert (
        compare_quality(np.zeros((400, 3)), change, np.zeros(400), metrics[1]).decision == "better"
    )
    assert [v.decision for v in (first, second, third)] == [
        "better",
        "undecided",
        "undecided",
    ]  # p = 0.032 > 0.05 / 2
    assert first.level == pytest.approx(1 - 0.05 / 3)
    assert second.level == third.level == pytest.approx(1 - 0.05 / 2)
    assert "97.5 % interval" in second.text
    shifted = (
        change + np.array([0, 0.15, 0]) * noise.std(axis=0, ddof=1) / 20
    )  # t of 2.30: p = 0.022, past Bonferroni's 0.0167
    again = compare_many(np.zeros((400, 3)), shifted, np.zeros(400), metrics)
    assert [v.decision for v in again] == ["better", "better", "undecided"]
    assert again[2].level == pytest.approx(0.95)


def test_holm_keeps_the_chance_of_any_false_decision() -> None:
    rng = np.random.default_rng(0)
    metrics = [_named(name, i) for i, name in enumerate("abcd")]
    n = 600
    any_holm = any_plain = 0
    for _ in range(n):
        change = rng.normal(size=(60, 4))
        any_holm += any(
            v.decision != "undecided"
            for v in compare_many(np.zeros((60, 4)), change, np.zeros(60), metrics)
        )
        any_plain += any(
            compare_quality(np.zeros((60, 4)), change, np.zeros(60), m).decision != "undecided"
            for m in metrics
        )
    assert any_holm / n <= 0.075
    assert any_plain / n > 0.12


def test_outputs_of_other_rows_are_refused() -> None:
    with pytest.raises(DataError, match="4 outputs"):
        compare_quality(np.zeros(4), np.zeros(5), np.zeros(5), RIGHT)
    with pytest.raises(DataError, match="must match row by row"):
        compare_quality(np.zeros(5), np.zeros(4), np.zeros(5), METRICS["r2"])


# ---- speed ----


def test_speed_says_how_many_times_in_words() -> None:
    rng = np.random.default_rng(0)
    common = np.exp(rng.normal(0, 0.5, 20))  # load that slows both
    before = 2.7 * common
    after = common * np.exp(rng.normal(0, 0.02, 20))
    verdict = compare_speed(before, after, metric="batch-1 latency")
    assert verdict.decision == "better"
    assert verdict.difference == pytest.approx(1 / 2.7, rel=0.02)
    assert verdict.text.startswith("batch-1 latency: better, 2.7")
    assert "times lower (95 % interval 2.6" in verdict.text
    worse = compare_speed(after, before, metric="batch-1 latency")
    assert worse.decision == "worse"
    assert "times higher" in worse.text
    assert "% lower" in compare_speed(before, 0.9 * before).text


def test_wild_rounds_do_not_decide_about_speed() -> None:
    before = np.full(20, 1.0)
    after = before.copy()
    after[[3, 9, 15]] = 40.0
    assert compare_speed(before, after).decision == "equivalent"


def test_noise_wider_than_the_margin_is_undecided() -> None:
    rng = np.random.default_rng(0)
    verdict = compare_speed(np.exp(rng.normal(0, 0.3, 10)), np.exp(rng.normal(0, 0.3, 10)))
    assert verdict.decision == "undecided"
    assert "these 10 rounds could only show differences from" in verdict.text


def test_no_number_of_rounds_claims_more_than_restarts_allow() -> None:
    verdict = compare_speed(np.full(1000, 1.0), np.full(1000, 1.005), margin=0)
    assert verdict.decision == "undecided"
    assert verdict.high - verdict.low > 0.018


@pytest.mark.parametrize(
    ("before", "after"),
    [([1.0] * 5, [1.0] * 4), ([1.0] * 2, [1.0] * 2), ([1.0, 1, 0], [1.0, 1, 1])],
)
def test_blocks_that_do_not_pair_are_refused(before: list[float], after: list[float]) -> None:
    with pytest.raises(DataError):
        compare_speed(before, after)


def test_trimmed_interval_covers_under_heavy_tails() -> None:
    rng = np.random.default_rng(0)
    bounds = [trimmed(rng.standard_t(2, 12))[1:] for _ in range(3000)]
    assert 0.925 <= np.mean([low <= 0 <= high for low, high in bounds]) <= 0.985


def resampled(
    rng: np.random.Generator, condition: str, n_rounds: int, kind: str
) -> tuple[np.ndarray, np.ndarray]:
    """Blocks of a and b from one recorded launch, in runs of 5 rounds.

    The runs keep the effects of other work that lasts for seconds.
    """
    launches = [launch for launch in RECORDED["launches"] if launch["condition"] == condition]
    blocks = launches[rng.integers(len(launches))]["batches"][("1", "64")[rng.integers(2)]][kind]
    starts = rng.integers(0, RECORDED["n_rounds"] - 4, n_rounds // 5)
    chosen = (starts[:, None] + np.arange(5)).ravel()
    return np.array(blocks["a"])[chosen], np.array(blocks["b"])[chosen]


@pytest.mark.parametrize("n_rounds", [10, 20, 40])
@pytest.mark.parametrize("condition", ["as it is", "other work in bursts"])
@pytest.mark.parametrize("margin", [0.03, 0.0])
def test_equal_candidates_are_seldom_called_different(
    condition: str, n_rounds: int, margin: float
) -> None:
    rng = np.random.default_rng(0)
    pairs = [resampled(rng, condition, n_rounds, "block_bests") for _ in range(1000)]
    decisions = [compare_speed(*pair_, margin=margin).decision for pair_ in pairs]
    assert np.mean([d in ("better", "worse") for d in decisions]) <= 0.07
    if margin and condition == "as it is":
        assert np.mean([d == "equivalent" for d in decisions]) > 0.8
