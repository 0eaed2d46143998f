"""What is refused before any work: choices that do not go together, layers that are not there,
weights that are no numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.errors import CandidateError, SettingsError, all_of, unknown

if TYPE_CHECKING:
    from torch import nn

    from workbench.technique import Job
    from workbench.techniques.pruning import PruningSettings

__all__ = ["check_all", "check_choices", "check_layers", "check_weights"]

# What each method can take; anything else would be read and not acted upon.
ALLOWED = {
    "structured": {
        "importance": ("l2", "l1", "taylor", "bn_scale", "random"),
        "scope": ("uniform", "global", "sensitivity"),
        "target": ("ratio", "macs", "latency"),
    },
    "unstructured": {
        "importance": ("l2", "l1", "random"),
        "scope": ("uniform", "global"),
        "target": ("ratio",),
    },
    "n_m": {"importance": ("l2", "l1"), "scope": ("uniform",), "target": ("ratio",)},
    "depth": {"importance": ("l2", "l1"), "scope": ("uniform",), "target": ("ratio",)},
}
ONLY_ONCE = ("n_m", "depth")  # methods without an iterative schedule


def check_all(job: Job, settings: PruningSettings) -> None:
    """Raise SettingsError or CandidateError for the first kind of problem found, all of that kind
    at once.
    """
    check_choices(settings)
    check_layers(job.start.model, settings)
    check_weights(job.start.model, job.start.name)


def check_choices(settings: PruningSettings) -> None:
    """Raise SettingsError for choices that make no sense together, with those that do."""
    problems = []
    for name, allowed in ALLOWED[settings.method].items():
        value = getattr(settings, name)
        if value not in allowed:
            problems.append(
                f"`{name}` {value} does not go with `method` {settings.method}. Allowed: "
                f"{', '.join(allowed)}."
            )
    if (
        settings.method == "unstructured"
        and settings.scope == "global"
        and settings.importance == "random"
    ):
        problems.append(
            "`scope` global compares weights, which chance does not: take uniform with "
            "`importance` random."
        )
    if settings.scope == "sensitivity" and settings.target == "latency":
        problems.append("`scope` sensitivity plans multiply-adds: take `target` ratio or macs.")
    if settings.scope == "sensitivity" and settings.importance == "random":
        problems.append(
            "`scope` sensitivity needs an importance that is no chance: l2, l1, taylor or bn_scale."
        )
    if settings.method in ONLY_ONCE and settings.iterations > 1:
        problems.append(f"`iterations` does not go with `method` {settings.method}: leave it at 1.")
    if settings.method == "n_m" and settings.n >= settings.m:
        problems.append(f"`n` must be below `m`, got {settings.n} of {settings.m}.")
    wrong = {name: r for name, r in settings.ratios.items() if not 0 <= r < 1}
    if wrong:
        problems.append(f"`ratios` must be from 0 to below 1, got {wrong}.")
    if problems:
        raise SettingsError(all_of(problems, "These settings do not go together"))


def check_layers(model: nn.Module, settings: PruningSettings) -> None:
    """Raise SettingsError for layers that the network does not have, each with the nearest one."""
    names = [name for name, _ in model.named_modules() if name]
    layers = [
        name
        for name, m in model.named_modules()
        if name and any(True for _ in m.parameters(recurse=False))
    ]
    wrong = [n for n in (*settings.ignored_layers, *settings.ratios) if n not in names]
    if wrong:
        raise SettingsError(" ".join(unknown("layer", n, layers) for n in wrong))


def check_weights(model: nn.Module, name: str) -> None:
    """Raise CandidateError that names the weights which are NaN or infinite."""
    import torch

    state = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    wrong = [
        n for n, t in state.items() if t.is_floating_point() and not bool(torch.isfinite(t).all())
    ]
    masks = [
        n
        for n in wrong
        if n not in dict(model.named_parameters())
        and not n.endswith(("running_mean", "running_var"))
    ]
    wrong = [n for n in wrong if n not in masks]  # a buffer of minus infinity is a mask
    if wrong:
        named = ", ".join(f"`{n}`" for n in wrong[:5]) + (
            f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        )
        raise CandidateError(
            f"`{name}` holds weights that are NaN or infinite: {named}. Nothing can be judged by "
            "them: load or train the network again, with a lower `fit_lr` if training made them."
        )
