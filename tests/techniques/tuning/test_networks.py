"""Tuning of networks: settings of training, arguments of the builder, and what travels."""

from dataclasses import replace

import numpy as np
import pytest

import workbench as wb
from workbench.measure.anew import Anew
from workbench.techniques.tuning.problem import Problem


def _tuned(job, **settings):
    tuning = wb.get_technique("tuning")
    return tuning(job, tuning.settings(**{"budget": "smoke", "fit": {"max_steps": 20}, **settings}))


@pytest.fixture(scope="module")
def outcome(digits_task, digits_cnn, tmp_path_factory):
    from workbench.technique import Job

    job = Job(digits_task.without_test(), digits_cnn, tmp_path_factory.mktemp("tuning"))
    space = {"model.width": [12], "fit.lr": [0.004], "fit.label_smoothing": [0.05]}
    return _tuned(job, space=space)


def test_choices_travel_with_the_candidate(outcome, digits_task):
    candidate = outcome.candidate
    assert candidate.builder_args == {"width": 12}
    assert candidate.model[0].out_channels == 12
    assert candidate.fit["lr"] == 0.004
    assert candidate.fit["label_smoothing"] == 0.05
    assert candidate.fit["epochs"] >= 1
    assert candidate.fit["restore_best"] is False
    assert outcome.control.model[0].out_channels == 32
    assert "label_smoothing" not in outcome.control.fit
    result = wb.cross_validate(candidate, digits_task, folds=2, budget="smoke")
    assert result.mean > 0.5


def test_tuned_network_is_the_same_when_it_is_trained_again(outcome, digits_task, tmp_path):
    again = Anew.of(outcome.candidate, digits_task).trained_on_all(
        budget="smoke", seed=0, device="cpu", report=wb.Report()
    )
    rows = {"image": digits_task.example(8)["image"]}
    runner = [wb.predictor(c).predict(rows) for c in (outcome.candidate, again)]
    np.testing.assert_array_equal(*runner)


def test_final_training_looks_at_no_valid_row(outcome, digits_task, digits_cnn, tmp_path):
    """Other labels of valid, and the same weights."""
    from workbench.technique import Job

    valid = digits_task.data.valid
    other = replace(valid, targets=(valid.targets + 1) % 10)
    task = replace(digits_task, data=replace(digits_task.data, valid=other, test=None))
    space = {"model.width": [12], "fit.lr": [0.004], "fit.label_smoothing": [0.05]}
    same = _tuned(Job(task, digits_cnn, tmp_path), space=space)
    rows = {"image": digits_task.example(8)["image"]}
    runner = [wb.predictor(c).predict(rows) for c in (outcome.candidate, same.candidate)]
    np.testing.assert_array_equal(*runner)


def test_single_fold_can_be_pruned_by_its_epochs(digits_task, digits_cnn, tmp_path):
    from workbench.technique import Job

    space = {"fit.lr": [1e-7, 1e-6, 1e-5, 0.002, 0.003, 0.004], "model.width": [8]}
    job = Job(digits_task.without_test(), digits_cnn, tmp_path)
    trials = _tuned(
        job,
        space=space,
        n_trials=6,
        trial_pruner="halving",
        sampler="grid",
        fit={"max_steps": 40, "batch_size": 200},
    ).evidence["trials"]
    assert "pruned" in set(trials["state"])
    assert trials.loc[trials["state"] == "pruned", "n_folds"].max() == 0


def test_settings_of_the_start_hold_in_every_trial(digits_task, digits_cnn, tmp_path):
    from workbench.technique import Job

    start = replace(digits_cnn, fit={"label_smoothing": 0.1, "lr": 0.005})
    tuning = wb.get_technique("tuning")
    job = Job(digits_task.without_test(), start, tmp_path)
    problem = Problem(job, job.resolved(tuning.settings(budget="smoke")))
    point = {"fit.lr": 0.001, "fit.batch_size": 64, "fit.weight_decay": 0.01, "model.width": 16}
    assert problem.candidate(point).fit["label_smoothing"] == 0.1
    assert problem.candidate(point).fit["lr"] == 0.001
    assert problem.candidate(None).fit["lr"] == 0.005
    assert problem.default["fit.lr"] == 0.005


def test_training_that_the_task_has_for_a_model_is_its_default(digits_task, digits_cnn, tmp_path):
    from workbench.technique import Job
    from workbench.techniques.tuning import _search

    task = replace(digits_task.without_test(), fits={"cnn": {"lr": 0.007}})
    search = _search(Job(task, digits_cnn, tmp_path), wb.get_technique("tuning").settings())
    assert search.problem.default["fit.lr"] == 0.007
    assert search.problem.candidate(None).fit["lr"] == 0.007
