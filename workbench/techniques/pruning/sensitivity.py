"""Sensitivity of each group of layers to pruning, without training, and the ratios planned from it.

Quality without training is much lower than after fine-tuning. The order of the layers matters:
those that lose little for the multiply-adds that they save (Li et al., "Pruning Filters for
Efficient ConvNets", 2017, section 3.2).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from workbench.data.tensors import tensor
from workbench.techniques.pruning.cost import WidthCost
from workbench.techniques.pruning.evaluation import CachedEvaluation
from workbench.techniques.pruning.plan import macs_limit, plan_ratios
from workbench.techniques.pruning.preconditions import require_known_layers, require_network
from workbench.techniques.pruning.selection import (
    ChannelRatios,
    least_important,
    n_kept,
    prunable_groups,
    pruned_copy,
    scores_of,
)

if TYPE_CHECKING:
    import torch
    from pandas import DataFrame
    from torch import nn

    from workbench.technique import Job
    from workbench.techniques.pruning import PruningSettings
    from workbench.techniques.pruning.groups import Group

__all__ = ["analyse", "sensitivity"]

RATIOS = {
    "smoke": (0.5, 0.75),
    "standard": (0.25, 0.5, 0.75, 0.875),
    "thorough": (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875),
}


def sensitivity(job: Job, settings: PruningSettings) -> dict[str, DataFrame]:
    """Two tables: `sensitivity`, quality by layer and ratio, and `plan`, the ratios that follow."""
    import pandas as pd

    require_network(job.start)
    require_known_layers(job.start.model, settings)
    table, groups, cost = analyse(job, settings)
    limit = macs_limit(settings, groups, cost)
    ratios = plan_ratios(table, groups, cost, limit, round_to=settings.round_to)
    kept_fractions = {root: 1 - ratio for root, ratio in ratios.items()}
    macs_before = cost.by_layer({})
    macs_after = cost.by_layer(kept_fractions)
    rows = [
        {
            "layer": group.root,
            "channels": group.channels,
            "channels_after": round(group.channels * kept_fractions.get(group.root, 1.0)),
            "ratio": ratios.get(group.root, 0.0),
            "macs": sum(macs_before.get(layer, 0) for layer in group.layers),
            "macs_after": round(sum(macs_after.get(layer, 0) for layer in group.layers)),
            "protected": group.protected,
        }
        for group in groups
    ]
    return {"sensitivity": table, "plan": pd.DataFrame(rows)}


def analyse(job: Job, settings: PruningSettings) -> tuple[DataFrame, tuple[Group, ...], WidthCost]:
    """Table of sensitivity, the groups, and the cost of their widths.

    Columns: layer, ratio, quality, change (of quality), loss, macs. A row with ratio 0 comes first
    for each layer. Results are cached one by one.
    """
    import pandas as pd

    model = job.start.model
    inputs = {name: tensor(array, "cpu") for name, array in job.example(2).items()}
    groups, _ = prunable_groups(model, inputs, settings.ignored_layers)
    cost = WidthCost(model, inputs, job.example(1), groups)
    evaluation = CachedEvaluation(job, settings, "sensitivity")
    scores: dict[str, torch.Tensor] = {}

    def pruned_alone(group: Group, ratio: float) -> nn.Module:
        if not scores:
            scores.update(scores_of(model, inputs, groups, settings.importance, job))
        largest = 1 - group.unit_size / group.channels
        only_this = ChannelRatios(0.0, {group.root: min(ratio, largest)})
        return pruned_copy(model, inputs, least_important(scores, groups, only_this), groups)

    quality, loss = evaluation.evaluate("", lambda: model)
    unprotected = [g for g in groups if not g.protected]
    n_trials = len(unprotected) * len(RATIOS[settings.budget])
    n_done = 0
    rows: list[tuple[Any, ...]] = []
    for group in unprotected:
        rows.append((group.root, 0.0, quality, 0.0, loss, cost.total))
        for ratio in RATIOS[settings.budget]:
            message = f"Pruning {group.root} alone by {ratio:.0%}."
            job.report.progress(n_done, n_trials, message)
            n_done += 1
            pruned_quality, pruned_loss = evaluation.evaluate(
                f"{group.root} {ratio:g}",
                partial(pruned_alone, group, ratio),
            )
            width = max(n_kept(group, ratio), group.unit_size)
            macs = round(cost.of({group.root: width / group.channels}))
            change = pruned_quality - quality
            rows.append((group.root, ratio, pruned_quality, change, pruned_loss, macs))
    job.report.progress(n_trials, n_trials, "Sensitivity of all layers computed.")
    columns = ["layer", "ratio", "quality", "change", "loss", "macs"]
    return pd.DataFrame(rows, columns=columns), groups, cost
