"""Selection of channels: how many of each group are removed, and which ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workbench.errors import CandidateError, SettingsError
from workbench.models.networks import copied
from workbench.techniques.pruning.copies import without_channels
from workbench.techniques.pruning.graph import Inputs, channel_graph
from workbench.techniques.pruning.groups import Group, attentions_of
from workbench.techniques.pruning.importance import add_gradients, channel_importance
from workbench.techniques.pruning.outputs import output_shape
from workbench.techniques.pruning.verification import EXPECTED_REASONS, verified_groups

if TYPE_CHECKING:
    import torch
    from torch import nn

    from workbench.technique import Job
    from workbench.techniques.pruning import PruningSettings

__all__ = [
    "ChannelRatios",
    "least_important",
    "n_kept",
    "prunable_groups",
    "pruned_copy",
    "require_channels_left",
    "scores_of",
]

ROUNDING = 1e-4  # ratios are written down with few digits: 4 - 1e-5 channels are 4


@dataclass(frozen=True)
class ChannelRatios:
    """Pruning ratios of the groups: a common one, and those of single layers.

    With `is_global` the common ratio holds for all groups together, else for each.
    """

    common: float
    by_layer: Mapping[str, float]
    round_to: int = 1
    is_global: bool = False

    @classmethod
    def from_settings(cls, settings: PruningSettings, common: float | None = None) -> ChannelRatios:
        """Ratios of the settings; `common` replaces their `pruning_ratio`."""
        if common is None:
            common = settings.pruning_ratio
        return cls(common, settings.ratios, settings.round_to, settings.scope == "global")

    def scaled(self, fraction: float) -> ChannelRatios:
        """The ratios after a fraction of an iterative schedule."""
        by_layer = {layer: ratio * fraction for layer, ratio in self.by_layer.items()}
        return replace(self, common=self.common * fraction, by_layer=by_layer)

    def of_group(self, group: Group) -> float:
        """The ratio of the first layer of the group that has its own, else the common one."""
        own = [self.by_layer[layer] for layer in group.layers if layer in self.by_layer]
        return own[0] if own else self.common

    def has_own(self, group: Group) -> bool:
        """Whether a layer of the group has a ratio of its own."""
        return any(layer in self.by_layer for layer in group.layers)


def prunable_groups(
    model: nn.Module, inputs: Inputs, ignored: Sequence[str]
) -> tuple[tuple[Group, ...], tuple[str, ...]]:
    """All groups, and a note on each that could not be followed.

    Raises CandidateError when no group can be pruned.
    """
    groups = verified_groups(model, inputs, ignored)
    not_followed = [g for g in groups if g.protected and g.protected not in EXPECTED_REASONS]
    if all(g.protected for g in groups):
        reasons = "; ".join(f"`{g.root}`: {g.protected}" for g in groups)
        advice = ""
        if not_followed:
            advice = (
                " Sizes written as numbers into `forward` (a `view`, zeros for a first state) must "
                "be read from the tensors."
            )
        raise CandidateError(
            "No layer of this network can lose channels: "
            f"{reasons or 'it has no convolution, linear or recurrent layer'}.{advice} Use "
            "`method` unstructured or n_m, which keep all shapes, or distil into a smaller "
            "network."
        )
    return groups, tuple(_note(group) for group in not_followed)


def _note(group: Group) -> str:
    layers = dict.fromkeys(m.layer for m in group.members if m.role != "in")
    names = ", ".join(f"`{layer}`" for layer in layers)
    return (
        f"Not pruned: {names}, because {group.protected}. Name `{group.root}` in `ignored_layers` "
        "to leave it out without this note."
    )


def n_kept(group: Group, ratio: float, round_to: int = 1, n_original: int | None = None) -> int:
    """Number of channels to keep in a group, the same in all parts; 0 if the ratio leaves none.

    Rounds down to a multiple of `round_to`, but not below the first multiple. Of an attention, the
    nearest number of whole heads is kept, and at least one. `n_original` is the number of channels
    that the ratio refers to, if the group has lost some already.
    """
    if ratio <= 0:
        return group.channels
    n_units = (n_original or group.channels) // group.unit_size
    if group.attention:
        kept = max(1, round(n_units * (1 - ratio)))
    else:
        kept = math.floor(n_units * (1 - ratio) + ROUNDING)
    step = _step(group, round_to)
    if kept and step > 1:
        kept = max(kept - kept % step, step)
    return min(kept, group.n_units) * group.unit_size


def _step(group: Group, round_to: int) -> int:
    """Units such that all parts together have a multiple of `round_to`; one head of attention."""
    return 1 if group.attention else round_to // math.gcd(round_to, group.n_parts)


def require_channels_left(groups: Sequence[Group], ratios: ChannelRatios) -> None:
    """Raise SettingsError when a ratio leaves a layer empty, with the largest one that does not.

    An attention always keeps a head.
    """
    unprotected = [g for g in groups if not g.protected]
    for group in unprotected:
        has_own = ratios.has_own(group)
        ratio = ratios.of_group(group)
        if (has_own or not ratios.is_global) and n_kept(group, ratio) == 0:
            largest = 1 - group.n_parts / group.channels
            way_out = "Lower it, or give that layer a ratio of its own in `ratios`."
            raise SettingsError(
                f"`{'ratios' if has_own else 'pruning_ratio'}` {ratio:g} leaves `{group.root}` "
                f"({group.channels} channels) empty: at most {_rounded_down(largest)} keeps one. "
                f"{'Lower it.' if has_own else way_out}"
            )
    if not ratios.is_global:
        return
    compared = [g for g in unprotected if not ratios.has_own(g) and not g.attention]
    n_channels = sum(g.channels for g in compared)
    n_least = sum(g.n_parts for g in compared)
    if n_channels and n_channels * (1 - ratios.common) < n_least:
        raise SettingsError(
            f"`pruning_ratio` {ratios.common:g} leaves layers empty: at most "
            f"{_rounded_down(1 - n_least / n_channels)} keeps a channel in each."
        )


def _rounded_down(ratio: float) -> str:
    return f"{math.floor(ratio * 1e4) / 1e4:g}"


def scores_of(
    model: nn.Module, inputs: Inputs, groups: Sequence[Group], importance: str, job: Job
) -> dict[str, torch.Tensor]:
    """Importance of the units `(units,)`, by the root of the group.

    The channels of a unit are removed together, so their mean counts.
    """
    import torch

    twin = copied(model)
    score = channel_importance(importance, twin, job.seed)
    needs_gradients = importance == "taylor"
    if needs_gradients:
        add_gradients(twin, job)
    roots = {g.root for g in groups if not g.protected}
    attentions = attentions_of(groups)
    with (
        channel_graph(twin, inputs, attentions=attentions, keep_gradients=needs_gradients) as graph,
        torch.no_grad(),
    ):
        return graph.scores(score, roots)


def least_important(
    scores: Mapping[str, torch.Tensor],
    groups: Sequence[Group],
    ratios: ChannelRatios,
    original_widths: Mapping[str, int] | None = None,
) -> dict[str, list[int]]:
    """Numbers of the channels to remove, by the root of their group.

    `original_widths` are the channels by root before an iterative schedule, to which the ratios
    refer.
    """
    import torch

    original_widths = original_widths or {}
    unprotected = {g.root: g for g in groups if not g.protected}
    kept_units = {}
    for root, group in unprotected.items():
        ratio = ratios.of_group(group)
        kept = n_kept(group, ratio, ratios.round_to, original_widths.get(root))
        kept_units[root] = kept // group.unit_size
    if ratios.is_global:
        compared = {root: g for root, g in unprotected.items() if not ratios.has_own(g)}
        kept_units |= _kept_over_all(scores, compared, ratios, original_widths)
    removed = {}
    for root, group in unprotected.items():
        n_removed = group.n_units - kept_units[root]
        lowest = torch.argsort(scores[root], stable=True)[:n_removed]
        removed[root] = group.channels_of(lowest.tolist())
    return removed


def _kept_over_all(
    scores: Mapping[str, torch.Tensor],
    groups: Mapping[str, Group],
    ratios: ChannelRatios,
    original_widths: Mapping[str, int],
) -> dict[str, int]:
    """Units to keep in each group when the scores of all groups are compared.

    Each group keeps one unit, or `round_to`. A head counts for as many channels as it has.
    """
    import torch

    sizes = {root: len(scores[root]) for root in groups}
    if not groups or ratios.common <= 0:
        return sizes
    all_scores = torch.cat([scores[root].repeat_interleave(g.weight) for root, g in groups.items()])
    n_original = sum(
        original_widths.get(root, group.channels) // group.unit_size * group.weight
        for root, group in groups.items()
    )
    n_removed = len(all_scores) - math.floor(n_original * (1 - ratios.common) + 1e-9)
    if n_removed <= 0:
        return sizes
    threshold = all_scores.sort().values[n_removed - 1]
    kept_units = {}
    for root, group in groups.items():
        size = sizes[root]
        kept = max(1, int((scores[root] > threshold).sum()))
        if kept < size:
            step = _step(group, ratios.round_to)
            kept = max(kept - kept % step, min(step, size))
        kept_units[root] = kept
    return kept_units


def pruned_copy(
    model: nn.Module,
    inputs: Inputs,
    removed: Mapping[str, Sequence[int]],
    groups: Sequence[Group] | None = None,
) -> nn.Module:
    """A copy of the model without these channels.

    `groups` are those of the model; None searches its attention layers again. Raises
    CandidateError when the copy fails, or its outputs have another shape.
    """
    expected = output_shape(copied(model).eval(), dict(inputs))
    try:
        attentions = None if groups is None else attentions_of(groups)
        pruned = without_channels(model, inputs, removed, attentions)
        shape = output_shape(copied(pruned).eval(), dict(inputs))
    except RuntimeError as error:
        raise CandidateError(
            f"The pruned network fails: {error}. Its `forward` contains a shape as numbers (for "
            "example a `view`): use `flatten` or sizes read from the tensor, or name the layer "
            "before it in `ignored_layers`."
        ) from error
    if shape != expected:
        raise CandidateError(
            f"Pruning changed the shape of the outputs from {expected} to {shape}: name the last "
            "layer in `ignored_layers`."
        )
    return pruned
