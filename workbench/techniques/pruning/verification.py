"""Groups whose removal was tested on a copy before a network is pruned.

torch-pruning cannot follow every operator (a `view` with fixed sizes, channels selected by number).
A group that it followed wrongly is protected with the reason; the rest of the network can still be
pruned.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.models.networks import call_model, first_tensor
from workbench.techniques.pruning.graph import (
    Inputs,
    channel_graph,
    without_channels,
    zeroed_copy,
)
from workbench.techniques.pruning.groups import Group
from workbench.techniques.pruning.masks import is_inside
from workbench.techniques.pruning.outputs import output_layers

if TYPE_CHECKING:
    from torch import nn

__all__ = ["EXPECTED_REASONS", "verified_groups"]

OUTPUTS = "its channels are the outputs"
IGNORED = "named in `ignored_layers`"
ONE_CHANNEL = "it has one channel only"
EXPECTED_REASONS = (OUTPUTS, IGNORED, ONE_CHANNEL)
"""Reasons for protection that need no note: every network has such groups, or the user asked."""


def verified_groups(
    model: nn.Module, inputs: Inputs, ignored: Sequence[str] = ()
) -> tuple[Group, ...]:
    """All groups of a network; those that cannot be pruned correctly are protected.

    The test removes half of the channels of a group. The outputs must equal those of the whole
    network in which all weights that read these channels are zero. Groups with a norm over channels
    change their values, so only the shape of the outputs is compared.
    """
    groups = _all_groups(model, inputs, ignored)
    for mixes in (False, True):
        tested = [g for g in groups if not g.protected and g.mixes == mixes]
        if tested and _problem(model, inputs, tested):
            problems = {g.root: _problem(model, inputs, [g]) for g in tested}
            groups = tuple(
                replace(g, protected=problems.get(g.root) or g.protected) for g in groups
            )
    return groups


def _all_groups(model: nn.Module, inputs: Inputs, ignored: Sequence[str]) -> tuple[Group, ...]:
    outputs = output_layers(copy.deepcopy(model).eval(), dict(inputs))
    copied = copy.deepcopy(model)
    with channel_graph(copied, inputs) as graph:
        attention = graph.attention_layers()
        groups = [group for group, _ in graph.groups()]
    return tuple(replace(g, protected=_reason(g, outputs, ignored, attention)) for g in groups)


def _reason(
    group: Group, outputs: set[str], ignored: Collection[str], attention: Collection[str]
) -> str:
    """The reason to protect a group without a test; empty if there is none."""
    if any(layer in outputs for layer in group.layers):
        return OUTPUTS
    if any(is_inside(layer, ignored) for layer in group.layers):
        return IGNORED
    if any(is_inside(member.layer, attention) for member in group.members):
        return "attention heads would lose unequal parts"
    return ONE_CHANNEL if group.part_size < 2 else ""


def _problem(model: nn.Module, inputs: Inputs, groups: Sequence[Group]) -> str:
    """The problem when half of the channels of these groups are removed; empty if there is none.

    Tested twice: with the first channels, and with channels in no regular pattern.
    """
    first_half = {g.root: _first_half(g) for g in groups}
    random_half = {g.root: _random_half(g) for g in groups}
    problem = _problem_without(model, inputs, groups, first_half)
    return problem or _problem_without(model, inputs, groups, random_half)


def _problem_without(
    model: nn.Module, inputs: Inputs, groups: Sequence[Group], channels: Mapping[str, Sequence[int]]
) -> str:
    """The problem when these channels are removed; empty if there is none."""
    import torch

    try:
        pruned = without_channels(model, inputs, channels).eval()
        zeroed = zeroed_copy(model, inputs, channels).eval()
        with torch.no_grad():
            expected = first_tensor(call_model(zeroed, inputs))
            outputs = first_tensor(call_model(pruned, inputs))
    except Exception as error:  # any error of a user's `forward` or of torch-pruning
        first_line = str(error).splitlines()[0] if str(error) else ""
        return (
            f"the network fails without some of its channels ({type(error).__name__}: {first_line})"
        )
    if outputs.shape != expected.shape:
        return f"the outputs change from {tuple(expected.shape)} to {tuple(outputs.shape)}"
    if any(g.mixes for g in groups):
        return ""
    scale = float(expected.abs().max()) + 1e-6
    if not torch.allclose(outputs, expected, rtol=1e-3, atol=1e-4 * scale):
        return (
            "its channels are used in a way that cannot be followed (selected by number, or "
            "averaged)"
        )
    return ""


def _first_half(group: Group) -> list[int]:
    """The first half of the channels of each part."""
    return group.in_all_parts(range(group.part_size // 2))


def _random_half(group: Group) -> list[int]:
    """Half of the channels of each part, in no regular pattern, always the same."""
    import torch

    generator = torch.Generator().manual_seed(group.part_size)
    order = torch.randperm(group.part_size, generator=generator)
    return group.in_all_parts(order[: group.part_size // 2].tolist())
