"""Networks whose blocks were removed, loaded into a template that has all blocks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from workbench.errors import CandidateError
from workbench.keeping.structure import read_network, save_network
from workbench.techniques.pruning.depth import without_blocks

ROWS = {"x": torch.randn(4, 5, 8, generator=torch.Generator().manual_seed(0))}


class Mixer(nn.Module):
    """A block that takes a mask; `function` is no number, so it is not kept."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.function = (torch.relu, torch.tanh, torch.sigmoid)[number % 3]
        self.dense = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        return x + self.function(self.dense(x))


class Narrow(nn.Module):
    """A block of another kind that takes a mask."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(8, 4), nn.Linear(4, 8)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        return x + self.up(torch.relu(self.down(x)))


class Stack(nn.Module):
    """Blocks in a list; it decides on values of the data, so it loads into a template only."""

    def __init__(self, blocks: list[nn.Module]) -> None:
        super().__init__()
        self.blocks, self.head = nn.ModuleList(blocks), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if bool(x.sum() > 1e9):
            x = x * 2
        for block in self.blocks:
            x = block(x, None)
        return self.head(x.mean(1))


class OtherStack(Stack):
    """Another class than the kept one."""


def equal_blocks() -> Stack:
    return Stack([Mixer(number) for number in range(4)])


def mixed_blocks() -> Stack:
    return Stack([Mixer(0), Narrow(), Mixer(2), Narrow()])


@pytest.mark.parametrize("make", [equal_blocks, mixed_blocks])
@pytest.mark.parametrize("removed", [[0], [1], [3], [0, 1], [1, 2, 3], [0, 1, 2, 3]])
def test_template_loses_the_blocks_that_the_kept_network_lost(make, removed, tmp_path: Path):
    net = without_blocks(make(), [f"blocks.{number}" for number in removed]).eval()
    assert save_network(net, tmp_path, ROWS)["graph"] is None
    template = make()
    loaded = read_network(tmp_path, template)
    assert list(loaded.state_dict()) == list(net.state_dict())
    assert torch.equal(loaded(ROWS["x"]), net(ROWS["x"]))
    assert len(template.blocks) == 4, "the template itself is not changed"


def test_narrowed_blocks_are_found_among_those_of_the_template(tmp_path: Path):
    net = without_blocks(mixed_blocks(), ["blocks.0", "blocks.2"]).eval()
    net.blocks[0].down, net.blocks[0].up = nn.Linear(8, 2), nn.Linear(2, 8)
    net.blocks[1].up = nn.Identity()
    net.blocks[1].down = nn.Linear(8, 8)
    save_network(net, tmp_path, ROWS)
    assert torch.equal(read_network(tmp_path, mixed_blocks())(ROWS["x"]), net(ROWS["x"]))


def test_template_with_fewer_or_other_blocks_is_refused(tmp_path: Path):
    save_network(mixed_blocks().eval(), tmp_path / "whole", ROWS)
    with pytest.raises(CandidateError, match=r"`blocks.3.down` \(Linear\) is not in the template"):
        read_network(tmp_path / "whole", Stack([Mixer(0), Narrow(), Mixer(2)]))
    empty = without_blocks(equal_blocks(), [f"blocks.{number}" for number in range(4)]).eval()
    save_network(empty, tmp_path / "empty", ROWS)
    with pytest.raises(CandidateError, match=r"no weights for `blocks.0.dense.weight`"):
        read_network(tmp_path / "empty", OtherStack([Mixer(0)]))
