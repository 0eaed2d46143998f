"""Attention loses whole heads or none, and the layers between are pruned at every ratio."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from tests.techniques.pruning.attention_networks import (
    IDS,
    LEFT_WHOLE,
    STEPS,
    WHOLE_HEADS,
    Fused,
    HeadsFromWidth,
    Own,
    SharedKeys,
    bert,
    gpt2,
)
from workbench.errors import CandidateError, SettingsError
from workbench.keeping.structure import read_network, save_network
from workbench.models.networks import call_model, first_tensor
from workbench.task import Candidate
from workbench.tasks.make import make_task
from workbench.technique import Job
from workbench.techniques import get_technique
from workbench.techniques.pruning import PruningSettings
from workbench.techniques.pruning.copies import without_channels, zeroed_copy
from workbench.techniques.pruning.depth import removable_blocks, without_blocks
from workbench.techniques.pruning.heads import find_attention, with_random_attention
from workbench.techniques.pruning.importance import channel_importance
from workbench.techniques.pruning.outputs import output_shape, widths
from workbench.techniques.pruning.selection import (
    ChannelRatios,
    least_important,
    prunable_groups,
    pruned_copy,
    require_channels_left,
    scores_of,
)

JOB = SimpleNamespace(seed=0)
RATIOS = (0.1, 0.3, 0.5, 0.7, 0.9)
HEADS_KEPT = {0.1: 4, 0.3: 3, 0.5: 2, 0.7: 1, 0.9: 1}  # of four, the nearest number
PAIRS_KEPT = {0.1: 2, 0.3: 1, 0.5: 1, 0.7: 1, 0.9: 1}  # of two pairs of heads


def _made(networks, name):
    torch.manual_seed(0)
    make, inputs = networks[name]
    return make().eval(), inputs


def _pruned(model, inputs, groups, scores, ratio, *, is_global=False):
    ratios = ChannelRatios(ratio, {}, round_to=4, is_global=is_global)
    require_channels_left(groups, ratios)
    return pruned_copy(model, inputs, least_important(scores, groups, ratios), groups)


@pytest.mark.parametrize("name", WHOLE_HEADS)
def test_heads_are_removed_whole_at_every_ratio(name):
    model, inputs = _made(WHOLE_HEADS, name)
    groups, notes = prunable_groups(model, inputs, [])
    assert not notes
    attentions = [g.attention for g in groups if g.attention]
    assert len(attentions) == 2
    scores = scores_of(model, inputs, groups, "l2", JOB)
    n_kept = PAIRS_KEPT if name == "shared keys" else HEADS_KEPT
    for ratio in RATIOS:
        pruned = _pruned(model, inputs, groups, scores, ratio)
        assert output_shape(pruned, inputs) == (2, 3)
        first_tensor(call_model(pruned.train(), inputs)).sum().backward()
        before, after = widths(model), widths(pruned)
        for attention in attentions:
            for layer in attention.layers:
                assert after[layer] == before[layer] * n_kept[ratio] // attention.n_units
        for group in groups:
            is_between = not group.protected and not group.attention
            assert not is_between or after[group.root] <= before[group.root] * (1 - ratio) + 4
    whole = _pruned(model, inputs, groups, scores, 0.9, is_global=True)
    assert output_shape(whole, inputs) == (2, 3)


@pytest.mark.parametrize("name", WHOLE_HEADS)
def test_network_without_heads_computes_as_if_nothing_read_them(name):
    model, inputs = _made(WHOLE_HEADS, name)
    layers = find_attention(model, inputs)
    model = with_random_attention(model, inputs, layers.linear)
    n_units = layers.found[0].n_units
    removed = {a.root: a.channels_of([0, n_units - 1][: n_units // 2]) for a in layers.found}
    with torch.no_grad():
        outputs, expected, before = (
            first_tensor(call_model(m.eval(), inputs))
            for m in (
                without_channels(model, inputs, removed),
                zeroed_copy(model, inputs, removed),
                model,
            )
        )
    torch.testing.assert_close(outputs, expected, rtol=1e-3, atol=1e-4)
    assert not torch.allclose(outputs, before, rtol=1e-3, atol=1e-3), "the heads mattered"


def test_numbers_that_forward_reads_follow_the_heads():
    model, inputs = _made(WHOLE_HEADS, "bert")
    groups, _ = prunable_groups(model, inputs, [])
    pruned = _pruned(model, inputs, groups, scores_of(model, inputs, groups, "l1", JOB), 0.5)
    attention = pruned.bert.encoder.layer[0].attention.self
    assert attention.num_attention_heads == 2
    assert attention.all_head_size == 16
    assert attention.attention_head_size == 8
    assert model.bert.encoder.layer[0].attention.self.num_attention_heads == 4, "input untouched"


def test_layouts_of_fused_and_shared_projections_are_seen():
    def units(make):
        (first, _) = find_attention(Own(make).eval(), STEPS).found
        return dict(first.projections)

    by_part = units(Fused)["blocks.0.attention.qkv"]
    assert by_part[1] == (*range(8, 16), *range(40, 48), *range(72, 80))
    by_head = units(lambda: Fused(by_head=True))["blocks.0.attention.qkv"]
    assert by_head[1] == tuple(range(24, 48))
    shared = units(SharedKeys)
    assert shared["blocks.0.attention.q"][0] == tuple(range(16))
    assert shared["blocks.0.attention.k"][0] == tuple(range(8))


@pytest.mark.parametrize("name", LEFT_WHOLE)
def test_attention_that_cannot_lose_heads_is_named_and_the_layers_between_are_pruned(name):
    model, inputs = _made(LEFT_WHOLE, name)
    groups, notes = prunable_groups(model, inputs, [])
    scores = scores_of(model, inputs, groups, "l2", JOB)
    between = [g for g in groups if not g.protected]
    assert {g.root.rpartition(".")[2] for g in between} <= {"up", "linear1"}
    assert any("Not pruned" in note and "heads" in note for note in notes)
    before = widths(model)
    for ratio in RATIOS:
        pruned = _pruned(model, inputs, groups, scores, ratio)
        assert output_shape(pruned, inputs) == (2, 3)
        after = widths(pruned)
        narrower = {layer for layer in before if after[layer] < before[layer]}
        assert {layer for layer in narrower if layer.endswith(("up", "linear1"))}


def test_network_that_torch_pruning_cannot_follow_is_refused_with_other_methods():
    with pytest.raises(CandidateError, match="GPT2.*cannot be followed.*`method` unstructured"):
        prunable_groups(gpt2().eval(), IDS, [])


def test_width_of_the_model_stays_where_it_decides_the_heads():
    groups, _ = prunable_groups(Own(HeadsFromWidth).eval(), STEPS, [])
    (width,) = [g for g in groups if g.root == "blocks.1.down"]
    assert "cannot be followed" in width.protected
    assert not any(g.protected for g in groups if g.attention)


class OneNumber(nn.Module):
    """Two attention layers in one module, whose number of heads is one attribute."""

    def __init__(self):
        super().__init__()
        self.n_heads = 4
        self.qkv1, self.out1 = nn.Linear(32, 96), nn.Linear(32, 32)
        self.qkv2, self.out2 = nn.Linear(32, 96), nn.Linear(32, 32)
        self.mid, self.head = nn.Linear(32, 32), nn.Linear(32, 3)

    def attended(self, x, qkv):
        q, k, v = qkv(x).unflatten(-1, (3, self.n_heads, 8)).permute(2, 0, 3, 1, 4).unbind(0)
        attended = nn.functional.scaled_dot_product_attention(q, k, v)
        return attended.transpose(1, 2).flatten(2)

    def forward(self, x):
        x = torch.relu(self.out1(self.attended(x, self.qkv1)))
        x = torch.relu(self.mid(x))
        return self.head(self.out2(self.attended(x, self.qkv2)).mean(1))


def test_attention_layers_that_share_their_number_of_heads_are_left_whole():
    groups, notes = prunable_groups(OneNumber().eval(), STEPS, [])
    assert all(g.protected for g in groups if g.attention)
    assert sum(bool(g.attention) for g in groups) == 2
    assert any("heads" in note for note in notes)


@pytest.mark.parametrize("name", ["bert", "vit", "fused by part"])
def test_pruned_transformer_is_kept_and_loads_with_and_without_its_class(name, tmp_path):
    model, inputs = _made(WHOLE_HEADS, name)
    groups, _ = prunable_groups(model, inputs, [])
    scores = scores_of(model, inputs, groups, "random", JOB)
    pruned = _pruned(model, inputs, groups, scores, 0.5).eval()
    assert save_network(pruned, tmp_path, inputs)["reason"] is None
    with torch.no_grad():
        expected = first_tensor(call_model(pruned, inputs))
        for template in (None, copy.deepcopy(model)):
            loaded = read_network(tmp_path, template)
            torch.testing.assert_close(first_tensor(call_model(loaded, inputs)), expected)


@pytest.mark.parametrize("name", ["bert", "roberta", "distilbert", "vit"])
def test_layers_of_a_transformer_are_blocks_that_can_be_removed(name):
    model, inputs = _made(WHOLE_HEADS, name)
    blocks = removable_blocks(model, inputs)
    assert len(blocks) == 2
    assert all(block.rpartition(".")[2] in "01" for block in blocks)
    for removed in ([blocks[0]], [blocks[1]], list(blocks)):
        assert output_shape(without_blocks(model, removed).eval(), inputs) == (2, 3)


@pytest.fixture(scope="module")
def ids_task():
    rows = np.random.default_rng(0).integers(5, 100, (120, 8))
    inputs = {"input_ids": rows, "attention_mask": np.ones_like(rows)}
    return make_task("ids", model=bert().eval(), train=(inputs, rows[:, 0] % 3)).without_test()


@pytest.mark.parametrize(
    "settings",
    [
        {"importance": "taylor", "scope": "global"},
        {"scope": "sensitivity", "budget": "smoke"},
        {"target": "macs", "pruning_ratio": 0.4},
        {"iterations": 2, "pruning_ratio": 0.9, "fit": {"epochs": 2, "max_steps": 2}},
    ],
    ids=lambda settings: " ".join(settings),
)
def test_bert_is_pruned_by_the_technique_in_every_scope(settings, ids_task, tmp_path):
    torch.manual_seed(0)
    start = Candidate("bert", "torch", bert().eval())
    job = Job(task=ids_task, start=start, folder=tmp_path)
    settings = PruningSettings(**{"fit": {"epochs": 0}, **settings})
    outcome = get_technique("pruning")(job, settings)
    heads = outcome.evidence["heads"].set_index("attention")
    assert heads.heads.tolist() == [4, 4]
    assert not heads.protected.any()
    for name, row in heads.iterrows():
        layer = outcome.candidate.model.get_submodule(name)
        assert layer.num_attention_heads == row.heads_after
        assert layer.query.out_features == 8 * row.heads_after
    assert outcome.evidence["widths"].eval("channels_after < channels").any()
    assert not outcome.notes


def test_heads_with_the_smallest_weights_go_first_and_single_ratios_are_respected():
    model, inputs = _made(WHOLE_HEADS, "bert")
    attention = model.bert.encoder.layer[0].attention
    with torch.no_grad():
        for layer in (attention.self.query, attention.self.key, attention.self.value):
            layer.weight[8:16] *= 0.1
        attention.output.dense.weight[:, 8:16] *= 0.1
    groups, _ = prunable_groups(model, inputs, [])
    scores = scores_of(model, inputs, groups, "l2", JOB)
    root = "bert.encoder.layer.0.attention.self.query"
    assert scores[root].shape == (4,)
    removed = least_important(scores, groups, ChannelRatios(0.0, {root: 0.25}))
    assert removed[root] == list(range(8, 16))


def test_ignored_attention_keeps_its_heads():
    model, inputs = _made(WHOLE_HEADS, "bert")
    groups, notes = prunable_groups(model, inputs, ["bert.encoder.layer.0.attention"])
    protected = {g.root: g.protected for g in groups if g.attention}
    assert protected["bert.encoder.layer.0.attention.self.query"] == "named in `ignored_layers`"
    assert not protected["bert.encoder.layer.1.attention.self.query"]
    assert not notes


def test_model_is_unchanged_by_the_search():
    model, _ = _made(WHOLE_HEADS, "bert")
    before = copy.deepcopy(model.state_dict())
    torch.manual_seed(1)
    state = torch.get_rng_state()
    assert len(find_attention(model, IDS).found) == 2
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(parameter.requires_grad for parameter in model.parameters())


class Norms(nn.Module):
    """A convolution with a batch norm, and a linear layer without one."""

    def __init__(self, affine):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 16, 3), nn.BatchNorm2d(16, affine=affine)
        self.mid, self.head = nn.Linear(16, 16), nn.Linear(16, 10)

    def forward(self, image):
        x = torch.relu(self.norm(self.conv(image))).mean((2, 3))
        return self.head(torch.relu(self.mid(x)))


def test_batch_norm_scales_are_refused_when_the_batch_norms_have_none():
    with pytest.raises(SettingsError, match="`importance` bn_scale needs the scales.*affine=False"):
        channel_importance("bn_scale", Norms(affine=False), seed=0)


def test_layers_without_a_batch_norm_are_scored_by_their_weights():
    model = Norms(affine=True).eval()
    inputs = {"image": torch.rand(2, 1, 8, 8)}
    with torch.no_grad():
        model.mid.weight[9] *= 0.01
        model.head.weight[:, 9] *= 0.01
    groups, _ = prunable_groups(model, inputs, [])
    scores = scores_of(model, inputs, groups, "bn_scale", JOB)
    assert int(scores["mid"].argmin()) == 9
