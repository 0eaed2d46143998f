"""Conditions that settings, layer names and weights must meet before pruning starts.

A declaration refuses values out of bounds and values that the method does not use. Here are the
rules that it cannot express: those of settings alone are checked on construction, those of the
network when the step starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.errors import CandidateError, SettingsError, all_of, unknown
from workbench.techniques.pruning.masks import is_inside

if TYPE_CHECKING:
    import torch
    from torch import nn

    from workbench.task import Candidate
    from workbench.technique import Job
    from workbench.techniques.pruning import PruningSettings

__all__ = [
    "conflicts",
    "for_network",
    "require_all",
    "require_compatible",
    "require_finite_weights",
    "require_known_layers",
    "require_network",
]

# Single weights have no batch-norm scale, and gradients and sensitivity are computed by channel.
UNSTRUCTURED_CHOICES = {
    "importance": ("l2", "l1", "random"),
    "scope": ("uniform", "global"),
}
N_NAMED = 5  # weights or layers that an error names; the others are counted


def for_network(settings: PruningSettings, name: str) -> PruningSettings:
    """The settings with the method that `auto` stands for; `name` is that of the network.

    Raises SettingsError for the method of boosted ensembles.
    """
    if settings.method == "trees":
        raise SettingsError(
            f"`method` trees keeps the first rounds of a boosted ensemble, and `{name}` is a torch "
            "network. Allowed: auto, structured, unstructured, n_m, depth."
        )
    if settings.method != "auto":
        return settings
    return settings.model_copy(update={"method": "structured"})


def require_all(job: Job, settings: PruningSettings) -> None:
    """Check settings, then layer names, then weights.

    Raises SettingsError or CandidateError with all problems of the first kind that has some.
    """
    require_compatible(settings)
    require_known_layers(job.start.model, settings)
    require_finite_weights(job.start.model, job.start.name)


def require_compatible(settings: PruningSettings) -> None:
    """Raise SettingsError for settings that exclude each other, with the allowed values.

    Settings refuse them on construction, but not in a changed copy.
    """
    problems = [text for _, text in conflicts(settings)]
    if problems:
        raise SettingsError(all_of(problems, "These settings exclude each other"))


def conflicts(settings: PruningSettings) -> list[tuple[str, str]]:
    """Values of these settings that exclude each other, as (name of a setting, sentence).

    Conditions that depend on the network, such as the names of its layers, are not checked here.
    """
    problems: list[tuple[str, str]] = []
    if settings.method == "unstructured":
        problems += _unstructured_problems(settings)
    if settings.method in ("auto", "structured") and settings.scope == "sensitivity":
        problems += _sensitivity_problems(settings)
    if settings.method == "n_m" and settings.n >= settings.m:
        text = (
            f"`n` must be below `m`, got `n` {settings.n} and `m` {settings.m}. Use a lower `n` or "
            "a higher `m`; GPUs have kernels for 2 and 4."
        )
        problems.append(("n", text))
    return problems + _layer_problems(settings)


def _unstructured_problems(settings: PruningSettings) -> list[tuple[str, str]]:
    problems = []
    for name, allowed in UNSTRUCTURED_CHOICES.items():
        value = getattr(settings, name)
        if value not in allowed:
            text = (
                f"`{name}` {value} cannot be used with `method` unstructured. Allowed: "
                f"{', '.join(allowed)}."
            )
            problems.append((name, text))
    if settings.scope == "global" and settings.importance == "random":
        text = (
            "`scope` global compares the weights of all layers; `importance` random ignores them. "
            "Use `scope` uniform, or `importance` l2."
        )
        problems.append(("scope", text))
    return problems


def _sensitivity_problems(settings: PruningSettings) -> list[tuple[str, str]]:
    problems = []
    if settings.target == "latency":
        text = "`scope` sensitivity plans multiply-adds, not latency: use `target` ratio or macs."
        problems.append(("target", text))
    if settings.importance == "random":
        text = "`scope` sensitivity needs a deterministic importance: l2, l1, taylor or bn_scale."
        problems.append(("importance", text))
    return problems


def _layer_problems(settings: PruningSettings) -> list[tuple[str, str]]:
    """Ratios out of range, and empty names."""
    problems = []
    invalid_ratios = {name: r for name, r in settings.ratios.items() if not 0 <= r < 1}
    if invalid_ratios:
        text = (
            f"`ratios` must be from 0 to below 1, got {invalid_ratios}. Use 0 to leave a layer "
            "unpruned."
        )
        problems.append(("ratios", text))
    for setting in ("ignored_layers", "ratios"):
        if any(not name.strip() for name in getattr(settings, setting)):
            text = f"`{setting}` must name layers, got an empty name. Leave it out."
            problems.append((setting, text))
    return problems


def require_network(start: Candidate) -> None:
    """Raise CandidateError for a start that has no layers."""
    if start.form != "torch":
        raise CandidateError(
            f"The analysis prunes layers of a torch network, and `{start.name}` is in the form "
            f"{start.form}. For a boosted ensemble, run `pruning` and look at its table `rounds`."
        )


def require_known_layers(model: nn.Module, settings: PruningSettings) -> None:
    """Raise SettingsError for layers that the network does not have, each with the nearest name.

    A ratio belongs to one layer: a module that only holds layers is refused too.
    """
    modules = {name: module for name, module in model.named_modules() if name}
    layers = [name for name, module in modules.items() if list(module.parameters(recurse=False))]
    named_layers = (*settings.ignored_layers, *settings.ratios)
    problems = [unknown("layer", name, layers) for name in named_layers if name not in modules]
    for name in settings.ratios:
        inside = [layer for layer in layers if is_inside(layer, [name])]
        if name in modules and name not in layers:
            names = ", ".join(f"`{layer}`" for layer in inside[:N_NAMED])
            way_out = f"name the layers inside it: {names}" if inside else "leave it out"
            problems.append(f"`ratios` names `{name}`, which has no weights of its own; {way_out}.")
    if problems:
        raise SettingsError(" ".join(problems))


def require_finite_weights(model: nn.Module, name: str) -> None:
    """Raise CandidateError that names the weights which are NaN or infinite.

    Buffers other than batch-norm statistics may be infinite: attention masks are.
    """
    import torch

    tensors: dict[str, torch.Tensor] = dict(model.named_parameters())
    for buffer_name, buffer in model.named_buffers():
        if buffer_name.endswith(("running_mean", "running_var")):
            tensors[buffer_name] = buffer
    not_finite = [
        tensor_name
        for tensor_name, tensor in tensors.items()
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all())
    ]
    if not not_finite:
        return
    named = ", ".join(f"`{tensor_name}`" for tensor_name in not_finite[:N_NAMED])
    if len(not_finite) > N_NAMED:
        named += f" and {len(not_finite) - N_NAMED} more"
    raise CandidateError(
        f"`{name}` has weights that are NaN or infinite: {named}. Their importance cannot be "
        "computed: load or train the network again, with a lower `fit_lr` if training made them."
    )
