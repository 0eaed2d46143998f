"""Conditions that settings, layer names and weights must meet before pruning starts.

The settings themselves refuse values that their method does not use; here are the rules that a
declaration cannot express.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.errors import CandidateError, SettingsError, all_of, unknown

if TYPE_CHECKING:
    import torch
    from torch import nn

    from workbench.technique import Job
    from workbench.techniques.pruning import PruningSettings

__all__ = [
    "require_all",
    "require_compatible",
    "require_finite_weights",
    "require_known_layers",
]

# Single weights have no batch-norm scale, and gradients and sensitivity are computed by channel.
UNSTRUCTURED_CHOICES = {
    "importance": ("l2", "l1", "random"),
    "scope": ("uniform", "global"),
}
N_NAMED = 5  # weights that an error names; the others are counted


def require_all(job: Job, settings: PruningSettings) -> None:
    """Check settings, then layer names, then weights.

    Raises SettingsError or CandidateError with all problems of the first kind that has some.
    """
    require_compatible(settings)
    require_known_layers(job.start.model, settings)
    require_finite_weights(job.start.model, job.start.name)


def require_compatible(settings: PruningSettings) -> None:
    """Raise SettingsError for settings that exclude each other, with the allowed values."""
    problems = []
    if settings.method == "unstructured":
        problems += _unstructured_problems(settings)
    if settings.method == "structured" and settings.scope == "sensitivity":
        problems += _sensitivity_problems(settings)
    if settings.method == "n_m" and settings.n >= settings.m:
        problems.append(f"`n` must be below `m`, got `n` {settings.n} and `m` {settings.m}.")
    invalid_ratios = {name: r for name, r in settings.ratios.items() if not 0 <= r < 1}
    if invalid_ratios:
        problems.append(f"`ratios` must be from 0 to below 1, got {invalid_ratios}.")
    if problems:
        raise SettingsError(all_of(problems, "These settings exclude each other"))


def _unstructured_problems(settings: PruningSettings) -> list[str]:
    problems = []
    for name, allowed in UNSTRUCTURED_CHOICES.items():
        value = getattr(settings, name)
        if value not in allowed:
            problems.append(
                f"`{name}` {value} cannot be used with `method` unstructured. Allowed: "
                f"{', '.join(allowed)}."
            )
    if settings.scope == "global" and settings.importance == "random":
        problems.append(
            "`scope` global compares the weights of all layers; `importance` random ignores them. "
            "Use `scope` uniform, or `importance` l2."
        )
    return problems


def _sensitivity_problems(settings: PruningSettings) -> list[str]:
    problems = []
    if settings.target == "latency":
        problems.append(
            "`scope` sensitivity plans multiply-adds, not latency: use `target` ratio or macs."
        )
    if settings.importance == "random":
        problems.append(
            "`scope` sensitivity needs a deterministic importance: l2, l1, taylor or bn_scale."
        )
    return problems


def require_known_layers(model: nn.Module, settings: PruningSettings) -> None:
    """Raise SettingsError for layers that the network does not have, each with the nearest name."""
    modules = {name: module for name, module in model.named_modules() if name}
    layers = [name for name, module in modules.items() if list(module.parameters(recurse=False))]
    named_layers = (*settings.ignored_layers, *settings.ratios)
    problems = [unknown("layer", name, layers) for name in named_layers if name not in modules]
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
