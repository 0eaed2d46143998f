"""Structured pruning: remove channels in one or more steps, each followed by training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.data.tensors import tensor
from workbench.models.networks import copied
from workbench.techniques.pruning.finetuning import fine_tune, split_fit
from workbench.techniques.pruning.graph import Inputs
from workbench.techniques.pruning.groups import Group
from workbench.techniques.pruning.plan import macs_limit, plan_ratios
from workbench.techniques.pruning.selection import (
    ChannelRatios,
    least_important,
    prunable_groups,
    pruned_copy,
    require_channels_left,
    scores_of,
)
from workbench.techniques.pruning.sensitivity import analyse
from workbench.techniques.pruning.targets import ratio_for
from workbench.training import Fitted

if TYPE_CHECKING:
    from pandas import DataFrame
    from torch import nn

    from workbench.technique import Job
    from workbench.techniques.pruning import PruningSettings

__all__ = ["ChannelsRemoved", "remove_channels"]


@dataclass(frozen=True)
class ChannelsRemoved:
    """Result of structured pruning.

    `settings` hold the ratios that were used, `groups` are those of the network before pruning,
    `tables` show the search for the ratios.
    """

    fitted: Fitted
    settings: PruningSettings
    groups: tuple[Group, ...]
    tables: dict[str, DataFrame]
    notes: tuple[str, ...]


def remove_channels(job: Job, settings: PruningSettings) -> ChannelsRemoved:
    """Prune and fine-tune a copy of the job's network.

    Raises CandidateError when no layer can be pruned, and SettingsError when the ratios or the
    target cannot be reached.
    """
    model = copied(job.start.model).to("cpu")
    inputs = {name: tensor(array, "cpu") for name, array in job.example(2).items()}
    job.report.message("Following which layers are tied.")
    groups, notes = prunable_groups(model, inputs, settings.ignored_layers)
    notes += _ratios_without_effect(settings, groups)
    settings, tables = _with_plain_ratios(job, settings, model, inputs, groups)
    ratios = ChannelRatios.from_settings(settings)
    require_channels_left(groups, ratios)
    amount = "" if settings.ratios else f"{settings.pruning_ratio:.0%} of the "
    job.report.message(f"Removing {amount}channels.")
    original_widths = {g.root: g.channels for g in groups}
    fit_settings = split_fit(settings.fit, settings.iterations)
    n_steps = len(fit_settings)
    fits: list[Fitted] = []
    current_groups = groups
    for number, fit_of_step in enumerate(fit_settings, start=1):
        if number > 1:
            current_groups, _ = prunable_groups(model, inputs, settings.ignored_layers)
        scores = scores_of(model, inputs, current_groups, settings.importance, job)
        ratios_now = ratios.scaled(number / n_steps)
        removed = least_important(scores, current_groups, ratios_now, original_widths)
        model = pruned_copy(model, inputs, removed, current_groups)
        name = "fit" if n_steps == 1 else f"fit-{number}"
        fits.append(fine_tune(model, job, settings, fit_settings=fit_of_step, name=name))
        model = fits[-1].model
    return ChannelsRemoved(_joined(fits), settings, groups, tables, notes)


def _ratios_without_effect(settings: PruningSettings, groups: tuple[Group, ...]) -> tuple[str, ...]:
    """A note on each layer of `ratios` whose channels are not pruned, with the reason."""
    reasons = {layer: g.protected for g in groups for layer in g.layers if g.protected}
    pruned = {layer for g in groups for layer in g.layers if not g.protected}
    return tuple(
        f"`ratios` of `{name}` has no effect: {reasons.get(name, 'it has no channels of its own')}."
        for name in settings.ratios
        if name not in pruned
    )


def _with_plain_ratios(
    job: Job,
    settings: PruningSettings,
    model: nn.Module,
    inputs: Inputs,
    groups: tuple[Group, ...],
) -> tuple[PruningSettings, dict[str, DataFrame]]:
    """Settings whose target and scope are replaced by ratios, and tables that show the search."""
    if settings.scope == "sensitivity":
        table, analysed_groups, cost = analyse(job, settings)
        limit = macs_limit(settings, analysed_groups, cost)
        planned = plan_ratios(table, analysed_groups, cost, limit, round_to=settings.round_to)
        ratios = {root: round(ratio, 6) for root, ratio in planned.items()}
        changes: dict[str, Any] = {
            "scope": "uniform",
            "target": "ratio",
            "ratios": {**ratios, **settings.ratios},
        }
        return settings.model_copy(update=changes), {"sensitivity": table}
    if settings.target == "ratio":
        return settings, {}
    scores = scores_of(model, inputs, groups, settings.importance, job)
    ratio, table = ratio_for(settings, model, inputs, groups, scores, job)
    changes = {"target": "ratio", "pruning_ratio": ratio}
    return settings.model_copy(update=changes), {"search": table}


def _joined(fits: list[Fitted]) -> Fitted:
    """The last of several fits, with one history whose epochs and steps count through."""
    if len(fits) == 1:
        return fits[0]
    history = []
    n_epochs = 0
    n_steps = 0
    for iteration, fitted in enumerate(fits, start=1):
        for row in fitted.history:
            counted = {"epoch": row["epoch"] + n_epochs, "step": row["step"] + n_steps}
            history.append({**row, **counted, "iteration": iteration})
        n_epochs += len(fitted.history)
        n_steps += fitted.n_steps
    last = fits[-1]
    best_epoch = last.best_epoch + n_epochs - len(last.history)
    return Fitted(last.model, history, last.choices, n_steps, best_epoch)
