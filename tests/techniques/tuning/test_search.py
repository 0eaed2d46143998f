"""The search: samplers, pruning, objectives, failures, cancel, and going on after a kill."""

import os
import signal
import time

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

import workbench as wb
from tests.techniques.tuning.small import RANGE, C, tuned, wine
from workbench.errors import Cancelled, RecipeError, SettingsError, TaskError
from workbench.events import Event, Report
from workbench.recipe import Recipe


@pytest.fixture(scope="module")
def pair():
    return wine()


@pytest.mark.parametrize("sampler", ["random", "tpe", "gp", "cmaes", "qmc", "nsga2"])
def test_each_sampler_makes_the_trials_and_repeats_itself(sampler, pair, tmp_path):
    space = {C: RANGE, "estimator.logisticregression__intercept_scaling": {"low": 0.1, "high": 9.0}}
    given = {"sampler": sampler, "n_trials": 12, "trial_pruner": "none", "space": space}
    one, other = (tuned(tmp_path / name, pair, **given).evidence["trials"] for name in "ab")
    assert list(one["number"]) == list(range(12))
    assert set(one["state"]) == {"complete"}
    assert one[C].nunique() >= (4 if sampler == "nsga2" else 11), "nsga2 crosses earlier points"
    assert one[C].between(RANGE["low"], RANGE["high"]).all()
    pd.testing.assert_series_equal(one[C], other[C])


@pytest.mark.parametrize("sampler", ["hyperopt_tpe", "hyperopt_random"])
def test_hyperopt_uses_the_same_space_and_the_same_table(sampler, pair, tmp_path):
    pytest.importorskip("hyperopt", reason='pip install "model-optimization-workbench[hyperopt]"')
    space = {
        C: RANGE,
        "estimator.logisticregression__fit_intercept": [True, False],
        "estimator.logisticregression__intercept_scaling": {
            "low": 1,
            "high": 9,
            "step": 2,
            "if": {"estimator.logisticregression__fit_intercept": True},
        },
    }
    trials = tuned(
        tmp_path, pair, sampler=sampler, n_trials=14, space=space, trial_pruner="none"
    ).evidence["trials"]
    assert set(trials["state"]) == {"complete"}
    assert trials[C].between(RANGE["low"], RANGE["high"]).all()
    name = "estimator.logisticregression__intercept_scaling"
    has_intercept = trials["estimator.logisticregression__fit_intercept"]
    assert trials[name].notna().equals(has_intercept == True)  # noqa: E712
    assert set(trials[name].dropna()) <= {1, 3, 5, 7, 9}
    assert has_intercept.nunique() == 2


def test_grid_tries_every_point_once_and_a_part_of_a_large_one(pair, tmp_path):
    space = {C: [0.01, 0.1, 1.0, 10.0]}
    whole = tuned(tmp_path / "a", pair, space=space, n_trials=20)
    assert whole.resolved.sampler == "grid"
    assert sorted(whole.evidence["trials"][C]) == [0.01, 0.1, 1.0, 10.0]
    assert "The space has 4 points: no more trials were made." in whole.notes
    part = tuned(tmp_path / "b", pair, space=space, n_trials=2, sampler="grid")
    assert len(part.evidence["trials"]) == 2
    assert part.evidence["trials"][C].nunique() == 2


def test_automatic_sampler_follows_its_rule(pair, tmp_path):
    from workbench.settings.spaces import Space
    from workbench.techniques.tuning.samplers import sampler_of

    settings = wb.get_technique("tuning").settings
    numbers, mixed = Space.of({C: RANGE}), Space.of({C: RANGE, "estimator.p": ["l1", "l2"]})

    def chosen(space, **values):
        return sampler_of(settings(**values).resolved(), space)

    assert chosen(numbers, n_trials=40) == "gp"
    assert chosen(numbers, n_trials=8) == "tpe"
    assert chosen(numbers, n_trials=500) == "tpe"
    assert chosen(numbers, n_trials=40, n_workers=2) == "tpe"
    assert chosen(mixed, n_trials=40) == "tpe"
    assert chosen(Space.of({C: [1.0, 2.0]}), n_trials=2) == "grid"


def test_pruned_trials_end_early_and_the_best_is_complete(pair, tmp_path):
    outcome = tuned(tmp_path, pair, folds=4, n_trials=25, sampler="random", space={C: RANGE})
    trials = outcome.evidence["trials"].set_index("number")
    pruned = trials[trials["state"] == "pruned"]
    complete = trials[trials["state"] == "complete"]
    assert len(pruned) >= 3
    assert (pruned["n_folds"] < 4).all()
    assert (complete["n_folds"] == 4).all()
    best = outcome.evidence["curse"]["score"].iloc[-1]
    assert best == pytest.approx(complete["score"].max())
    assert best > pruned["score"].max()


def test_defaults_outside_of_the_space_are_told_as_no_trial_has_them(pair, tmp_path):
    outside = tuned(tmp_path / "a", pair, n_trials=2, space={C: [0.003, 0.01]})
    inside = tuned(tmp_path / "b", pair, n_trials=2, space={C: [0.003, 1.0]})
    told = [any("outside of the search space" in n for n in o.notes) for o in (outside, inside)]
    assert told == [True, False]
    assert inside.evidence["trials"][C].iloc[0] == 1.0


def test_result_is_trained_on_all_of_train_and_travels(pair, tmp_path):
    task, start = pair
    outcome = tuned(tmp_path, pair, n_trials=4, space={C: [0.003]})
    tuned_model, control = outcome.candidate.model, outcome.control.model
    assert tuned_model[-1].C == 0.003
    assert control[-1].C == start.model[-1].C == 1.0
    train = task.data.train
    again = type(tuned_model)(tuned_model.steps).set_params(logisticregression__C=0.003)
    again.fit(train.inputs["x"], train.targets)
    np.testing.assert_allclose(again[-1].coef_, tuned_model[-1].coef_)
    assert outcome.candidate.trains_anew
    result = wb.cross_validate(outcome.candidate, task, folds=3)
    default = wb.cross_validate(start, task, folds=3)
    assert result.mean != default.mean, "the folds train with the parameters that were found"


def test_default_settings_are_the_first_trial_and_may_win(pair, tmp_path):
    space = {C: {"low": 1e-6, "high": 1.0, "log": True}}
    outcome = tuned(tmp_path, pair, n_trials=3, space=space, sampler="random")
    trials = outcome.evidence["trials"]
    assert trials[C].iloc[0] == 1.0
    assert outcome.notes[0] == "None of 3 trials scored better than the default settings."
    assert outcome.candidate.model[-1].C == 1.0


def test_choice_never_looks_at_valid(pair, tmp_path):
    """Other labels of valid change the scores on unseen rows, and no choice."""
    from dataclasses import replace

    task, start = pair
    valid = replace(task.data.valid, targets=(task.data.valid.targets + 1) % 3)
    other = replace(task, data=replace(task.data, valid=valid, calibration=valid))
    given = {"n_trials": 8, "sampler": "tpe"}
    one = tuned(tmp_path / "a", pair, **given)
    two = tuned(tmp_path / "b", (other, start), **given)
    shown = ["number", "state", "score", C]
    pd.testing.assert_frame_equal(one.evidence["trials"][shown], two.evidence["trials"][shown])
    assert one.candidate.model[-1].C == two.candidate.model[-1].C
    assert (one.evidence["trials"]["unseen"] > two.evidence["trials"]["unseen"]).all()


def test_winners_curse_is_in_a_table_and_in_a_note(pair, tmp_path):
    outcome = tuned(tmp_path, pair, n_trials=8)
    curse = outcome.evidence["curse"]
    assert curse["score"].is_monotonic_increasing
    assert (curse["unseen_low"] <= curse["unseen"]).all()
    assert (curse["unseen"] <= curse["unseen_high"]).all()
    note = next(n for n in outcome.notes if n.startswith("Chosen by "))
    assert f"{100 * curse['unseen'].iloc[-1]:.2f} %" in note


def test_several_objectives_give_a_front_within_the_limits(pair, tmp_path):
    from sklearn.ensemble import RandomForestClassifier

    trees = wine(RandomForestClassifier(random_state=0))
    space = {"estimator.n_estimators": {"low": 1, "high": 8}}
    given = {"space": space, "n_trials": 6, "sampler": "random"}
    outcome = tuned(tmp_path / "a", trees, second_objective="size_bytes", **given)
    front = outcome.evidence["front"].sort_values("size_bytes")
    assert front["quality"].is_monotonic_increasing
    assert set(outcome.evidence["trials"]["state"]) == {"complete"}
    least = outcome.evidence["trials"]["size_bytes"].min()
    limited = tuned(tmp_path / "b", trees, max_size_bytes=int(least), **given)
    trials = limited.evidence["trials"]
    assert trials["feasible"].any()
    assert not trials["feasible"].all()
    taken = limited.candidate.model.get_params()["n_estimators"]
    assert taken in set(trials.loc[trials["feasible"], "estimator.n_estimators"])
    with pytest.raises(TaskError, match="None of 6 trials keeps the limits of costs: raise them"):
        tuned(tmp_path / "c", trees, max_size_bytes=1, **given)


class Moody(ClassifierMixin, BaseEstimator):
    """Fails, gives NaN, or works, by its parameter."""

    def __init__(self, mood=0.0):
        self.mood = mood

    def fit(self, x, y):
        if self.mood > 2:
            raise ValueError("a singular matrix")
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, x):
        scores = np.full((len(x), len(self.classes_)), np.nan if self.mood > 1 else 1 / 3)
        return scores + np.arange(len(self.classes_)) * self.mood * 0.01

    def predict(self, x):
        return self.classes_[self.predict_proba(x).argmax(1)]


def test_trials_that_fail_are_told_and_the_others_count(tmp_path):
    moods = wine(Moody())
    space = {"estimator.mood": [0.0, 0.5, 1.5, 3.0]}
    outcome = tuned(tmp_path / "a", moods, space=space, n_trials=4)
    trials = outcome.evidence["trials"].set_index("estimator.mood")
    assert dict(trials["state"]) == {0.0: "complete", 0.5: "complete", 1.5: "failed", 3.0: "failed"}
    assert "singular matrix" in trials.loc[3.0, "error"]
    assert "not numbers (NaN)" in trials.loc[1.5, "error"]
    assert any(n.startswith("2 of 4 trials failed, the last one: ") for n in outcome.notes)
    with pytest.raises(TaskError, match="The first 3 trials failed: .*singular matrix"):
        tuned(
            tmp_path / "b",
            moods,
            space={"estimator.mood": {"low": 2.5, "high": 3.0}},
            n_trials=9,
            sampler="random",
        )


def test_cancelled_search_goes_on_where_it_stopped(pair, tmp_path):
    """The same trials as without the cancel, and none is made twice."""
    given = {"n_trials": 9, "sampler": "tpe", "folds": 3}
    whole = tuned(tmp_path / "whole", pair, **given).evidence["trials"]
    seen: list[Event] = []
    n_told = 0

    def cancelled():
        return n_told == 0 and sum(e.kind == "curve" for e in seen) >= 4

    with pytest.raises(Cancelled):
        tuned(tmp_path / "cut", pair, report=Report(seen.append, cancelled=cancelled), **given)
    again = tuned(tmp_path / "cut", pair, **given).evidence["trials"]
    assert len(again) == 9
    assert again["number"].is_unique
    shown = ["state", "score", C]
    pd.testing.assert_frame_equal(whole[shown], again[shown])


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ([], r"`space` is refused: `estimator\.C` has an empty list: give at least one value"),
        ({"low": 9, "high": 2}, "needs `low` below `high`, got 9 and 2"),
        ({"low": 1, "high": 2, "if": {"estimator.kernal": "rbf"}}, r"condition of `estimator\.C`"),
    ],
)
def test_space_that_no_model_can_have_is_refused_before_a_run_begins(declared, message):
    with pytest.raises(RecipeError, match=message):
        Recipe.make("digits", [{"tuning": {"space": {"estimator.C": declared}}}])


def test_named_study_goes_on_in_another_run_and_refuses_another_space(pair, tmp_path):
    given = {"study": "wines", "cache": tmp_path / "cache", "sampler": "random"}
    first = tuned(tmp_path / "a", pair, n_trials=4, **given).evidence["trials"]
    more = tuned(tmp_path / "b", pair, n_trials=7, **given).evidence["trials"]
    assert len(more) == 7
    pd.testing.assert_series_equal(first[C], more[C][:4])
    with pytest.raises(
        SettingsError, match=r"`wines` exists with another space: \{\S+: \{low: .*\}\}\. Give"
    ):
        tuned(tmp_path / "c", pair, n_trials=4, space={C: [1.0, 2.0]}, **given)
    with pytest.raises(SettingsError, match=r"`wines` exists with folds 2 \(now 3\)"):
        tuned(tmp_path / "d", pair, n_trials=4, folds=3, **given)
    with pytest.raises(SettingsError, match="`wines` exists with.*objectives"):
        tuned(tmp_path / "e", pair, n_trials=4, second_objective="size_bytes", **given)


def test_time_limit_ends_the_search_and_says_so(pair, tmp_path):
    outcome = tuned(tmp_path, pair, n_trials=100_000, timeout=1.0, sampler="random")
    n = len(outcome.evidence["trials"])
    assert 1 <= n < 100_000
    assert outcome.partial
    assert f"{n} of 100000 trials were made within the time limit." in outcome.notes


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sampler": "grid"}, "A grid needs a number of values for `estimator.log.*`grid_values`"),
        ({"space": {"estimator.logisticregression__c": [1]}}, "Did you mean `estimator.logi.*__C`"),
        ({"space": {"model.width": [1]}}, "this model has no builder with arguments"),
        ({"second_objective": "speed"}, "second_objective"),
        ({"max_macs": -1}, "at least 1"),
        (
            {"second_objective": "macs", "trial_pruner": "median"},
            "`trial_pruner` has an effect only if second_objective",
        ),
        (
            {"second_objective": "macs", "sampler": "cmaes"},
            "`second_objective` has an effect only if sampler",
        ),
        ({"storage": "sqlite:///x.db"}, "`storage` has an effect only if study"),
        ({"storage": "grpc://somewhere", "study": "s"}, "must be like grpc://HOST:PORT"),
        (
            {"sampler": "cmaes", "space": {C: [1.0, 2.0]}},
            "`sampler: cmaes` moves along numbers",
        ),
        ({"n_trials": 0}, "at least 1"),
    ],
)
def test_contradictory_settings_are_refused_with_the_way_out(settings, message, pair, tmp_path):
    with pytest.raises(SettingsError, match=message):
        tuned(tmp_path, pair, **{"n_trials": 3, **settings})


@pytest.mark.parametrize("sampler", ["gp", "cmaes", "qmc"])
def test_conditions_are_refused_by_samplers_without_them(sampler, pair, tmp_path):
    intercept = "estimator.logisticregression__fit_intercept"
    space = {intercept: [True, False], C: {**RANGE, "if": {intercept: True}}}
    with pytest.raises(SettingsError, match="is active at some points only: use `tpe`"):
        tuned(tmp_path, pair, sampler=sampler, space=space, n_trials=3)


@pytest.mark.slow
def test_workers_share_the_trials(pair, tmp_path):
    outcome = tuned(tmp_path, pair, n_trials=60, n_workers=2, sampler="random", space={C: RANGE})
    trials = outcome.evidence["trials"]
    assert len(trials) == 60
    assert trials["number"].is_unique
    assert set(trials["worker"]) == {0, 1}
    assert not (tmp_path / "workers" / "job.pkl").exists(), "it holds the rows of the task"


class Deadly(Moody):
    """Kills its process at one value, as a process without memory is killed."""

    def fit(self, x, y):
        if self.mood == 0.9:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.02)
        return super().fit(x, y)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_killed_worker_is_replaced_and_its_point_is_not_tried_for_ever(tmp_path):
    moods = wine(Deadly())
    space = {"estimator.mood": [round(0.1 * i, 1) for i in range(10)]}
    outcome = tuned(tmp_path, moods, space=space, n_trials=10, n_workers=2, sampler="grid")
    trials = outcome.evidence["trials"].set_index("estimator.mood")
    assert sorted(trials.index) == space["estimator.mood"]
    assert trials.loc[0.9, "state"] == "failed"
    assert "died three times" in trials.loc[0.9, "error"]
    assert set(trials.drop(0.9)["state"]) <= {"complete", "pruned"}
