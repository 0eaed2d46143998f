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

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Group", "Member", "groups_table"]


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
    directions of a recurrent layer). `protected` is the reason why the group is not pruned; empty
    where it may be pruned.
    """

    root: str
    channels: int
    members: tuple[Member, ...]
    n_parts: int = 1
    protected: str = ""

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers whose outputs are tied in this group."""
        return tuple(m.layer for m in self.members if m.gives_channels)

    @property
    def part_size(self) -> int:
        """Number of channels in each part."""
        return self.channels // self.n_parts

    @property
    def mixes(self) -> bool:
        """Whether a norm over channels makes the value of a channel depend on the others."""
        return any(m.role == "norm over channels" for m in self.members)

    def in_all_parts(self, channels: Sequence[int]) -> list[int]:
        """Channel numbers in the whole group from numbers in one part, sorted."""
        return sorted(
            int(channel) + part * self.part_size
            for part in range(self.n_parts)
            for channel in channels
        )


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
