"""Depth pruning: blocks that keep the shape can be removed, the least needed first."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests import networks
from workbench.errors import CandidateError
from workbench.keeping.structure import describe
from workbench.runtimes.to_onnx import to_onnx
from workbench.task import Candidate
from workbench.techniques import get_technique
from workbench.techniques.pruning import PruningSettings
from workbench.techniques.pruning.depth import removable_blocks, without_blocks


def test_blocks_of_a_residual_network_are_those_without_a_change_of_shape(digits_task):
    candidate, _ = digits_task.candidate("resnet20")
    blocks = removable_blocks(candidate.model, networks.IMAGE)
    assert blocks == tuple(f"blocks.{i}" for i in (0, 1, 2, 4, 5, 7, 8))
    assert "blocks.4" not in removable_blocks(candidate.model, networks.IMAGE, ["blocks.4"])


def test_layers_of_a_transformer_encoder_are_removed_and_it_is_kept():
    torch.manual_seed(0)
    model = networks.Encoder().eval()
    assert removable_blocks(model, networks.TOKENS) == ("encoder.layers.0", "encoder.layers.1")
    pruned = without_blocks(model, ["encoder.layers.0"])
    assert pruned(**networks.TOKENS).shape == (2, 3)
    assert describe(pruned, networks.TOKENS)["reason"] is None


def test_fraction_of_the_blocks_is_removed_and_the_rest_runs_and_is_exported(job_of, digits_task):
    candidate, _ = digits_task.candidate("resnet20")
    settings = PruningSettings(method="depth", pruning_ratio=0.4, budget="smoke", fit={"epochs": 0})
    outcome = get_technique("pruning")(job_of(start=candidate), settings)
    pruned = outcome.candidate.model
    assert sum(isinstance(b, nn.Identity) for b in pruned.blocks) == 3
    table = outcome.evidence["blocks"]
    assert table.groupby("turn").removed.sum().tolist() == [1, 1, 1]
    assert "3 of 7 blocks" in outcome.notes[0]
    assert to_onnx(outcome.candidate, digits_task.example(4)).form == "onnx"


class TwoBlocks(nn.Module):
    """A block without which the outputs are wrong, and one that computes the identity."""

    def __init__(self, model):
        super().__init__()
        self.needed = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1))
        self.idle = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1))
        self.model = model
        with torch.no_grad():
            for block, value in ((self.needed, -1.0), (self.idle, 1.0)):
                for layer, v in zip(block, (value, 1.0), strict=True):
                    layer.weight.fill_(v)
                    layer.bias.zero_()

    def forward(self, x):
        return self.model(-self.needed(self.idle(x)))


def test_least_needed_block_is_removed(job_of, digits_cnn):
    start = Candidate("marked", "torch", TwoBlocks(digits_cnn.model), prepare=digits_cnn.prepare)
    settings = PruningSettings(method="depth", pruning_ratio=0.5, budget="smoke", fit={"epochs": 0})
    table = get_technique("pruning")(job_of(start=start), settings).evidence["blocks"]
    assert table[table.removed].block.item() == "idle"


def test_network_without_blocks_is_refused(job_of):
    with pytest.raises(CandidateError, match="no block can be removed.*structured"):
        get_technique("pruning")(job_of(), PruningSettings(method="depth"))
