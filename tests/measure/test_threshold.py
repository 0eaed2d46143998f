"""Decision thresholds: those computed by hand, cross-fitted costs, and refusals in words."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix, make_scorer, precision_score, recall_score
from sklearn.model_selection import TunedThresholdClassifierCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from workbench.errors import DataError, SettingsError, TaskError
from workbench.measure.decision_costs import Costs
from workbench.measure.threshold import Threshold, decision_threshold
from workbench.metrics import positive_probability


def calibrated(n: int = 6000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose probabilities are those that the targets are drawn with."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(-1.0, 2.0, n)
    return logits, (rng.random(n) < positive_probability(logits)).astype(np.int64)


def logits_of(*probabilities: float) -> np.ndarray:
    p = np.array(probabilities)
    return np.log(p) - np.log1p(-p)


@pytest.mark.parametrize(
    ("false_positive", "false_negative", "expected"),
    [(1, 1, 0.5), (1, 9, 0.1), (9, 1, 0.9), (3, 1, 0.75)],
)
def test_threshold_of_calibrated_probabilities_is_that_of_the_costs(
    false_positive: float, false_negative: float, expected: float
) -> None:
    chosen = decision_threshold(
        *calibrated(), cost_false_positive=false_positive, cost_false_negative=false_negative
    )
    assert chosen.calibrated_threshold == pytest.approx(expected)
    assert chosen.threshold == pytest.approx(expected, abs=0.06)


def test_only_the_ratio_of_what_mistakes_cost_decides() -> None:
    data = calibrated(1000)
    one = decision_threshold(*data, cost_false_negative=4)
    tenfold = decision_threshold(*data, cost_false_positive=10, cost_false_negative=40)
    gains = decision_threshold(
        *data, cost_false_positive=0.5, gain_true_negative=0.5, gain_true_positive=3
    )
    assert one.threshold == tenfold.threshold == gains.threshold
    assert tenfold.cost.value == pytest.approx(10 * one.cost.value)
    n_positive = data[1].sum()
    gained = (3 * n_positive + 0.5 * (1000 - n_positive)) / 1000
    assert gains.cost.value == pytest.approx(one.cost.value - gained)


def test_table_holds_costs_and_shares_computed_by_hand() -> None:
    outputs = logits_of(0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9)
    targets = np.array([0, 0, 1, 0, 1, 0, 1, 1])
    chosen = decision_threshold(outputs, targets, cost_false_positive=2, cost_false_negative=3)
    table = chosen.to_frame().set_index("threshold")
    usual = table.loc[0.5]
    assert usual["cost"] == pytest.approx((2 + 3) / 8)
    assert usual["precision"] == pytest.approx(3 / 4)
    assert usual["recall"] == pytest.approx(3 / 4)
    assert usual["share_flagged"] == pytest.approx(1 / 2)
    assert table.loc[0.0, "cost"] == pytest.approx(2 * 4 / 8)
    assert table.loc[0.0, ["precision", "recall", "share_flagged"]].tolist() == [0.5, 1.0, 1.0]
    assert table.loc[1.0, "cost"] == pytest.approx(3 * 4 / 8)
    assert np.isnan(table.loc[1.0, "precision"])
    # flagging from 0.3 on costs 2 x 2, from 0.6 on 3 + 2, from 0.8 on 3 x 2
    assert 0.2 < chosen.threshold < 0.3
    assert table.loc[chosen.threshold, "cost"] == pytest.approx(4 / 8)
    assert chosen.cost_usual.value == pytest.approx(5 / 8)
    assert table.index.is_monotonic_increasing


def test_of_equal_costs_the_threshold_nearest_to_the_calibrated_one_is_chosen() -> None:
    apart = logits_of(0.05, 0.06, 0.07, 0.93, 0.94, 0.95)
    targets = np.array([0, 0, 0, 1, 1, 1])
    assert decision_threshold(apart, targets).threshold == 0.5
    assert decision_threshold(apart, targets, cost_false_negative=9).threshold == pytest.approx(0.1)


def test_tied_rows_are_flagged_together_and_their_order_does_not_matter() -> None:
    outputs = np.repeat(logits_of(0.2, 0.6, 0.8), 20)
    targets = np.tile([0, 1, 1, 0, 1], 12)
    one = decision_threshold(outputs, targets, cost_false_negative=2)
    order = np.random.default_rng(0).permutation(60)
    other = decision_threshold(outputs[order], targets[order], cost_false_negative=2)
    assert one.threshold == other.threshold
    assert [p.cost for p in one.points] == pytest.approx([p.cost for p in other.points])
    assert not set(np.round(positive_probability(outputs), 9)) & {round(one.threshold, 9)}


@pytest.mark.parametrize("false_negative", [1.0, 10.0])
def test_choice_costs_as_much_as_that_of_scikit_learn(false_negative: float) -> None:
    x, y = load_breast_cancer(return_X_y=True)
    x, x_valid, y, y_valid = train_test_split(x[:, 1:3], y, test_size=0.6, random_state=0)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)

    def cost(actual: np.ndarray, predicted: np.ndarray) -> float:
        (_, false_positives), (false_negatives, _) = confusion_matrix(actual, predicted)
        return (false_positives + false_negative * false_negatives) / len(actual)

    tuned = TunedThresholdClassifierCV(
        model,
        scoring=make_scorer(cost, greater_is_better=False),
        cv="prefit",
        refit=False,
        thresholds=np.unique(model.predict_proba(x_valid)[:, 1]),
        response_method="predict_proba",
    ).fit(x_valid, y_valid)
    outputs = model.decision_function(x_valid)
    chosen = decision_threshold(outputs, y_valid, cost_false_negative=false_negative)
    table = chosen.to_frame().set_index("threshold")
    assert table.loc[chosen.threshold, "cost"] == pytest.approx(-tuned.best_score_)
    flagged = chosen.flags(outputs)
    assert cost(y_valid, flagged) == pytest.approx(-tuned.best_score_)
    row = table.loc[chosen.threshold]
    assert row["precision"] == pytest.approx(precision_score(y_valid, flagged))
    assert row["recall"] == pytest.approx(recall_score(y_valid, flagged))


def noise(seed: int, n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Outputs that tell nothing, half of the rows positive: every threshold costs a half."""
    return np.random.default_rng(seed).normal(size=n), np.arange(n) % 2


def test_cross_fitted_cost_is_unbiased_on_noise_and_no_gain_is_claimed() -> None:
    made = [decision_threshold(*noise(seed), seed=seed) for seed in range(60)]
    costs = np.array([one.cost.value for one in made])
    error = costs.std(ddof=1) / len(costs) ** 0.5
    assert abs(costs.mean() - 0.5) < 3 * error + 0.005
    on_the_same_rows = np.array([min(p.cost for p in one.points) for one in made])
    assert on_the_same_rows.mean() < 0.47, "the cost that the choice itself makes look low"
    assert sum(one.is_proved for one in made) <= 5  # 1.5 are expected


def test_saving_is_proved_where_mistakes_differ_in_cost() -> None:
    chosen = decision_threshold(*calibrated(2000), cost_false_negative=9)
    assert chosen.is_proved
    assert chosen.verdict.difference == pytest.approx(chosen.cost.value - chosen.cost_usual.value)
    assert chosen.verdict.high < 0
    assert chosen.cost.low < chosen.cost.value < chosen.cost.high
    assert "proved to be lower than at 0.5" in chosen.lines[2]


def test_equal_costs_of_calibrated_probabilities_prove_nothing() -> None:
    chosen = decision_threshold(*calibrated(2000))
    assert not chosen.is_proved
    assert "No difference" in chosen.lines[2] or "As good as" in chosen.lines[2]


def test_cost_precision_and_recall_are_of_rows_that_did_not_choose() -> None:
    outputs, targets = noise(0, 60)
    chosen = decision_threshold(outputs, targets, seed=3)
    assert len(chosen.fold_thresholds) == 5
    assert chosen.cost.value > min(p.cost for p in chosen.points)
    n_flagged = chosen.share_flagged * 60
    n_hits = chosen.recall * 30
    assert chosen.precision == pytest.approx(n_hits / n_flagged)
    assert chosen.cost.value * 60 == pytest.approx(n_flagged - n_hits + 30 - n_hits)


def test_interval_of_a_perfect_model_reaches_to_what_was_not_seen() -> None:
    targets = np.arange(40) % 2
    chosen = decision_threshold(20.0 * targets - 10, targets, cost_false_negative=5)
    assert chosen.cost.value == chosen.cost.low == 0.0
    unseen = 1 - 0.025 ** (1 / 40)  # the largest share of rows that 40 rows may not show
    assert chosen.cost.high == pytest.approx(5 * unseen)
    assert not chosen.is_proved


def test_same_for_one_logit_a_column_two_logits_and_single_precision() -> None:
    logits, targets = calibrated(400)
    one = decision_threshold(logits, targets, cost_false_negative=3)
    two = np.column_stack([np.zeros(400), logits])
    for outputs in (logits[:, None], two, logits.astype(np.float32)):
        other = decision_threshold(outputs, targets[:, None] > 0, cost_false_negative=3)
        assert other.threshold == pytest.approx(one.threshold, abs=1e-6)
        assert other.cost.value == pytest.approx(one.cost.value)


def test_blocks_stay_together_and_widen_the_intervals() -> None:
    rng = np.random.default_rng(0)
    day = np.repeat(np.arange(25), 40)
    level = rng.normal(0, 1.5, 25)[day]
    outputs = rng.normal(0, 1, 1000)
    targets = (rng.random(1000) < positive_probability(outputs + level)).astype(int)
    rows = decision_threshold(outputs, targets, cost_false_negative=3)
    blocks = decision_threshold(outputs, targets, cost_false_negative=3, blocks=day)
    assert blocks.threshold == rows.threshold
    assert blocks.cost.high - blocks.cost.low > 1.3 * (rows.cost.high - rows.cost.low)
    assert blocks.points[40].cost_high > rows.points[40].cost_high


def test_same_seed_gives_the_same_and_json_gives_it_back() -> None:
    data = calibrated(300)
    one = decision_threshold(*data, cost_false_negative=3, seed=1)
    assert decision_threshold(*data, cost_false_negative=3, seed=1) == one
    assert Threshold.from_json(json.loads(json.dumps(one.to_json()))) == one


def test_text_has_five_lines_of_at_most_100_columns() -> None:
    for factor in (1e-4, 1.0, 123456.789):
        chosen = decision_threshold(
            *calibrated(12000), cost_false_positive=factor, cost_false_negative=3 * factor
        )
        assert len(chosen.lines) == 5
        assert max(map(len, chosen.lines)) <= 100


def test_inputs_stay_untouched() -> None:
    logits, targets = calibrated(100)
    copies = logits.copy(), targets.copy()
    decision_threshold(logits, targets)
    np.testing.assert_array_equal(logits, copies[0])
    np.testing.assert_array_equal(targets, copies[1])


@pytest.mark.parametrize(
    ("outputs", "targets", "message"),
    [
        (np.arange(6.0), np.zeros(6), r"at least 2 rows of each class, and 0 of these 6 rows is p"),
        (np.arange(6.0), np.ones(6), r"and 0 of these 6 rows is negative \(0\)"),
        (np.arange(6.0), np.eye(6)[0], r"and 1 of these 6 rows is positive \(1\)"),
        (np.zeros(6), np.arange(6) % 2, r"All 6 probabilities are equal \(0\.5\)"),
        (np.array([0, 1, np.nan, 3.0]), np.arange(4) % 2, r"not numbers \(NaN\) on 1 of 4 rows"),
        (np.arange(6.0), np.arange(6) % 3, r"targets are 0 or 1, .* values 0, 1, 2\."),
        (np.zeros((6, 2)), np.zeros((6, 2)), r"one a row: got shape \(6, 2\)"),
        (np.arange(5.0), np.arange(6) % 2, r"5 outputs for 6 targets; give one of each a row"),
    ],
)
def test_rows_that_cannot_choose_are_refused_in_words(
    outputs: np.ndarray, targets: np.ndarray, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        decision_threshold(outputs, targets)


def test_three_columns_are_refused_as_no_binary_outputs() -> None:
    with pytest.raises(TaskError, match=r"binary classifier must be .* got \(6, 3\)"):
        decision_threshold(np.zeros((6, 3)), np.arange(6) % 2)


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        (
            {"cost_false_negative": -1, "gain_true_positive": 1, "cost_false_positive": 0},
            "the same",
        ),
        ({"cost_false_positive": -1}, r"`gain_true_negative` must be above 0.* a negative row"),
        ({"cost_false_negative": 0}, r"`gain_true_positive` .* a positive row"),
        (
            {"cost_false_negative": np.nan},
            r"`cost_false_negative` must be a finite number, got nan",
        ),
        ({"gain_true_positive": np.inf}, r"`gain_true_positive` must be a finite number, got inf"),
        ({"cost_false_positive": -1, "cost_false_negative": -1}, r"got -1 \+ 0.*got -1 \+ 0"),
    ],
)
def test_costs_that_leave_nothing_to_choose_are_refused(costs: dict, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        decision_threshold(*calibrated(50), **costs)


def test_negative_costs_that_leave_a_choice_are_taken() -> None:
    chosen = Costs(cost_false_positive=-1, gain_true_negative=2)
    assert chosen.calibrated_threshold == 0.5


def test_single_fold_and_blocks_of_one_class_are_refused() -> None:
    outputs, targets = calibrated(50)
    with pytest.raises(SettingsError, match="`n_folds` must be at least 2, got 1"):
        decision_threshold(outputs, targets, n_folds=1)
    with pytest.raises(DataError, match="All rows of one class lie in one block"):
        decision_threshold(outputs, np.arange(50) // 25, blocks=np.arange(50) // 25)
