"""The actions sweep and switches, and the one-standard-error rule."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tests.techniques.regularization.examples import estimator_job, network_job, quick, settings
from workbench.errors import SettingsError
from workbench.events import Report
from workbench.measure.statistics.intervals import nothing_seen
from workbench.metrics import METRICS
from workbench.techniques import get_technique
from workbench.techniques.regularization.comparison import _gains
from workbench.techniques.regularization.one_standard_error import choose, summary
from workbench.techniques.regularization.trials import Trials
from workbench.techniques.regularization.variants import trials_of

ACCURACY, MSE = METRICS["accuracy"], METRICS["mse"]


@pytest.fixture
def actions():
    return get_technique("regularization").actions


def curves(held_out):
    rows = [
        {"value": value, "seed": seed, "train": 1.0, "held_out": score}
        for value, scores in held_out.items()
        for seed, score in enumerate(scores)
    ]
    return pd.DataFrame(rows)


# The rule


def test_strongest_value_within_one_standard_error_of_the_best_is_chosen():
    # the best is 1 with a mean of 0.90 and a standard error of 0.01
    scores = {
        0: [0.86, 0.86, 0.86],
        1: [0.88, 0.9, 0.92],
        2: [0.89, 0.89, 0.89],
        4: [0.8, 0.9, 0.9],
    }
    choice = choose(summary(curves(scores), ACCURACY), ACCURACY)
    error = np.std([0.88, 0.9, 0.92], ddof=1) / 3**0.5
    assert (choice.best, choice.chosen, choice.n) == (1, 2, 3)
    assert choice.standard_error == pytest.approx(error)
    assert "2 is the strongest within one standard error" in choice.sentence("Strength", ACCURACY)


def test_lower_is_better_for_an_error():
    choice = choose(summary(curves({0: [2.0, 2.2], 1: [1.0, 1.2], 2: [1.15, 1.25]}), MSE), MSE)
    assert (choice.best, choice.chosen) == (1, 2)


def test_one_training_a_value_has_no_band_and_takes_the_best():
    table = summary(curves({0: [0.8], 1: [0.9], 2: [0.85]}), ACCURACY)
    assert table["held_out_low"].isna().all()
    choice = choose(table, ACCURACY)
    assert choice.chosen == 1
    assert "no standard error" in choice.sentence("Strength", ACCURACY)


def test_gap_and_bands_are_those_of_the_trainings():
    table = summary(curves({1: [0.7, 0.8, 0.9]}), ACCURACY).iloc[0]
    assert table["gap"] == pytest.approx(0.2)
    half = 4.302653 * 0.1 / 3**0.5  # Student's t with two degrees of freedom
    assert table["held_out_high"] == pytest.approx(0.8 + half, abs=1e-5)


# Sweep


def test_sweep_trains_each_value_with_each_seed_on_the_same_folds(actions, tmp_path):
    tables = actions["sweep"](network_job(tmp_path), quick(n_seeds=2), values=(0, 1, 4))
    table = tables["curves"]
    assert len(table) == 6
    assert set(table["seed"]) == {0, 1}
    assert tables["summary"]["is_chosen"].sum() == 1
    assert tables["choice"]["swept"][0] == "strength"


def test_sweep_of_one_switch_leaves_the_others(actions, tmp_path):
    tables = actions["sweep"](network_job(tmp_path), quick(swept="l1", n_seeds=1), values=(0, 10))
    train = tables["summary"].set_index("value")["train"]
    assert train[0] > train[10] + 0.2, "so strong a penalty makes the network useless"


def test_sweep_goes_on_from_what_is_kept(actions, tmp_path):
    first = actions["sweep"](estimator_job(tmp_path), settings())
    texts = []
    job = estimator_job(tmp_path, report=Report(lambda e: texts.append(e.kind)))
    again = actions["sweep"](job, settings())
    pd.testing.assert_frame_equal(first["curves"], again["curves"])
    assert "message" not in texts, "nothing is fitted again"


@pytest.mark.parametrize("values", [(1, 1), (-1, 2), ("a",)])
def test_values_that_are_no_grid_are_refused(actions, tmp_path, values):
    with pytest.raises(SettingsError, match="`values` must be different numbers from 0 on"):
        actions["sweep"](network_job(tmp_path), quick(), values=values)


# Switches


def test_switches_are_compared_alone_and_together_with_none(actions, tmp_path):
    tables = actions["switches"](network_job(tmp_path), quick(n_seeds=2, fit={"l1": 10.0}))
    gains = tables["gains"].set_index("switch")
    assert list(gains.index) == [
        "none",
        "dropout",
        "weight_decay",
        "label_smoothing",
        "l1",
        "early_stopping",
        "all together",
    ]
    scores = tables["scores"].pivot(index="seed", columns="switch", values="held_out")
    expected = (scores["l1"] - scores["none"]).mean()
    assert gains.loc["l1", "gain"] == pytest.approx(expected)
    assert gains.loc["l1", "gain"] < -0.2
    assert (
        gains.loc["dropout", "low"] <= gains.loc["dropout", "gain"] <= gains.loc["dropout", "high"]
    )


def test_parameters_of_an_estimator_are_compared(actions, tmp_path):
    gains = actions["switches"](estimator_job(tmp_path), settings(strength=1000))["gains"]
    assert gains["switch"].tolist() == ["none", "logisticregression__C"]
    assert gains["value"][1] == "0.001"


def test_no_switch_at_all_is_refused(actions, tmp_path):
    off = {"dropout": 0.0, "weight_decay": 0.0, "label_smoothing": 0.0}
    off |= {"restore_best": False, "patience": 1000}
    with pytest.raises(SettingsError, match="All switches are off"):
        actions["switches"](network_job(tmp_path), quick(fit=off))


# Trials


def test_folds_of_rows_in_time_train_on_the_rows_before(tmp_path):
    job = estimator_job(tmp_path)
    train = job.task.data.train
    ordered = replace(train, times=np.arange(len(train)))
    task = replace(job.task, data=replace(job.task.data, train=ordered))
    trials = Trials(task, 2, 0, "smoke", "cpu", tmp_path)
    for rest, held in trials.folds():
        assert rest.max() < held.min()


def test_few_rows_are_learned_from_in_a_quick_check(tmp_path, monkeypatch):
    monkeypatch.setattr("workbench.techniques.regularization.variants.SMOKE_ROWS", 100)
    job = estimator_job(tmp_path)
    assert len(trials_of(job, settings().resolved()).task.data.train) == 100
    standard = settings(budget="standard").resolved()
    assert len(trials_of(job, standard).task.data.train) == 300


@pytest.mark.parametrize(("n_held", "verdict"), [(60, "undecided"), (20_000, "better")])
def test_gains_that_are_equal_in_all_folds_are_no_wider_known_than_their_rows_show(n_held, verdict):
    """Three folds of 20 rows with one more right each: that is no proof."""
    scores = pd.DataFrame(
        [
            (name, seed, 1.0, 0.9 + gain)
            for name, gain in (("none", 0.0), ("dropout", 0.05))
            for seed in range(3)
        ],
        columns=["switch", "seed", "train", "held_out"],
    )
    trials = SimpleNamespace(ratio=0.25, n_held=n_held)
    row = _gains(scores, {"dropout": "0.2"}, METRICS["accuracy"], trials).iloc[1]
    assert row.verdict == verdict
    assert row.high - row.low == pytest.approx(2 * nothing_seen(n_held), abs=1e-9)
