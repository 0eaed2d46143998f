"""An attention layer whose heads are told apart, and the removal of whole heads.

    x -> projections (q, k, v, or one of all) -> heads -> output layer -> y

A unit is the smallest part that can be removed: a head, or the heads that share a key and a value
(Ainslie et al., "GQA: Training Generalized Multi-Query Transformer Models", 2023). The size of a
head stays, so the scale of the scores stays. The numbers that `forward` reads, such as `num_heads`
and `all_head_size`, are attributes of the modules around the layers; they are scaled with the
number of units.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Attention", "Units", "attribute_plans", "remove_heads", "zero_heads"]

Units = tuple[tuple[int, ...], ...]  # the channels of each unit
Attribute = tuple[str, str]  # path of a module, name of its attribute

HEADS = re.compile("head", re.IGNORECASE)
ONE_HEAD = re.compile(r"^(?!.*(all|total|inner)).*(dim|size|width|channels|^d_|per)", re.IGNORECASE)


@dataclass(frozen=True)
class Attention:
    """An attention layer: its projections with the channels of each unit, and the output layer.

    `columns` are the inputs of the output layer that each unit computes. `attributes` are numbers
    that are scaled with the number of units. `problem` says why no unit can be removed; it is empty
    if units can be removed.
    """

    projections: tuple[tuple[str, Units], ...]
    output: str
    columns: Units
    attributes: tuple[Attribute, ...] = ()
    problem: str = ""

    @property
    def root(self) -> str:
        """Name of the first projection, by which the group of the attention is named."""
        return self.projections[0][0]

    @property
    def name(self) -> str:
        """Path of the smallest module that holds all projections."""
        path = _common_path([name.split(".")[:-1] for name in self.layers])
        return ".".join(path) or self.root

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the projections."""
        return tuple(name for name, _ in self.projections)

    @property
    def n_units(self) -> int:
        """Number of units."""
        return len(self.columns)

    @property
    def inner_width(self) -> int:
        """Number of inputs of the output layer."""
        return sum(len(unit) for unit in self.columns)

    @property
    def head_width(self) -> int:
        """Number of the output layer's inputs that one unit computes."""
        return len(self.columns[0])

    def channels_of(self, units: Sequence[int]) -> list[int]:
        """Channels of the first projection in these units, sorted."""
        return _channels(self.projections[0][1], units)

    def units_of(self, channels: Sequence[int]) -> list[int]:
        """Units that hold these channels of the first projection, sorted."""
        chosen = set(channels)
        return [n for n, unit in enumerate(self.projections[0][1]) if chosen & set(unit)]


def remove_heads(model: nn.Module, attention: Attention, units: Sequence[int]) -> None:
    """Remove units from all layers of an attention, in place, and scale its attributes."""
    import torch_pruning as tp

    if not units:
        return
    for name, channels in attention.projections:
        layer: Any = model.get_submodule(name)
        tp.prune_linear_out_channels(layer, _channels(channels, units))
    output: Any = model.get_submodule(attention.output)
    tp.prune_linear_in_channels(output, _channels(attention.columns, units))
    n_kept = attention.n_units - len(units)
    for path, name in attention.attributes:
        module = model.get_submodule(path)
        setattr(module, name, getattr(module, name) * n_kept // attention.n_units)


def zero_heads(model: nn.Module, attention: Attention, units: Sequence[int]) -> None:
    """Set the weights that read these units to zero, in place; all widths stay."""
    output: Any = model.get_submodule(attention.output)
    output.weight[:, _channels(attention.columns, units)] = 0


def attribute_plans(model: nn.Module, attention: Attention) -> Iterator[tuple[Attribute, ...]]:
    """Sets of attributes to scale, the most likely one first.

    First the numbers with "head" in their name (`num_heads`, `all_head_size`), but not the size of
    one head. Then also numbers of another name that equal the inner width, the number of units, or
    both.
    """
    numbers = {
        (path, name): value
        for path in _modules_around(attention)
        for name, value in vars(model.get_submodule(path)).items()
        if type(value) is int and not name.startswith("_") and not value % attention.n_units
    }
    heads = {a for a in numbers if HEADS.search(a[1]) and not ONE_HEAD.search(a[1])}
    widths = {a for a, value in numbers.items() if value == attention.inner_width}
    counts = {
        a
        for a, value in numbers.items()
        if value == attention.n_units and not ONE_HEAD.search(a[1])
    }
    plans = [heads, heads | widths, heads | counts, heads | widths | counts, set()]
    yield from dict.fromkeys(tuple(sorted(plan)) for plan in plans)


def _channels(channels: Units, units: Sequence[int]) -> list[int]:
    return sorted(channel for unit in units for channel in channels[unit])


def _modules_around(attention: Attention) -> list[str]:
    """Paths of the modules that hold the layers, up to the smallest that holds all of them."""
    paths = [name.split(".")[:-1] for name in (*attention.layers, attention.output)]
    n_common = len(_common_path(paths))
    return sorted({".".join(p[:n]) for p in paths for n in range(n_common, len(p) + 1)})


def _common_path(paths: Sequence[Sequence[str]]) -> list[str]:
    """The first parts that all paths share."""
    common = []
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        common.append(parts[0])
    return common
