"""Pruning of boosted ensembles: the choice of the rounds on valid, its evidence, and refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from tests.boosted import NAMES, cancer, diabetes, ensemble, mixed, pipeline, started
from workbench.errors import Cancelled, CandidateError, DataError, SettingsError
from workbench.events import Report
from workbench.measure.anew import Anew
from workbench.measure.statistics.verdict import compare_quality, within
from workbench.model_form import form_named
from workbench.models.boosted import first_rounds, n_rounds
from workbench.runtimes.outputs import outputs_on
from workbench.technique import Job
from workbench.techniques.pruning import PruningSettings, prune, sensitivity
from workbench.techniques.pruning.figures import plot_rounds
from workbench.testing.examples import torch_candidate, torch_task


@pytest.fixture(autouse=True)
def untimed(request, monkeypatch):
    """Timing starts processes; the test that is about it does."""
    if "timed" not in request.keywords and "timed" not in request.node.name:
        monkeypatch.setattr(
            "workbench.techniques.pruning.trees._latencies_ms",
            lambda job, numbers, budget: {n: n / 100 for n in numbers},
        )


def _job(folder, model, rows, **changes):
    task, start = started(model, rows)
    folder.mkdir(exist_ok=True)
    return Job(task.without_test(), start, folder, **changes)


def _pruned(job, **settings):
    return prune(job, PruningSettings(**{"budget": "smoke", **settings}))


@pytest.mark.parametrize("name", NAMES)
def test_the_smallest_number_within_the_margin_is_kept(name, tmp_path):
    job = _job(tmp_path, pipeline(ensemble(name, 40, learning_rate=0.3)), mixed())
    outcome = _pruned(job)
    table = outcome.evidence["rounds"]
    chosen = table[table["chosen"]].iloc[0]
    metric, valid = job.task.metric, job.task.data.valid
    outputs = outputs_on(outcome.candidate, valid, Report())
    assert metric(outputs, valid.targets) == pytest.approx(chosen["quality"])
    assert n_rounds(outcome.candidate.model) == chosen["n_rounds"] < 40
    assert -chosen["difference"] <= metric.margin
    smaller = table[table["n_rounds"] < chosen["n_rounds"]]
    assert (-smaller["difference"] > metric.margin).all()
    assert outcome.resolved.method == "trees"
    assert outcome.resolved.n_rounds == chosen["n_rounds"]
    assert f"Kept the first {chosen['n_rounds']} of 40 rounds" in outcome.notes[0]


def test_a_proof_is_asked_for_where_valid_has_rows_enough(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(12_000, 3)).astype(np.float32)
    y = (x[:, 0] + x[:, 1] * x[:, 2] + 0.1 * rng.normal(size=len(x)) > 0).astype(int)
    job = _job(tmp_path, ensemble("histogram", 150, learning_rate=0.3), (x, y))
    outcome = _pruned(job, budget="standard")
    table = outcome.evidence["rounds"].set_index("n_rounds")
    n = outcome.resolved.n_rounds
    assert "the bound of the 95 % interval of the loss" in outcome.notes[0]
    metric, valid = job.task.metric, job.task.data.valid

    def verdict(k):
        short = replace(job.start, model=first_rounds(job.start.model, k))
        outputs = [outputs_on(c, valid, Report()) for c in (job.start, short)]
        return compare_quality(*outputs, valid.targets, metric)

    assert within(verdict(n), metric.margin)
    assert 1 < n < 150
    below = max(k for k in table.index if k < n)
    assert not within(verdict(below), metric.margin)
    assert table.loc[n, "low"] == pytest.approx(verdict(n).low)


def test_few_rows_leave_the_choice_to_the_difference_and_say_so(tmp_path):
    outcome = _pruned(_job(tmp_path, ensemble("gradient", 30), cancer()), budget="standard")
    assert "228 valid rows are too few to prove so small a loss" in outcome.notes[0]
    assert "the difference of the scores" in outcome.notes[0]


def test_all_rounds_are_kept_where_each_counts(tmp_path):
    job = _job(tmp_path, ensemble("gradient_regressor", 8, learning_rate=0.01), diabetes())
    outcome = _pruned(job)
    assert outcome.resolved.n_rounds == 8
    assert "All 8 rounds were kept" in outcome.notes[0]


def test_choice_sees_valid_and_nothing_else(tmp_path):
    job = _job(tmp_path, ensemble("gradient", 40), cancer())
    assert job.task.data.test is None
    valid = job.task.data.valid
    other = replace(
        job.task,
        data=replace(job.task.data, train=valid.take(slice(0, 20)), calibration=valid.take([0])),
    )
    ours, theirs = (_pruned(replace(job, task=t)).evidence["rounds"] for t in (job.task, other))
    assert ours.equals(theirs)
    turned = replace(valid, targets=1 - valid.targets)
    changed = replace(job.task, data=replace(job.task.data, valid=turned))
    assert not ours.equals(_pruned(replace(job, task=changed)).evidence["rounds"])


@pytest.mark.parametrize("name", NAMES)
def test_pruned_ensemble_is_smaller_and_training_it_anew_gives_it_again(name, tmp_path):
    job = _job(tmp_path, pipeline(ensemble(name, 24)), mixed())
    size = form_named("sklearn").size
    outcome = _pruned(job, method="trees", n_rounds=4)
    candidate = outcome.candidate
    assert size(candidate.model)[0] < size(job.start.model)[0]
    assert size(candidate.model["model"])[0] < 0.85 * size(job.start.model["model"])[0]
    assert candidate.trains_anew
    again = Anew.of(candidate, job.task).trained_on_all(
        budget="smoke", seed=0, device="cpu", report=Report()
    )
    rows = job.task.data.valid
    np.testing.assert_allclose(
        outputs_on(again, rows, Report()), outputs_on(candidate, rows, Report()), rtol=1e-5
    )
    assert outcome.notes[0].startswith("Kept the first 4 of 24 rounds, as `n_rounds` says")
    assert n_rounds(job.start.model) == 24


def test_resolved_settings_give_the_same_again(tmp_path):
    job = _job(tmp_path, ensemble("gradient", 40), cancer())
    first = _pruned(job)
    again = prune(job, first.resolved)
    assert again.resolved == first.resolved == PruningSettings(**first.resolved.tree())
    rows = job.task.data.valid
    np.testing.assert_array_equal(
        *(outputs_on(o.candidate, rows, Report()) for o in (first, again))
    )


def test_some_numbers_are_timed_side_by_side(tmp_path):
    job = _job(tmp_path, pipeline(ensemble("gradient", 30)), mixed())
    outcome = _pruned(job, method="trees", n_rounds=10)
    table = outcome.evidence["rounds"]
    timed = table.dropna(subset=["latency_ms"])
    assert 2 <= len(timed) <= 4
    assert (timed["latency_ms"] > 0).all()
    assert {10, 30} <= set(timed["n_rounds"])
    assert "Latency at batch 1 on one thread" in outcome.notes[1]
    chart = plot_rounds(table)
    assert "10 of 30 rounds are kept" in chart.layout.title.subtitle.text
    assert list(chart.data[0].x) == list(table["n_rounds"])
    assert list(chart.data[1].x) == list(timed["n_rounds"])
    with pytest.raises(DataError, match="latency_ms"):
        plot_rounds(table.drop(columns="latency_ms"))


def test_cancel_stops_between_two_numbers(tmp_path):
    seen = []
    report = Report(seen.append, cancelled=lambda: len(seen) >= 2)
    with pytest.raises(Cancelled):
        _pruned(_job(tmp_path, ensemble("gradient"), cancer(), report=report))
    assert len(seen) == 2


def test_an_estimator_without_rounds_is_refused_with_those_that_have_some(tmp_path):
    job = _job(tmp_path, LogisticRegression(max_iter=5000), cancer())
    with pytest.raises(
        CandidateError, match=r"is LogisticRegression, which is no boosted.*LGBMClassifier"
    ):
        _pruned(job)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "depth"}, "`method` depth is for torch networks.*use trees"),
        (
            {"pruning_ratio": 0.7},
            "`pruning_ratio` is for torch models, and `.*` is in the form sklearn: leave it out",
        ),
        ({"fit": {"epochs": 3}}, "`fit_epochs` is for torch models"),
        ({"method": "trees", "n_rounds": 13}, "`n_rounds` must be at most 12.*got 13"),
    ],
)
def test_settings_that_do_not_fit_an_ensemble_are_refused(settings, message, tmp_path):
    with pytest.raises(SettingsError, match=message):
        _pruned(_job(tmp_path, ensemble("gradient"), cancer()), **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "depth", "n_rounds": 3}, "`n_rounds` has an effect only if method is auto or"),
        ({"method": "trees", "n_rounds": 0}, "`n_rounds` must be at least 1"),
        ({"method": "trees", "fit": {"epochs": 2}}, "`fit_epochs` has an effect only if"),
        ({"method": "trees", "ignored_layers": ["a"]}, "`ignored_layers` has an effect only if"),
        ({"method": "trees", "distill_alpha": 0.5}, "`distill_alpha` has an effect only if"),
    ],
)
def test_settings_that_exclude_each_other_are_refused_on_construction(settings, message):
    with pytest.raises(SettingsError, match=message):
        PruningSettings(**settings)


def test_a_network_has_no_trees_and_an_ensemble_no_layers(tmp_path):
    network = Job(torch_task().without_test(), torch_candidate(), tmp_path)
    with pytest.raises(SettingsError, match="`method` trees.*torch network. Allowed: auto, struct"):
        prune(network, PruningSettings(method="trees"))
    job = _job(tmp_path, ensemble("gradient"), cancer())
    with pytest.raises(CandidateError, match="prunes layers of a torch network"):
        sensitivity(job, PruningSettings())
