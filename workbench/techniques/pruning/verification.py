"""Groups whose removal was tested on a copy before a network is pruned.

torch-pruning cannot follow every operator (a `view` with fixed sizes, channels selected by number).
A group that it followed wrongly is protected with the reason; the rest of the network can still be
pruned.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from workbench.models.networks import copied
from workbench.techniques.pruning.attention import Attention
from workbench.techniques.pruning.comparison import difference, failure
from workbench.techniques.pruning.copies import without_channels, zeroed_copy
from workbench.techniques.pruning.graph import Inputs, channel_graph
from workbench.techniques.pruning.groups import Group
from workbench.techniques.pruning.heads import find_attention, with_random_attention
from workbench.techniques.pruning.masks import is_inside
from workbench.techniques.pruning.outputs import output_layers

if TYPE_CHECKING:
    from torch import nn

__all__ = ["EXPECTED_REASONS", "verified_groups"]

OUTPUTS = "its channels are the outputs"
IGNORED = "named in `ignored_layers`"
ONE_CHANNEL = "it has one channel only"
MULTI_HEAD = (
    "it is the width of an `nn.MultiheadAttention`, whose attention heads together must have this "
    "width"
)
EXPECTED_REASONS = (OUTPUTS, IGNORED, ONE_CHANNEL)
"""Reasons for protection that need no note: every network has such groups, or the user asked."""


def verified_groups(
    model: nn.Module, inputs: Inputs, ignored: Sequence[str] = ()
) -> tuple[Group, ...]:
    """All groups of a network; those that cannot be pruned correctly are protected.

    The test removes half of the channels of a group. The outputs must equal those of the whole
    network in which all weights that read these channels are zero. Groups with a norm over channels
    change their values, so only the shape of the outputs is compared; in networks with attention
    also the values without these norms. `find_attention` has tested the heads of attention.
    """
    layers = find_attention(model, inputs)
    groups = _all_groups(model, inputs, ignored, layers.found)
    tested_model = model
    if layers.linear:
        tested_model = with_random_attention(model, inputs, layers.linear)
    test = _Test(tested_model, inputs, layers.found, has_attention=bool(layers.linear))
    for mixes in (False, True):
        tested = [g for g in groups if _is_tested(g) and g.mixes == mixes]
        if tested and test.problem(tested):
            problems = {g.root: test.problem([g]) for g in tested}
            groups = tuple(
                replace(g, protected=problems.get(g.root) or g.protected) for g in groups
            )
    return groups


def _is_tested(group: Group) -> bool:
    return not group.protected and group.attention is None


def _all_groups(
    model: nn.Module, inputs: Inputs, ignored: Sequence[str], attentions: Sequence[Attention]
) -> tuple[Group, ...]:
    outputs = output_layers(copied(model).eval(), dict(inputs))
    twin = copied(model)
    with channel_graph(twin, inputs, attentions=attentions) as graph:
        multi_head = graph.attention_layers()
        groups = graph.groups()
    return tuple(replace(g, protected=_reason(g, outputs, ignored, multi_head)) for g in groups)


def _reason(
    group: Group, outputs: set[str], ignored: Collection[str], multi_head: Collection[str]
) -> str:
    """The reason to protect a group without a test; empty if there is none."""
    if any(layer in outputs for layer in group.layers):
        return OUTPUTS
    if any(is_inside(layer, ignored) for layer in group.layers):
        return IGNORED
    if any(is_inside(member.layer, multi_head) for member in group.members):
        return MULTI_HEAD
    return group.protected or (ONE_CHANNEL if group.n_units < 2 else "")


@dataclass(frozen=True)
class _Test:
    """A test of groups on copies of a network."""

    model: nn.Module
    inputs: Inputs
    attentions: Sequence[Attention]
    has_attention: bool

    def problem(self, groups: Sequence[Group]) -> str:
        """The problem when half of the channels of these groups are removed; empty if none.

        Tested twice: with the first channels, and with channels in no regular pattern.
        """
        first_half = {g.root: _first_half(g) for g in groups}
        random_half = {g.root: _random_half(g) for g in groups}
        problem = self._problem_without(groups, first_half)
        return problem or self._problem_without(groups, random_half)

    def _problem_without(
        self, groups: Sequence[Group], channels: Mapping[str, Sequence[int]]
    ) -> str:
        """The problem when these channels are removed; empty if there is none."""
        parts = (self.model, self.inputs, channels, self.attentions)
        try:
            pruned = without_channels(*parts).eval()
            zeroed = zeroed_copy(*parts).eval()
        except Exception as error:  # any error of torch-pruning
            return failure(error)
        mixes = any(g.mixes for g in groups)
        problem = difference(pruned, zeroed, self.inputs, values=not mixes)
        if problem or not mixes or not self.has_attention:
            return problem
        if not (_without_layer_norms(pruned) and _without_layer_norms(zeroed)):
            return ""
        return difference(pruned, zeroed, self.inputs)


def _without_layer_norms(model: nn.Module) -> bool:
    """Make layer norms scale and shift only, in place; False if the network has other such norms.

    Then channels do not change each other's values, and a pruned network can be compared by value:
    `view(b, n, -1, c // n_heads)` computes with a narrower `c`, but with other heads.
    """
    from torch import nn

    norms = [m for m in model.modules() if isinstance(m, (nn.LayerNorm, nn.GroupNorm))]
    for norm in norms:
        if isinstance(norm, nn.GroupNorm) or len(norm.normalized_shape) > 1:
            return False
        norm.register_forward_hook(_scaled_and_shifted)
    return True


def _scaled_and_shifted(norm: Any, arguments: tuple[Any, ...], _: Any) -> Any:
    scaled = arguments[0] if norm.weight is None else arguments[0] * norm.weight
    return scaled if norm.bias is None else scaled + norm.bias


def _first_half(group: Group) -> list[int]:
    """The first half of the units."""
    return group.channels_of(range(group.n_units // 2))


def _random_half(group: Group) -> list[int]:
    """Half of the units, in no regular pattern, always the same."""
    import torch

    generator = torch.Generator().manual_seed(group.n_units)
    order = torch.randperm(group.n_units, generator=generator)
    return group.channels_of(order[: group.n_units // 2].tolist())
