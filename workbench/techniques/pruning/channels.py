"""Structured pruning from beginning to end: what may go, how much of it, and training after each
step of the schedule.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.data.tensors import tensor
from workbench.techniques.pruning.finetuning import fine_tune, parts_of
from workbench.techniques.pruning.graph import Group
from workbench.techniques.pruning.sensitivity import analyse, budget_of, plan
from workbench.techniques.pruning.structured import (
    Plan,
    check_ratio,
    least_important,
    prunable,
    pruned,
    scores_of,
)
from workbench.techniques.pruning.targets import ratio_for
from workbench.training import Fitted

if TYPE_CHECKING:
    import torch
    from pandas import DataFrame
    from torch import nn

    from workbench.technique import Job
    from workbench.techniques.pruning import PruningSettings

__all__ = ["Removed", "remove_channels"]


@dataclass(frozen=True)
class Removed:
    """The network after pruning and training, the settings with what was found written down, and
    what there is to tell.
    """

    fitted: Fitted
    settings: PruningSettings
    groups: tuple[Group, ...]
    tables: dict[str, DataFrame]
    notes: tuple[str, ...]


def remove_channels(job: Job, settings: PruningSettings) -> Removed:
    """Prune and fine-tune a copy of the job's start; raises CandidateError and SettingsError for
    what cannot be.
    """
    model = copy.deepcopy(job.start.model).to("cpu")
    inputs = {name: tensor(a, "cpu") for name, a in job.example(2).items()}
    job.report.message("Following which layers are tied.")
    groups, notes = prunable(model, inputs, settings.ignored_layers)
    settings, tables = _settled(job, settings, model, inputs, groups)
    check_ratio(groups, Plan.of(settings))
    job.report.message(
        f"Removing {settings.pruning_ratio:.0%} of the channels."
        if not settings.ratios
        else "Removing channels."
    )
    first = {g.root: g.channels for g in groups}
    parts = parts_of(settings.fit, settings.iterations)
    fits: list[Fitted] = []
    for number, part in enumerate(parts, start=1):
        now, _ = (groups, ()) if number == 1 else prunable(model, inputs, settings.ignored_layers)
        scores = scores_of(model, inputs, now, settings.importance, job)
        model = pruned(
            model,
            inputs,
            least_important(scores, now, Plan.of(settings).at(number / len(parts)), first),
        )
        fits.append(
            fine_tune(
                model, job, settings, part=part, name="fit" if len(parts) == 1 else f"fit-{number}"
            )
        )
        model = fits[-1].model
    return Removed(_joined(fits), settings, groups, tables, notes)


def _settled(
    job: Job,
    settings: PruningSettings,
    model: nn.Module,
    inputs: Mapping[str, torch.Tensor],
    groups: tuple[Group, ...],
) -> tuple[PruningSettings, dict[str, DataFrame]]:
    """The settings with targets and plans turned into plain ratios, and the tables that show how."""
    if settings.scope == "sensitivity":
        table, known, cost = analyse(job, settings)
        budget = budget_of(settings, known, cost)
        ratios = {
            root: round(r, 6)
            for root, r in plan(table, known, cost, budget, round_to=settings.round_to).items()
        }
        changes = {"scope": "uniform", "target": "ratio", "ratios": {**ratios, **settings.ratios}}
        return settings.model_copy(update=changes), {"sensitivity": table}
    if settings.target == "ratio":
        return settings, {}
    scores = scores_of(model, inputs, groups, settings.importance, job)
    ratio, table = ratio_for(settings, model, inputs, groups, scores, job)
    return settings.model_copy(update={"target": "ratio", "pruning_ratio": ratio}), {
        "search": table
    }


def _joined(fits: list[Fitted]) -> Fitted:
    """The last of several fits, with the histories of all in one row of epochs."""
    if len(fits) == 1:
        return fits[0]
    history, epoch, step = [], 0, 0
    for number, fitted in enumerate(fits, start=1):
        history += [
            {**row, "epoch": row["epoch"] + epoch, "step": row["step"] + step, "iteration": number}
            for row in fitted.history
        ]
        epoch, step = epoch + len(fitted.history), step + fitted.n_steps
    last = fits[-1]
    return Fitted(
        last.model, history, last.choices, step, last.best_epoch + epoch - len(last.history)
    )
