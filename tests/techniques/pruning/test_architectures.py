"""Structured pruning of many architectures: pruned, run, trained for a step, kept and exported."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from tests import networks
from workbench.errors import CandidateError
from workbench.keeping.structure import describe
from workbench.models.networks import call_model, first_tensor
from workbench.runtimes.to_onnx import to_onnx
from workbench.task import Candidate
from workbench.techniques.pruning.copies import without_channels
from workbench.techniques.pruning.outputs import output_shape, widths
from workbench.techniques.pruning.selection import (
    ChannelRatios,
    least_important,
    prunable_groups,
    pruned_copy,
    require_channels_left,
    scores_of,
)
from workbench.techniques.pruning.verification import verified_groups


class Sequences(nn.Module):
    """Tokens, a recurrent layer and two linear ones, which read all steps or the last state."""

    def __init__(
        self, kind: type[nn.RNNBase], n_layers: int, bidirectional: bool, last: bool = False
    ) -> None:
        super().__init__()
        self.embed, self.last = nn.Embedding(50, 16), last
        self.rnn = kind(16, 12, num_layers=n_layers, bidirectional=bidirectional, batch_first=True)
        self.mid, self.head = (
            nn.Linear(12 if last else 12 * (1 + bidirectional), 8),
            nn.Linear(8, 3),
        )

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        out, state = self.rnn(self.embed(tokens))
        return self.head(torch.relu(self.mid(state[-1] if self.last else out.mean(1))))


class Grouped(nn.Module):
    """Grouped convolution and group norm, whose parts must keep one width."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(1, 16, 3, padding=1), nn.Conv2d(16, 16, 3, padding=1, groups=4)
        self.norm, self.head = nn.GroupNorm(2, 16), nn.Linear(16, 3)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.norm(self.b(self.a(image)))).mean((2, 3)))


OURS = {
    "lstm, two layers, both ways": (lambda: Sequences(nn.LSTM, 2, True), networks.TOKENS),
    "gru, last state": (lambda: Sequences(nn.GRU, 2, False, last=True), networks.TOKENS),
    "rnn, free": (lambda: Sequences(nn.RNN, 1, False), networks.TOKENS),
    "grouped": (Grouped, networks.IMAGE),
}
ALL = {**networks.NETWORKS, **OURS}
# Nothing can be pruned: sizes as numbers in `forward`, or no layer but the outputs.
NOT_PRUNABLE = {"lstm", "gru", "rnn", "attention", "attention pruned", "two inputs", "linear alone"}


@pytest.fixture(params=ALL)
def network(request):
    torch.manual_seed(0)
    make, inputs = ALL[request.param]
    return request.param, make().eval(), inputs


def _prune(model, inputs, job, ratio=0.5):
    groups, notes = prunable_groups(model, inputs, [])
    ratios = ChannelRatios(ratio, {})
    require_channels_left(groups, ratios)
    scores = scores_of(model, inputs, groups, "l2", job)
    pruned = pruned_copy(model, inputs, least_important(scores, groups, ratios))
    return pruned, groups, notes


def test_network_is_pruned_trains_and_is_kept_or_says_why_not(network, job_of):
    name, model, inputs = network
    before = copy.deepcopy(model.state_dict())
    if name in NOT_PRUNABLE:
        with pytest.raises(
            CandidateError, match="No layer of this network can lose channels.*unstructured or n_m"
        ):
            prunable_groups(model, inputs, [])
        return
    pruned, groups, _ = _prune(model, inputs, job_of())
    assert sum(p.numel() for p in pruned.parameters()) < sum(p.numel() for p in model.parameters())
    assert output_shape(pruned, inputs) == output_shape(model, inputs)
    assert all(
        torch.equal(a, b) for a, b in zip(before.values(), model.state_dict().values(), strict=True)
    ), "input untouched"
    first_tensor(call_model(pruned.train(), inputs)).sum().backward()
    assert any(p.grad is not None for p in pruned.parameters())
    assert describe(pruned.eval(), inputs)["reason"] is None
    for group in groups:
        kept = widths(pruned).get(group.root, group.channels)
        assert kept == group.channels if group.protected else kept < group.channels


@pytest.mark.parametrize(
    "name",
    [
        "resnet20",
        "inverted residual",
        "dense",
        "transformer encoder",
        "lstm, two layers, both ways",
    ],
)
def test_pruned_network_is_exported(name, job_of):
    torch.manual_seed(0)
    make, inputs = ALL[name]
    pruned, _, _ = _prune(make().eval(), inputs, job_of())
    arrays = {k: np.concatenate([v.numpy()] * 2) for k, v in inputs.items()}
    assert to_onnx(Candidate("pruned", "torch", pruned), arrays).form == "onnx", (
        "outputs were compared"
    )


def test_attention_keeps_its_heads_while_the_layers_between_are_pruned(job_of):
    make, inputs = ALL["transformer encoder"]
    pruned, _, notes = _prune(make().eval(), inputs, job_of())
    assert pruned.encoder.layers[0].linear1.out_features == 16
    assert pruned.encoder.layers[0].self_attn.embed_dim == 16
    assert any("attention heads" in note for note in notes)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("n_layers", [1, 2])
def test_units_of_recurrent_layers_leave_all_gates(kind, n_layers):
    torch.manual_seed(0)
    model = Sequences(kind, n_layers, True).eval()
    removed = [0, 3, 5, 12 + 1, 12 + 2, 12 + 7]
    pruned = without_channels(model, networks.TOKENS, {"rnn": removed})
    assert pruned.rnn.hidden_size == 9
    zeroed = copy.deepcopy(model)
    with torch.no_grad():
        if n_layers == 1:
            zeroed.rnn.weight_hh_l0[:, [0, 3, 5]] = 0
            zeroed.rnn.weight_hh_l0_reverse[:, [1, 2, 7]] = 0
            zeroed.mid.weight[:, removed] = 0
            torch.testing.assert_close(pruned(**networks.TOKENS), zeroed(**networks.TOKENS))
    assert not [
        g for g in verified_groups(model, networks.TOKENS) if g.root == "rnn" and g.protected
    ], "checked by value"


def test_tied_weights_stay_one_and_frozen_ones_frozen(job_of):
    model = networks.Tied().eval()
    pruned, _, _ = _prune(model, networks.TOKENS, job_of())
    assert pruned.out.weight is pruned.embed.weight
    assert not pruned.mix.bias.requires_grad
    assert pruned.mix.weight.requires_grad
