"""Groups of layers that must lose the same channels, as values and as a table.

Where a network adds, multiplies or concatenates, the layers around that operator are tied: one
channel is removed from all of them at once (Fang et al., "DepGraph: Towards Any Structural
Pruning", CVPR 2023):

    stem.out -- block.conv2.out -- block.bn2 -- next.conv1.in

This is one group. Its root, here `stem`, is the layer by which it is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.techniques.pruning.attention import Attention

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Group", "Member", "attentions_of", "groups_table", "heads_table"]


@dataclass(frozen=True)
class Member:
    """A layer in a group: its role and how many of its channels are tied.

    Roles: out, in, norm, norm over channels, depthwise, parameter.
    """

    layer: str
    role: str
    channels: int

    @property
    def gives_channels(self) -> bool:
        """Whether the tied channels are outputs of the layer."""
        return self.role in ("out", "depthwise")


@dataclass(frozen=True)
class Group:
    """Layers that lose the same channels.

    The channels form `n_parts` equal parts that must keep one width (grouped convolutions,
    directions of a recurrent layer). A unit is the smallest part that can be removed: a channel of
    each part, or a head of `attention`. `protected` is the reason why the group is not pruned;
    empty where it may be pruned.
    """

    root: str
    channels: int
    members: tuple[Member, ...]
    n_parts: int = 1
    protected: str = ""
    attention: Attention | None = None

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers whose outputs are tied in this group."""
        return tuple(m.layer for m in self.members if m.gives_channels)

    @property
    def n_units(self) -> int:
        """Number of units."""
        return self.attention.n_units if self.attention else self.channels // self.n_parts

    @property
    def unit_size(self) -> int:
        """Number of channels of the root in each unit."""
        return self.channels // self.n_units

    @property
    def weight(self) -> int:
        """Channels that a unit counts for when all groups are compared: the width of a head."""
        return self.attention.head_width if self.attention else 1

    @property
    def mixes(self) -> bool:
        """Whether a norm over channels makes the value of a channel depend on the others."""
        return any(m.role == "norm over channels" for m in self.members)

    def channels_of(self, units: Sequence[int]) -> list[int]:
        """Channel numbers of these units in the root, sorted."""
        if self.attention:
            return self.attention.channels_of(units)
        return sorted(
            int(unit) + part * self.n_units for part in range(self.n_parts) for unit in units
        )


def attentions_of(groups: Sequence[Group]) -> tuple[Attention, ...]:
    """The attention layers among these groups."""
    return tuple(group.attention for group in groups if group.attention)


def groups_table(
    groups: Sequence[Group], widths_before: Mapping[str, int], widths_after: Mapping[str, int]
) -> DataFrame:
    """Layers of each group with their widths, a row a member.

    Columns: group (number), layer, role, channels, channels_after, protected, why.
    """
    import pandas as pd

    rows = []
    for number, group in enumerate(groups, start=1):
        width_before = widths_before.get(group.root, group.channels)
        fraction = widths_after.get(group.root, group.channels) / width_before
        for member in group.members:
            channels_after = round(member.channels * fraction)
            if member.gives_channels:
                channels_after = widths_after.get(member.layer, channels_after)
            rows.append(
                {
                    "group": number,
                    "layer": member.layer,
                    "role": member.role,
                    "channels": member.channels,
                    "channels_after": channels_after,
                    "protected": bool(group.protected),
                    "why": group.protected,
                }
            )
    columns = ["group", "layer", "role", "channels", "channels_after", "protected", "why"]
    return pd.DataFrame(rows, columns=columns)


def heads_table(
    groups: Sequence[Group], widths_before: Mapping[str, int], widths_after: Mapping[str, int]
) -> DataFrame:
    """Heads of each attention whose heads can be told apart, a row an attention.

    Columns: attention, heads, heads_after, protected, why. Heads that share a key and a value count
    as one: they are removed together.
    """
    import pandas as pd

    rows = []
    for group in groups:
        if group.attention is None:
            continue
        fraction = widths_after[group.root] / widths_before[group.root]
        n_heads = group.attention.n_units
        rows.append(
            {
                "attention": group.attention.name,
                "heads": n_heads,
                "heads_after": round(n_heads * fraction),
                "protected": bool(group.protected),
                "why": group.protected,
            }
        )
    columns = ["attention", "heads", "heads_after", "protected", "why"]
    return pd.DataFrame(rows, columns=columns)
