"""Structured pruning: channels really go, outputs are protected, and what cannot be pruned is told."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from workbench.errors import CandidateError, SettingsError
from workbench.measure.cost import macs_torch
from workbench.task import Candidate
from workbench.technique import get_technique
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
    assert widths.loc[~widths.protected, "channels_after"].eq(widths.loc[~widths.protected, "channels"] / 2).all()


def test_output_layer_is_protected_without_being_named(job_of):
    outcome = _prune(job_of(), pruning_ratio=0.9)
    widths = outcome.evidence["widths"].set_index("layer")
    assert widths.protected.sum() == 1
    assert widths[widths.protected].channels_after.item() == 10


@pytest.mark.parametrize("scope", ["uniform", "global"])
def test_skips_and_single_ratios_are_respected(scope, digits_task, job_of):
    candidate, _ = digits_task.candidate("resnet20")
    outcome = _prune(job_of(start=candidate), pruning_ratio=0.5, scope=scope, ignored_layers=["blocks.4.conv1"])
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
        CandidateError, match=r"(?s)pruned network (cannot run|.*output).*(A shape is written|name the last layer)"
    ):
        _prune(job_of(start=Candidate("fixed", "torch", Fixed())))


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
    from workbench.appraise import outputs_of

    valid = digits_task.data.valid
    bare = digits_task.metric(outputs_of(_prune(job_of()).candidate, valid), valid.targets)
    tuned = get_technique("pruning")(job_of(), PruningSettings(fit={"epochs": 4})).candidate
    assert digits_task.metric(outputs_of(tuned, valid), valid.targets) > bare + 0.05


def test_resolved_settings_hold_the_measured_choices(job_of):
    job = job_of()
    unknown = dataclasses.replace(job.start, training={})
    outcome = get_technique("pruning")(job_of(start=unknown), PruningSettings(fit={"epochs": 6}))
    assert outcome.resolved.fit.precision in ("fp32", "bf16")
    assert outcome.resolved.fit.max_steps is None
    assert np.isfinite(outcome.evidence["fit"].train_loss).all()
