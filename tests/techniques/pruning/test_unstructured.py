"""Unstructured and N:M pruning: pruned weights stay zero during training, the others change."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from workbench.errors import CandidateError, SettingsError
from workbench.runtimes import predictor
from workbench.runtimes.to_onnx import to_onnx
from workbench.task import Candidate
from workbench.techniques import get_technique
from workbench.techniques.pruning import PruningSettings, check_n_m
from workbench.techniques.pruning.masks import sparsity
from workbench.techniques.pruning.n_m import n_m_masks
from workbench.techniques.pruning.unstructured import cubic, masks_of


def _run(job, **settings):
    fit = settings.pop(
        "fit", {"epochs": 3, "max_steps": 30, "precision": "fp32", "memory_format": "contiguous"}
    )
    return get_technique("pruning")(job, PruningSettings(fit=fit, **settings))


def _net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))


@pytest.mark.parametrize(("scope", "iterations"), [("uniform", 1), ("global", 1), ("global", 5)])
def test_zeros_are_as_many_as_asked_for_and_stay_through_training(scope, iterations, job_of):
    job = job_of()
    outcome = _run(
        job, method="unstructured", pruning_ratio=0.9, scope=scope, iterations=iterations
    )
    assert sparsity(outcome.candidate.model) == pytest.approx(0.9, abs=0.01)
    table = outcome.evidence["sparsity"].set_index("layer")
    assert table.loc["all", "sparsity"] == pytest.approx(0.9, abs=0.01)
    before, after = (dict(m.named_parameters()) for m in (job.start.model, outcome.candidate.model))
    name = "3.weight"
    kept = after[name] != 0
    assert (after[name] != before[name])[kept].any(), "what stays was trained"
    assert not any(n.endswith(("_mask", "_orig")) for n in outcome.candidate.model.state_dict()), (
        "masks are made permanent"
    )
    assert any("no runtime here gets faster" in note for note in outcome.notes)


@pytest.mark.parametrize(
    "settings",
    [
        {"method": "unstructured", "pruning_ratio": 0.5, "iterations": 5},
        {"method": "unstructured", "pruning_ratio": 0.5, "iterations": 5, "scope": "global"},
        {"method": "unstructured", "pruning_ratio": 0.5},
        {"method": "n_m"},
    ],
)
def test_network_that_trains_in_channels_last_is_pruned_alike(settings, job_of):
    """Gradual masks are made from the weights in the memory format of training."""
    fit = {"epochs": 3, "max_steps": 30, "precision": "fp32", "memory_format": "channels_last"}
    job = job_of()
    start = job.start.fitted(copy.deepcopy(job.start.model).to(memory_format=torch.channels_last))
    outcome = _run(replace(job, start=start), fit=fit, **settings)
    assert sparsity(outcome.candidate.model) == pytest.approx(0.5, abs=0.05)


def test_smallest_weights_go_first_and_random_takes_others():
    model = _net()
    masks = masks_of(model, PruningSettings(method="unstructured", pruning_ratio=0.5))
    weight = model[0].weight.abs()
    assert weight[masks["0.weight"]].min() > weight[~masks["0.weight"]].max()
    random = PruningSettings(method="unstructured", pruning_ratio=0.5, importance="random")
    one, same, other = (masks_of(model, random, seed=s)["0.weight"] for s in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert not torch.equal(one, masks["0.weight"])


def test_global_scope_compares_layers_and_uniform_does_not():
    model = _net()
    with torch.no_grad():
        model[2].weight.abs_().add_(10)
    kept = {
        scope: masks_of(
            model, PruningSettings(method="unstructured", pruning_ratio=0.5, scope=scope)
        )
        for scope in ("uniform", "global")
    }
    assert kept["uniform"]["2.weight"].float().mean() == 0.5
    assert kept["global"]["2.weight"].all()


def test_ignored_layers_and_single_ratios_are_respected():
    settings = PruningSettings(
        method="unstructured",
        pruning_ratio=0.5,
        ignored_layers=["2"],
        ratios={"0": 0.25},
        scope="global",
    )
    masks = masks_of(_net(), settings)
    assert set(masks) == {"0.weight"}
    assert masks["0.weight"].float().mean() == 0.75


def test_global_ratio_that_empties_a_layer_is_refused_with_the_largest_that_does_not():
    model = _net()
    with torch.no_grad():
        model[2].weight.mul_(1e-6)
    settings = PruningSettings(method="unstructured", pruning_ratio=0.6, scope="global")
    with pytest.raises(SettingsError, match=r"leaves `2` empty: at most 0\.\d+ keeps") as refused:
        masks_of(model, settings)
    named = float(str(refused.value).split("at most ")[1].split()[0])
    assert masks_of(model, settings.replace(pruning_ratio=named))["2.weight"].any()


def test_cubic_schedule_starts_fast_and_ends_at_the_sparsity():
    values = [cubic(0.9, t / 10) for t in range(11)]
    assert values[0] == 0
    assert values[-1] == pytest.approx(0.9)
    steps = np.diff(values)
    assert (np.diff(steps) < 0).all()


def test_gradual_keeps_the_whole_history(job_of):
    outcome = _run(job_of(), method="unstructured", pruning_ratio=0.8, iterations=4)
    history = outcome.evidence["fit"]
    assert history.step.is_monotonic_increasing
    assert history.epoch.tolist() == list(range(1, len(history) + 1))


def test_gradual_gives_the_same_result_twice(job_of, tmp_path):
    (tmp_path / "b").mkdir()
    settings = {"method": "unstructured", "pruning_ratio": 0.8, "iterations": 3}
    first, again = (
        _run(job_of(folder=f), **settings).candidate.model for f in (tmp_path, tmp_path / "b")
    )
    assert all(
        torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True)
    )


def test_recurrent_matrices_are_masked_too():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.head = nn.LSTM(4, 8, batch_first=True), nn.Linear(8, 2)

    masks = masks_of(Net(), PruningSettings(method="unstructured", pruning_ratio=0.5))
    assert set(masks) == {"rnn.weight_ih_l0", "rnn.weight_hh_l0", "head.weight"}


def test_two_of_four_holds_after_training_and_in_the_exported_file(job_of, digits_task):
    outcome = _run(job_of(), method="n_m")
    pattern = outcome.evidence["pattern"].set_index("layer")
    assert pattern.loc[["3", "6", "9", "14"], "holds"].all()
    assert "4 does not divide" in pattern.loc["0", "why"]
    assert any("no sparse kernels" in note and "Ampere" in note for note in outcome.notes)
    assert any("`0`" in note for note in outcome.notes)
    rows = digits_task.example(4, outcome.candidate.prepare)
    assert predictor(to_onnx(outcome.candidate, rows)).predict(rows).shape == (4, 10)


def test_pattern_keeps_the_largest_of_every_four_along_the_input():
    model = nn.Sequential(nn.Conv2d(4, 1, (1, 2), bias=False))
    with torch.no_grad():
        model[0].weight.copy_(
            torch.tensor([[1.0, 8.0], [-3.0, 1.0], [2.0, -7.0], [0.5, 2.0]])[None, :, None, :]
        )
    masks, left = n_m_masks(model)
    assert masks["0.weight"][0, :, 0, 0].tolist() == [False, True, True, False]
    assert masks["0.weight"][0, :, 0, 1].tolist() == [True, False, True, False]
    assert left == ()
    table = check_n_m(model)
    assert not table.holds.item()
    assert table.why.item() == "2 of 2 windows have more than 2"


def test_pattern_that_fits_no_layer_is_refused():
    with pytest.raises(CandidateError, match="fits no layer"):
        n_m_masks(nn.Sequential(nn.Linear(6, 3)))


def test_network_without_matrices_is_refused(job_of):
    with pytest.raises(CandidateError, match="no kernel or matrix"):
        masks_of(nn.Sequential(nn.Embedding(4, 4)), PruningSettings(method="unstructured"))


def test_candidate_keeps_its_name_and_form(job_of):
    candidate = _run(job_of(), method="unstructured", fit={"epochs": 0}).candidate
    assert isinstance(candidate, Candidate)
    assert candidate.parent == "cnn"
