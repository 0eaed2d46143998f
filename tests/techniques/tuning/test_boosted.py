"""Tuning of boosted ensembles: rounds by early stopping on folds, and the refit with the median."""

from __future__ import annotations

import statistics
import sys

import numpy as np
import pytest

from tests.boosted import NAMES, cancer, ensemble, mixed, pipeline, started
from tests.techniques.tuning.small import job, tuned
from workbench.errors import MissingExtra
from workbench.measure.anew import Anew, inner_hold_out
from workbench.models.boosted import n_rounds, rounds_name
from workbench.models.estimators import make_estimator
from workbench.techniques.tuning.problem import Problem
from workbench.techniques.tuning.settings import TuningSettings

RATE = "estimator.model__learning_rate"


def _problem(folder, pair, **settings):
    chosen = TuningSettings(**{"budget": "smoke", "folds": 3, **settings}).resolved()
    return Problem(job(folder, *pair), chosen)


@pytest.mark.parametrize("name", NAMES)
def test_rounds_are_those_of_early_stopping_on_a_part_of_each_folds_train_rows(name, tmp_path):
    pair = started(pipeline(ensemble(name)), mixed())
    problem = _problem(tmp_path, pair, space={RATE: [0.1, 0.5]})
    score = problem.score({RATE: 0.5}, problem.job.report)
    assert len(score.epochs) == len(score.folds) == 3
    assert all(1 <= n < 100 for n in score.epochs)
    final = problem.final({RATE: 0.5}, score, problem.job.report)
    assert n_rounds(final.model) == round(statistics.median(score.epochs))
    assert final.model.get_params()[rounds_name(final.model)] == n_rounds(final.model)


def test_steps_before_the_ensemble_learn_from_the_rows_that_it_learns_from(tmp_path):
    pair = started(pipeline(ensemble("gradient")), mixed())
    anew, report = Anew.of(pair[1], pair[0]), job(tmp_path, *pair).report
    index = np.arange(200)
    trained, _ = anew.trained(
        index, budget="smoke", seed=3, device="cpu", report=report, stops_early=True
    )
    rows = anew.task.data.train
    learned, _ = inner_hold_out(rows.take(index), pair[0].kind, seed=3)
    imputer = trained.model["columns"].transformers_[0][1]
    expected = np.nanmedian(rows.inputs["texture"][index][learned].astype(float))
    assert imputer.statistics_[1] == expected
    assert expected != np.nanmedian(rows.inputs["texture"][index].astype(float))


def test_control_has_the_rounds_of_the_start_and_the_winner_those_that_were_found(tmp_path):
    pair = started(pipeline(ensemble("gradient", 33)), mixed())
    outcome = tuned(tmp_path, pair, budget="smoke", n_trials=3, space={RATE: [0.1, 0.4]})
    assert n_rounds(outcome.control.model) == 33
    winner = outcome.candidate.model
    assert n_rounds(winner) == winner.get_params()["model__n_estimators"]
    note = next(note for note in outcome.notes if note.startswith("Trained for"))
    assert f"Trained for {n_rounds(winner)} rounds" in note
    assert "median of" in note
    assert outcome.candidate.trains_anew


def test_a_space_that_names_the_rounds_decides_them(tmp_path):
    pair = started(pipeline(ensemble("gradient")), mixed())
    space = {"estimator.model__n_estimators": [5, 9]}
    problem = _problem(tmp_path, pair, space=space)
    assert not problem.finds_rounds
    outcome = tuned(tmp_path / "run", pair, budget="smoke", n_trials=2, space=space)
    assert n_rounds(outcome.candidate.model) in (5, 9)
    assert not [note for note in outcome.notes if note.startswith("Trained for")]


def test_other_estimators_are_trained_on_all_rows_of_a_fold(tmp_path):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pair = started(make_pipeline(StandardScaler(), LogisticRegression()), cancer())
    problem = _problem(tmp_path, pair)
    assert not problem.finds_rounds
    assert problem.score(None, problem.job.report).epochs == []


@pytest.mark.parametrize("name", ["lightgbm", "xgboost"])
def test_usual_space_of_a_library_is_searched(name, tmp_path):
    pair = started(pipeline(ensemble(name)), mixed())
    outcome = tuned(tmp_path, pair, budget="smoke", n_trials=3, folds=1)
    columns = set(outcome.evidence["trials"].columns)
    assert {RATE, "estimator.model__colsample_bytree", "estimator.model__reg_lambda"} <= columns
    assert "estimator.model__n_estimators" not in columns
    assert set(outcome.evidence["trials"]["state"]) == {"complete"}


@pytest.mark.parametrize("name", ["lightgbm", "xgboost"])
def test_start_of_a_library_that_is_not_installed_names_the_extra(name, monkeypatch):
    for module in [m for m in sys.modules if m.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra, match=rf"The model `{name}` needs the extra `boosting`"):
        make_estimator(name, {"a": True})
