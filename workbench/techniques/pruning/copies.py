"""Copies of a network without some of its channels, and with the same channels unused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from workbench.models.networks import copied
from workbench.techniques.pruning.attention import Attention
from workbench.techniques.pruning.graph import Inputs, channel_graph

if TYPE_CHECKING:
    from torch import nn

__all__ = ["without_channels", "zeroed_copy"]


def without_channels(
    model: nn.Module,
    inputs: Inputs,
    channels: Mapping[str, Sequence[int]],
    attentions: Sequence[Attention] | None = None,
) -> nn.Module:
    """A copy of the model without these channels (numbers, by the root of their group)."""
    twin = copied(model)
    with channel_graph(twin, inputs, attentions=attentions) as graph:
        graph.remove(channels)
    return twin


def zeroed_copy(
    model: nn.Module,
    inputs: Inputs,
    channels: Mapping[str, Sequence[int]],
    attentions: Sequence[Attention] | None = None,
) -> nn.Module:
    """A copy of the model in which all weights that read these channels are zero.

    Its outputs are those that the network without these channels must have.
    """
    twin = copied(model)
    with channel_graph(twin, inputs, attentions=attentions) as graph:
        graph.zero_readers(channels)
    return twin
