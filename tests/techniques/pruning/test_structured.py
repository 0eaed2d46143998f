"""Structured pruning: channels are removed, outputs protected, and wrong requests refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from workbench.errors import CandidateError, SettingsError
from workbench.measure.cost import macs_torch
from workbench.task import Candidate
from workbench.techniques import get_technique
from workbench.techniques.pruning import PruningSettings, output_layers

NO_FIT = {"epochs": 0}


def _prune(job, **settings):
    return get_technique("pruning")(job, PruningSettings(fit=NO_FIT, **settings))


def test_half_of_the_channels_leave_about_a_quarter_of_the_work(job_of, digits_task):
    job = job_of()
    outcome = _prune(job, pruning_ratio=0.5)
    rows = digits_task.example(1)
    share = macs_torch(outcome.candidate.model, rows) / macs_torch(job.start.model, rows)
    assert 0.2 < share < 0.35
    widths = outcome.evidence["widths"].set_index("layer")
    assert (
        widths.loc[~widths.protected, "channels_after"]
        .eq(widths.loc[~widths.protected, "channels"] / 2)
        .all()
    )


def test_output_layer_is_protected_without_being_named(job_of):
    outcome = _prune(job_of(), pruning_ratio=0.9)
    widths = outcome.evidence["widths"].set_index("layer")
    assert widths.protected.sum() == 1
    assert widths[widths.protected].channels_after.item() == 10


@pytest.mark.parametrize("scope", ["uniform", "global"])
def test_skips_and_single_ratios_are_respected(scope, digits_task, job_of):
    candidate, _ = digits_task.candidate("resnet20")
    outcome = _prune(
        job_of(start=candidate), pruning_ratio=0.5, scope=scope, ignored_layers=["blocks.4.conv1"]
    )
    widths = outcome.evidence["widths"].set_index("layer").channels_after
    assert widths["blocks.4.conv1"] == 32
    assert widths["blocks.0.conv2"] == widths["stem.0"], "layers tied by a skip agree"
    with torch.no_grad():
        assert outcome.candidate.model(torch.zeros(3, 1, 8, 8)).shape == (3, 10)


def test_unknown_layers_are_refused_with_the_nearest(job_of):
    with pytest.raises(SettingsError, match="Unknown layer `33`.*Valid: "):
        _prune(job_of(), ignored_layers=["33"])


class Fixed(nn.Module):
    """A shape written into `forward`."""

    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 16, 3, padding=1), nn.Linear(16 * 64, 10)

    def forward(self, x):
        return self.head(torch.relu(self.conv(x)).view(-1, 16 * 64))


def test_shape_written_into_forward_is_told(job_of):
    with pytest.raises(
        CandidateError,
        match=r"No layer of this network can lose channels: `conv`.*"
        r"written as numbers.*unstructured",
    ):
        _prune(job_of(start=Candidate("fixed", "torch", Fixed())))


class PartlyFixed(nn.Module):
    """A network with one layer that cannot be followed: channels are selected by number."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.head = (
            nn.Conv2d(1, 8, 3, padding=1),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.Linear(16, 10),
        )
        self.side = nn.Linear(4, 10)

    def forward(self, x):
        x = torch.relu(self.first(x))
        return self.head(torch.relu(self.second(x)).mean((2, 3))) + self.side(
            x.mean((2, 3))[:, 2:6]
        )


def test_layer_that_cannot_be_followed_is_named_and_the_rest_is_cut(job_of):
    outcome = _prune(job_of(start=Candidate("partly", "torch", PartlyFixed())))
    widths = outcome.evidence["widths"].set_index("layer").channels_after
    assert widths.to_dict() == {"first": 8, "second": 8, "head": 10, "side": 10}
    assert any("`first`" in note and "`ignored_layers`" in note for note in outcome.notes)


@pytest.mark.parametrize("scope", ["uniform", "global"])
def test_ratio_that_empties_a_layer_is_refused_with_the_largest_that_does_not(scope, job_of):
    with pytest.raises(
        SettingsError, match=r"`pruning_ratio` 0\.99 leaves .*empty: at most 0\.9\d+ keeps"
    ):
        _prune(job_of(), pruning_ratio=0.99, scope=scope)


def test_largest_ratio_that_is_named_is_taken(job_of):
    with pytest.raises(SettingsError, match="at most 0.9687") as refused:
        _prune(job_of(), pruning_ratio=0.98)
    named = float(str(refused.value).split("at most ")[1].split()[0])
    widths = _prune(job_of(), pruning_ratio=named, round_to=1).evidence["widths"]
    assert widths.channels_after.min() == 1


def test_nan_weights_are_found_before_anything_is_done(job_of, digits_cnn):
    import copy

    broken = copy.deepcopy(digits_cnn.model)
    broken[3].weight.data[0, 0] = float("nan")
    with pytest.raises(CandidateError, match=r"NaN or infinite: `3.weight`"):
        _prune(job_of(start=dataclasses.replace(digits_cnn, model=broken)))


def test_batch_norm_scales_are_refused_when_there_is_no_batch_norm(job_of):
    plain = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    with pytest.raises(SettingsError, match="needs batch normalization.*Use l2 or taylor"):
        _prune(job_of(start=Candidate("plain", "torch", plain)), importance="bn_scale")


@pytest.mark.parametrize("importance", ["l1", "taylor", "bn_scale", "random"])
def test_every_importance_removes_as_much_and_repeats_itself(importance, job_of, digits_task):
    first, again = (_prune(job_of(), importance=importance).candidate.model for _ in range(2))
    assert all(
        torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True)
    )
    assert first[0].out_channels == 16


def test_importance_chooses_other_channels_than_chance(job_of):
    weights = {
        i: _prune(job_of(), importance=i).candidate.model[0].weight
        for i in ("l2", "random", "taylor")
    }
    assert not torch.equal(weights["l2"], weights["random"])
    assert not torch.equal(weights["taylor"], weights["random"])


def test_channel_with_the_smallest_weights_goes_first(job_of, digits_cnn):
    import copy

    model = copy.deepcopy(digits_cnn.model)
    with torch.no_grad():
        for part in (model[3].weight, model[4].weight, model[4].bias):
            part[7] = 0
        model[6].weight[:, 7] = 0
    kept = _prune(
        job_of(start=dataclasses.replace(digits_cnn, model=model)),
        ratios={"3": 1 / 64},
        pruning_ratio=0,
        round_to=1,
    )
    assert torch.equal(
        kept.candidate.model[3].weight, torch.cat([model[3].weight[:7], model[3].weight[8:]])
    )


def test_groups_say_what_is_tied_and_why_it_is_left(digits_task, job_of):
    candidate, _ = digits_task.candidate("resnet20")
    groups = _prune(job_of(start=candidate), ignored_layers=["blocks.4"]).evidence["groups"]
    tied = groups[groups.layer == "stem.0"].group.item()
    assert set(groups[(groups.group == tied) & (groups.role == "out")].layer) == {
        "stem.0",
        *(f"blocks.{i}.conv2" for i in range(3)),
    }
    assert (
        groups[groups.layer == "head"].query("role == 'out'").why.item()
        == "its channels are the outputs"
    )
    assert (
        groups[groups.layer == "blocks.4.conv1"].query("role == 'out'").why.item()
        == "named in `ignored_layers`"
    )


def test_iterations_end_at_the_same_widths_and_share_the_epochs(job_of):
    outcome = get_technique("pruning")(
        job_of(), PruningSettings(iterations=2, fit={"epochs": 2, "max_steps": 4})
    )
    at_once = _prune(job_of()).evidence["widths"]
    assert outcome.evidence["widths"].equals(at_once)
    assert outcome.evidence["fit"].iteration.tolist() == [1, 2]
    assert outcome.evidence["fit"].epoch.tolist() == [1, 2]


def test_distillation_pulls_towards_the_parent(job_of, digits_task, digits_cnn, tmp_path):
    from workbench.training.evaluate import predict_torch

    rows = digits_task.data.valid
    parent = predict_torch(digits_cnn.model, rows, prepare=digits_cnn.prepare)

    def gap(alpha):
        distillation = {"distill_alpha": alpha, "distill_temperature": 2.0} if alpha else {}
        settings = PruningSettings(fit={"epochs": 3, "precision": "fp32"}, **distillation)
        (tmp_path / str(alpha)).mkdir()  # each run has a checkpoint of its own
        model = get_technique("pruning")(
            job_of(folder=tmp_path / str(alpha)), settings
        ).candidate.model
        return float(np.abs(predict_torch(model, rows, prepare=digits_cnn.prepare) - parent).mean())

    assert gap(1.0) < gap(0.0)


def test_another_teacher_answers_where_it_is_named(job_of, digits_task, digits_cnn, tmp_path):
    settings = PruningSettings(
        distill_alpha=1.0,
        distill_from="teacher",
        fit={"epochs": 1, "max_steps": 3, "precision": "fp32"},
    )
    assert get_technique("pruning").referred(settings) == ("teacher",)
    assert get_technique("pruning").referred(PruningSettings()) == ()
    batch_sizes = []
    teacher = dataclasses.replace(
        digits_cnn, model=nn.Sequential(digits_cnn.model, _Recorder(batch_sizes))
    )
    get_technique("pruning")(job_of(others={"teacher": teacher}), settings)
    assert len(batch_sizes) >= 3
    with pytest.raises(SettingsError, match="does not take the same rows as `cnn`"):
        get_technique("pruning")(
            job_of(others={"teacher": dataclasses.replace(teacher, prepare=None)}), settings
        )


class _Recorder(nn.Module):
    def __init__(self, batch_sizes):
        super().__init__()
        self.batch_sizes = batch_sizes

    def __deepcopy__(self, memo):
        return self

    def forward(self, x):
        self.batch_sizes.append(len(x))
        return x


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.a, self.b = nn.Linear(4, 8), nn.Linear(8, 3), nn.Linear(8, 3)

    def forward(self, x):
        h = torch.relu(self.body(x))
        return self.a(h) + self.b(h)


def test_output_layers_are_found_by_the_graph_whatever_the_architecture(digits_cnn):
    assert output_layers(TwoHeads(), {"x": torch.zeros(2, 4)}) == {"a", "b"}
    assert output_layers(digits_cnn.model, {"image": torch.zeros(2, 1, 8, 8)}) == {"14"}
    lstm = nn.LSTM(4, 8, batch_first=True)
    head = nn.Linear(8, 2)

    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.head = lstm, head

        def forward(self, x):
            return self.head(self.lstm(x)[0][:, -1])

    assert output_layers(Recurrent(), {"x": torch.zeros(2, 5, 4)}) == {"head"}


def test_fine_tuning_wins_back_accuracy(job_of, digits_task):
    from workbench.runtimes.outputs import outputs_on

    valid = digits_task.data.valid
    bare = digits_task.metric(outputs_on(_prune(job_of()).candidate, valid), valid.targets)
    tuned = get_technique("pruning")(job_of(), PruningSettings(fit={"epochs": 4})).candidate
    assert digits_task.metric(outputs_on(tuned, valid), valid.targets) > bare + 0.05


def test_resolved_settings_hold_the_measured_choices(job_of):
    job = job_of()
    unknown = dataclasses.replace(job.start, training={})
    outcome = get_technique("pruning")(job_of(start=unknown), PruningSettings(fit={"epochs": 6}))
    assert outcome.resolved.fit.precision in ("fp32", "bf16")
    assert outcome.resolved.fit.max_steps is None
    assert np.isfinite(outcome.evidence["fit"].train_loss).all()
