"""Networks: the run with its control, the switches that travel, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tests.techniques.regularization.examples import QUICK, few, network_job, quick, settings
from workbench.errors import CandidateError, SettingsError
from workbench.events import Report
from workbench.measure.anew import Anew
from workbench.techniques import get_technique
from workbench.techniques.regularization import SwitchedFit
from workbench.techniques.regularization.strength import (
    active_switches,
    at_strength,
    resolved_settings,
    without_switches,
)
from workbench.testing.examples import torch_candidate, torch_task
from workbench.training import RegularizedFit


@pytest.fixture
def regularize():
    return get_technique("regularization")


def weights(candidate):
    return torch.cat([t.reshape(-1) for t in candidate.model.state_dict().values()])


# The run


def test_control_differs_in_the_switches_alone(regularize, tmp_path):
    switched = {"dropout": 0.0, "label_smoothing": 0.0, "weight_decay": 0.01}
    outcome = regularize(network_job(tmp_path), quick(fit=switched))
    assert torch.equal(weights(outcome.candidate), weights(outcome.control))
    (tmp_path / "2").mkdir()
    other = regularize(network_job(tmp_path / "2"), quick())
    assert torch.equal(weights(other.control), weights(outcome.control))
    assert not torch.equal(weights(other.candidate), weights(other.control))


def test_valid_rows_take_no_part_in_the_training(regularize, tmp_path):
    first = regularize(network_job(tmp_path), quick())
    job = network_job(tmp_path)
    noise = replace(job.task.data.valid, targets=np.roll(job.task.data.valid.targets, 7))
    task = replace(job.task, data=replace(job.task.data, valid=noise))
    (tmp_path / "2").mkdir()
    second = regularize(replace(job, task=task, folder=tmp_path / "2"), quick())
    assert torch.equal(weights(first.candidate), weights(second.candidate))


def test_evidence_has_gap_weights_and_stops_of_both_trainings(regularize, tmp_path):
    outcome = regularize(network_job(tmp_path), quick(fit={"l1": 1.0}))
    history, stops = outcome.evidence["history"], outcome.evidence["stops"]
    assert set(history["training"]) == {"regularized", "control"}
    expected = history["train_score"] - history["held_out_score"]
    assert np.allclose(history["gap"], expected)
    last = history.groupby("training").last()
    assert last.loc["regularized", "sparsity"] > 0.05 > last.loc["control", "sparsity"]
    assert last.loc["regularized", "weight_norm"] < last.loc["control", "weight_norm"]
    assert (stops["last_epoch"] <= stops["planned"]).all()
    assert any(note.startswith("Gap between train rows") for note in outcome.notes)


def test_early_stopping_is_told_where_it_cuts(regularize, tmp_path):
    fit = {"max_steps": 300, "epochs": 100, "min_delta": 5.0, "patience": 2}
    stops = regularize(network_job(tmp_path), quick(fit=fit)).evidence["stops"]
    row = stops.set_index("training").loc["regularized"]
    assert (row["best_epoch"], row["last_epoch"], row["planned"]) == (1, 3, 100)
    assert row["stopped"]


@pytest.mark.parametrize(
    ("patience", "expected"), [(10, "held-out accuracy"), (1000, "valid accuracy")]
)
def test_score_curve_names_the_rows_that_it_is_about(regularize, tmp_path, patience, expected):
    names = []
    listen = lambda event: names.append(event.data.get("name"))  # noqa: E731
    fit = {"patience": patience, "restore_best": patience == 10, "epochs": 2, "max_steps": None}
    regularize(network_job(tmp_path, report=Report(listen)), quick(fit=fit))
    scores = {name for name in names if name and "accuracy" in name}
    assert scores == {expected}


def test_all_train_rows_are_learned_without_early_stopping(regularize, tmp_path):
    fit = {"restore_best": False, "patience": 1000, "epochs": 2, "max_steps": None}
    outcome = regularize(network_job(tmp_path), quick(fit=fit))
    assert outcome.evidence["history"]["step"].max() == 2 * 3, "300 rows in batches of 128"
    assert (outcome.evidence["stops"]["best_epoch"] == 2).all()
    assert any(note.startswith("Early stopping is off") for note in outcome.notes)


def test_switches_travel_and_train_the_same_network_anew(regularize, tmp_path):
    job = network_job(tmp_path)
    outcome = regularize(job, quick(strength=2.0, fit={"mixup": 0.1}))
    own = outcome.candidate.fit
    assert (own["dropout"], own["label_smoothing"], own["mixup"]) == (0.4, 0.2, 0.2)
    assert own["max_steps"] == QUICK["max_steps"]
    assert outcome.candidate.trains_anew
    RegularizedFit(**own)
    anew = Anew.of(outcome.candidate, job.task)
    index = np.arange(len(job.task.data.train))
    trained, _ = anew.trained(index, budget="smoke", seed=0, device="cpu", report=job.report)
    assert trained.fit == own
    assert "dropout" not in outcome.control.fit


def test_epochs_of_the_budget_do_not_travel(regularize, tmp_path):
    start = replace(torch_candidate(), fit={**QUICK, "max_steps": 40})
    outcome = regularize(network_job(tmp_path, start=start), settings())
    assert "epochs" not in outcome.candidate.fit
    assert outcome.candidate.fit["max_steps"] == 40


def test_switches_of_the_start_come_before_the_usual_ones(tmp_path):
    own = {**QUICK, "dropout": 0.35, "averaging": "ema", "ema_decay": 0.9}
    job = network_job(tmp_path, start=replace(torch_candidate(), fit=own))
    fit = resolved_settings(job, settings(fit={"ema_decay": 0.8, "averaging": "ema"}))[0].fit
    assert (fit.dropout, fit.averaging, fit.ema_decay) == (0.35, "ema", 0.8)
    assert resolved_settings(job, settings(fit={"dropout": 0.1}))[0].fit.dropout == 0.1


def test_usual_switch_that_the_task_cannot_have_is_off_with_a_note(tmp_path):
    task = replace(few(torch_task()), loss=nn.CrossEntropyLoss())
    resolved, notes = resolved_settings(network_job(tmp_path, task=task), settings())
    assert resolved.fit.label_smoothing == 0
    assert "Label smoothing is off" in notes[0]


def test_switch_that_was_asked_for_and_cannot_be_is_refused(regularize, tmp_path):
    with pytest.raises(SettingsError, match="`cutmix` needs images"):
        regularize(network_job(tmp_path), quick(fit={"cutmix": 1.0}))


def test_strength_is_chosen_on_folds_of_train(regularize, tmp_path):
    chosen = quick(budget="standard", n_seeds=2)
    outcome = regularize(network_job(tmp_path), chosen)
    assert outcome.resolved.strength in (0.0, 0.5, 1.0, 2.0)
    assert len(outcome.evidence["curves"]) == 8
    assert outcome.evidence["summary"]["is_chosen"].sum() == 1


# Starts


class Scale(nn.Module):
    """A layer whose weights cannot be drawn again."""

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(64))

    def forward(self, x):
        return x * self.factor


def unresettable():
    return replace(
        torch_candidate(), model=nn.Sequential(Scale(), nn.Linear(64, 10)), builder=None, fit=QUICK
    )


def test_start_that_cannot_be_made_untrained_is_refused_with_the_way_out(regularize, tmp_path):
    job = network_job(tmp_path, start=unresettable(), build=None)
    with pytest.raises(CandidateError, match="cannot be drawn again.*`initial` to start"):
        regularize(job, quick())


def test_weights_of_the_start_are_fine_tuned_if_asked(regularize, tmp_path):
    start = unresettable()
    job = network_job(tmp_path, start=start, build=None)
    outcome = regularize(job, quick(initial="start", fit={"max_steps": 1, "lr": 1e-6}))
    assert torch.allclose(weights(outcome.candidate), weights(start), atol=1e-4)
    assert not outcome.candidate.trains_anew
    with pytest.raises(CandidateError, match="set `initial` to new"):
        regularize.actions["sweep"](job, quick(initial="start"))


def test_start_whose_weights_a_step_changed_is_refused(regularize, tmp_path):
    start = torch_candidate().child("pruned", "pruning")
    with pytest.raises(CandidateError, match="`pruning` changed trained weights"):
        regularize(network_job(tmp_path, start=start), quick())


def test_penalty_of_estimators_is_refused_for_a_network(regularize, tmp_path):
    with pytest.raises(SettingsError, match="`penalty` is for sklearn models"):
        regularize(network_job(tmp_path), quick(penalty="lasso"))


# Strengths


def test_strength_scales_the_numeric_switches_alone():
    fit = SwitchedFit(dropout=0.6, mixup=0.2, clip_norm=1.0, averaging="ema").resolved()
    strong, off = at_strength(fit, 2), at_strength(fit, 0)
    assert (strong.dropout, strong.mixup, strong.weight_decay) == (0.95, 0.4, 0.1)
    assert (strong.clip_norm, strong.averaging) == (1.0, "ema")
    assert (off.dropout, off.mixup, off.weight_decay, off.label_smoothing) == (0, 0, 0, 0)


def test_active_switches_put_together_make_the_training_again():
    fit = SwitchedFit(mixup=0.2, averaging="swa", swa_start=0.5, augment="crops").resolved()
    active = active_switches(fit, has_augment=False)
    assert set(active) == {
        "dropout",
        "weight_decay",
        "label_smoothing",
        "mixup",
        "augment",
        "early_stopping",
        "averaging",
    }
    fields = {k: v for values in active.values() for k, v in values.items()}
    assert without_switches(fit).model_copy(update=fields) == fit
