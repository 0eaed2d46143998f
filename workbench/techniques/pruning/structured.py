"""Which channels go: so many of each group, the least important ones, with widths rounded to what
kernels like.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.errors import CandidateError, SettingsError
from workbench.techniques.pruning.graph import Group, cut, followed, opened
from workbench.techniques.pruning.importance import add_gradients, scorer
from workbench.techniques.pruning.outputs import output_shape

if TYPE_CHECKING:
    import torch
    from torch import nn

    from workbench.technique import Job
    from workbench.techniques.pruning import PruningSettings

__all__ = ["Plan", "check_ratio", "least_important", "n_kept", "prunable", "pruned", "scores_of"]


@dataclass(frozen=True)
class Plan:
    """How much goes: a common ratio, ratios of single layers, compared within a group or over all
    (`is_global`).
    """

    ratio: float
    ratios: Mapping[str, float]
    round_to: int = 1
    is_global: bool = False

    @classmethod
    def of(cls, settings: PruningSettings, ratio: float | None = None) -> Plan:
        common = settings.pruning_ratio if ratio is None else ratio
        return cls(common, settings.ratios, settings.round_to, settings.scope == "global")

    def at(self, share: float) -> Plan:
        """The plan after a share of an iterative schedule."""
        return Plan(
            self.ratio * share,
            {k: v * share for k, v in self.ratios.items()},
            self.round_to,
            self.is_global,
        )

    def of_group(self, group: Group) -> float:
        """The ratio of a group: that of the first of its layers that has one of its own, else the
        common one.
        """
        return next(
            (self.ratios[layer] for layer in group.layers if layer in self.ratios), self.ratio
        )

    def is_own(self, group: Group) -> bool:
        return any(layer in self.ratios for layer in group.layers)


def prunable(
    model: nn.Module, inputs: Mapping[str, torch.Tensor], ignored: Any
) -> tuple[tuple[Group, ...], tuple[str, ...]]:
    """All groups, and notes on those left whole; raises CandidateError when there is nothing that
    can be cut.
    """
    groups = followed(model, inputs, ignored)
    left = [
        g
        for g in groups
        if g.protected and not g.protected.startswith(("its channels", "named in", "there is one"))
    ]
    if all(g.protected for g in groups):
        why = (
            "; ".join(f"`{g.root}`: {g.protected}" for g in groups)
            or "it has no convolution, linear or recurrent layer"
        )
        fixed = (
            " Sizes written as numbers into `forward` (a `view`, zeros for a first state) must be "
            "read from the tensors."
        )
        raise CandidateError(
            f"No layer of this network can lose channels: {why}.{fixed if left else ''} Take "
            "`method` unstructured or n_m, which keep all shapes, or distil into a smaller "
            "network."
        )
    notes = tuple(
        "Left whole: "
        f"{', '.join(f'`{name}`' for name in dict.fromkeys(m.layer for m in g.members if m.role != 'in'))}, "
        f"as {g.protected}. Name `{g.root}` in `ignored_layers` to say so yourself."
        for g in left
    )
    return groups, notes


def n_kept(group: Group, ratio: float, round_to: int = 1, channels: int | None = None) -> int:
    """Channels that stay of a group, of `channels` before if its own number is no longer that; 0
    where none would.

    Rounds down to a multiple of `round_to`, but never below the first multiple, and equally in all
    blocks.
    """
    if ratio <= 0:
        return group.channels
    size = (channels or group.channels) // group.blocks
    kept = math.floor(
        size * (1 - ratio) + 1e-4
    )  # a planned ratio is a fraction, cut short when written down
    step = round_to // math.gcd(round_to, group.blocks)
    if kept and step > 1:
        kept = max(kept - kept % step, step)
    return min(kept, group.channels // group.blocks) * group.blocks


def check_ratio(groups: tuple[Group, ...], plan: Plan) -> None:
    """Raise SettingsError when a ratio leaves a layer empty, with the largest one that does not."""
    for group in (g for g in groups if not g.protected):
        ratio = plan.of_group(group)
        largest = 1 - group.blocks / group.channels
        if n_kept(group, ratio) == 0 and not (plan.is_global and not plan.is_own(group)):
            name = "ratios" if plan.is_own(group) else "pruning_ratio"
            raise SettingsError(
                f"`{name}` {ratio:g} leaves `{group.root}` ({group.channels} channels) empty: at "
                f"most {math.floor(largest * 1e4) / 1e4:g} keeps one. Lower it, or give that layer "
                "a ratio of its own in `ratios`."
            )
    free = [g for g in groups if not g.protected and not plan.is_own(g)]
    total = sum(g.channels for g in free)
    if plan.is_global and total and total * (1 - plan.ratio) < sum(g.blocks for g in free):
        largest = 1 - sum(g.blocks for g in free) / total
        raise SettingsError(
            f"`pruning_ratio` {plan.ratio:g} leaves layers empty: at most "
            f"{math.floor(largest * 1e4) / 1e4:g} keeps a channel in each."
        )


def scores_of(
    model: nn.Module,
    inputs: Mapping[str, torch.Tensor],
    groups: tuple[Group, ...],
    importance: str,
    job: Job,
) -> dict[str, torch.Tensor]:
    """How much each channel matters, `(channels of a block,)` by the root of its group; what is
    tied over blocks is one.
    """
    import torch

    copied = copy.deepcopy(model)
    score = scorer(importance, copied, job.seed)
    if importance == "taylor":
        add_gradients(copied, job)
    free = {g.root for g in groups if not g.protected}
    scores: dict[str, torch.Tensor] = {}
    with opened(copied, inputs, keep_gradients=importance == "taylor") as graph, torch.no_grad():
        for found, group in graph.groups():
            if found.root in free:
                values = score(group)
                values = (
                    torch.ones(found.channels)
                    if values is None or not len(values)
                    else values.float().cpu()
                )
                scores[found.root] = values.reshape(found.blocks, -1).mean(0)
    return scores


def least_important(
    scores: Mapping[str, torch.Tensor],
    groups: tuple[Group, ...],
    plan: Plan,
    before: Mapping[str, int] | None = None,
) -> dict[str, list[int]]:
    """The channels to remove, by the root of their group. `before` are widths at the start of an
    iterative schedule.
    """
    import torch

    before = before or {}
    free = {g.root: g for g in groups if not g.protected}
    kept = {
        root: n_kept(g, plan.of_group(g), plan.round_to, before.get(root)) // g.blocks
        for root, g in free.items()
    }
    if plan.is_global:
        kept |= _over_all(
            {r: s for r, s in scores.items() if not plan.is_own(free[r])}, free, plan, before
        )
    removed = {}
    for root, group in free.items():
        size = group.channels // group.blocks
        gone = torch.argsort(scores[root], stable=True)[: size - kept[root]]
        removed[root] = sorted(int(c) + b * size for b in range(group.blocks) for c in gone)
    return removed


def _over_all(
    scores: Mapping[str, torch.Tensor],
    groups: Mapping[str, Group],
    plan: Plan,
    before: Mapping[str, int],
) -> dict[str, int]:
    """Channels a block that stay when those of all groups are compared; each group keeps one, or
    `round_to`.
    """
    import torch

    if not scores or plan.ratio <= 0:
        return {root: len(s) for root, s in scores.items()}
    together = torch.cat(list(scores.values()))
    at_first = sum(
        before.get(root, groups[root].channels) // groups[root].blocks for root in scores
    )
    n_gone = max(0, len(together) - math.floor(at_first * (1 - plan.ratio) + 1e-9))
    if not n_gone:
        return {root: len(s) for root, s in scores.items()}
    threshold = together.sort().values[n_gone - 1]
    kept = {}
    for root, values in scores.items():
        stay = max(1, int((values > threshold).sum()))
        step = plan.round_to // math.gcd(plan.round_to, groups[root].blocks)
        stay = max(stay - stay % step, min(step, len(values))) if stay < len(values) else stay
        kept[root] = stay
    return kept


def pruned(
    model: nn.Module, inputs: Mapping[str, torch.Tensor], removed: Mapping[str, list[int]]
) -> nn.Module:
    """A copy without these channels that is known to run; raises CandidateError when it does not."""
    shape = output_shape(copy.deepcopy(model).eval(), dict(inputs))
    try:
        made = cut(model, inputs, removed)
        got = output_shape(copy.deepcopy(made).eval(), dict(inputs))
    except RuntimeError as error:
        raise CandidateError(
            f"The pruned network cannot run: {error}. A shape is written into its `forward` (a "
            "`view` with fixed numbers, say); use `flatten` or sizes read from the tensor, or "
            "name the layer before it in `ignored_layers`."
        ) from error
    if got != shape:
        raise CandidateError(
            f"Pruning changed the output from {shape} to {got}: name the last layer in "
            "`ignored_layers`."
        )
    return made
