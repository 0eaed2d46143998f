"""Structured pruning: whole channels removed by importance, then fine-tuning (torch-pruning).

Method: Fang et al., "DepGraph: Towards Any Structural Pruning", CVPR 2023; importance by the norm of a group's weights,
Li et al., "Pruning Filters for Efficient ConvNets", 2017.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Literal

from workbench.errors import CandidateError, SettingsError, unknown
from workbench.settings import TechniqueSettings, free_form, knob, nested
from workbench.task import call_model, first_tensor
from workbench.technique import Job, Outcome, technique
from workbench.tensors import tensor
from workbench.training import FitSettings, fit

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["PruningSettings", "prune"]


class PruningSettings(TechniqueSettings):
    """Which channels to remove, and how to train afterwards."""

    pruning_ratio: float = knob(0.5, low=0.0, high=0.95, step=0.05)
    """Share of the channels to remove from each layer."""

    importance: Literal["l2", "l1"] = "l2"
    """Norm of a channel's weights that says how much it matters."""

    scope: Literal["uniform", "global"] = "uniform"
    """Uniform removes the same share everywhere; global compares channels of all layers."""

    round_to: int = knob(4, low=1, high=64)
    """Keep a multiple of this many channels, as kernels work on blocks."""

    ignored_layers: list[str] = free_form([])
    """Names of layers to leave whole; output layers always are."""

    ratios: dict[str, float] = free_form({})
    """Ratios of single layers by name, in place of the common one."""

    fit: FitSettings = nested(FitSettings)
    """Fine-tuning after the channels are gone."""


@technique("pruning", title="Pruning", accepts=("torch",), gives="torch")
def prune(job: Job, settings: PruningSettings) -> Outcome:
    """Removes whole channels, so that every runtime has less to compute, then fine-tunes."""
    import pandas as pd

    settings = settings.resolved()
    model = copy.deepcopy(job.start.model).to("cpu")
    inputs = {name: tensor(a, "cpu") for name, a in job.example(2).items()}
    before = _widths(model)
    job.report.message(f"Removing {settings.pruning_ratio:.0%} of the channels.")
    protected = _remove_channels(model, inputs, settings)
    after = _widths(model)
    fitted = fit(
        model, job.task, settings.fit, prepare=job.start.prepare, report=job.report, seed=job.seed, device=job.device,
        choices=job.start.training, checkpoint=job.folder / "fit.pt",
    )  # fmt: skip
    widths = pd.DataFrame(
        [{"layer": n, "channels": w, "channels_after": after[n], "protected": n in protected} for n, w in before.items()]
    )
    candidate = job.start.child(f"{job.start.name}-pruned", "pruning", model=fitted.model, training=fitted.choices, macs=None)
    return Outcome(
        candidate, _resolved(settings, fitted.choices), evidence={"widths": widths, "fit": pd.DataFrame(fitted.history)}
    )


def _resolved(settings: PruningSettings, choices: dict[str, Any]) -> PruningSettings:
    chosen = {k: choices[k] for k in ("precision", "memory_format")}
    return settings.model_copy(update={"fit": settings.fit.model_copy(update=chosen)})


def _remove_channels(model: nn.Module, inputs: dict[str, torch.Tensor], settings: PruningSettings) -> set[str]:
    """Prune in place; returns the names of the layers that were left whole on purpose."""
    import torch
    import torch_pruning as tp

    names = {name: m for name, m in model.named_modules() if name}
    wrong = [n for n in (*settings.ignored_layers, *settings.ratios) if n not in names]
    if wrong:
        raise SettingsError(" ".join(unknown("layer", n, _widths(model)) for n in wrong))
    model.eval()
    shape = _output_shape(model, inputs)
    protected = output_layers(model, inputs) | set(settings.ignored_layers)
    pruner = tp.pruner.BasePruner(
        model, inputs if len(inputs) > 1 else tuple(inputs.values()),
        importance=tp.importance.GroupMagnitudeImportance(p=1 if settings.importance == "l1" else 2),
        global_pruning=settings.scope == "global", pruning_ratio=settings.pruning_ratio,
        pruning_ratio_dict={names[n]: r for n, r in settings.ratios.items()}, max_pruning_ratio=0.95,
        ignored_layers=[names[n] for n in protected], round_to=settings.round_to if settings.round_to > 1 else None,
        forward_fn=lambda m, x: first_tensor(call_model(m, x if isinstance(x, dict) else dict(zip(inputs, x, strict=True)))),
    )  # fmt: skip
    pruner.step()
    for parameter in model.parameters():
        parameter.grad = None
    try:
        got = _output_shape(model, inputs)
    except RuntimeError as error:
        raise CandidateError(
            f"The pruned network cannot run: {error}. A shape is written into its `forward` (a `view` with fixed numbers, say); "
            "use `flatten` or sizes read from the tensor, or name the layer before it in `ignored_layers`."
        ) from error
    if got != shape:
        raise CandidateError(f"Pruning changed the output from {shape} to {got}: name the last layer in `ignored_layers`.")
    with torch.no_grad():
        model.train()
    return protected


def output_layers(model: nn.Module, inputs: dict[str, torch.Tensor]) -> set[str]:
    """Names of the layers whose channels are the model's outputs.

    Walks the autograd graph back from the outputs and stops at the first weight on each way: whatever architecture
    made it, those weights belong to the layers that must keep their width.
    """
    import torch

    owners = {id(p): name for name, m in model.named_modules() for p in m.parameters(recurse=False)}
    frozen = [p for p in model.parameters() if not p.requires_grad and p.is_floating_point()]
    with torch.enable_grad():
        for p in frozen:  # a frozen layer is not on the graph, and the walk would stop one too early
            p.requires_grad_(True)
        outputs = first_tensor(call_model(model, inputs))
    for p in frozen:
        p.requires_grad_(False)
    found: set[str] = set()
    stack, seen = [outputs.grad_fn], set()
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        weights = [w for w in map(_weight, (n for n, _ in node.next_functions)) if w is not None and w.ndim > 1]
        if weights:
            found |= {owners[id(w)] for w in weights if id(w) in owners}
        else:
            stack += [n for n, _ in node.next_functions]
    return found


def _weight(node: Any) -> torch.Tensor | None:
    """The parameter behind a node, looking through the transposition that linear layers put before it."""
    if node is None:
        return None
    if hasattr(node, "variable"):
        return node.variable
    if node.name().startswith(("TBackward", "TransposeBackward")):
        return _weight(node.next_functions[0][0])
    return None


def _output_shape(model: nn.Module, inputs: dict[str, torch.Tensor]) -> tuple[int, ...]:
    import torch

    with torch.no_grad():
        return tuple(first_tensor(call_model(model, inputs)).shape)


def _widths(model: nn.Module) -> dict[str, int]:
    """Output channels or features of every layer that has them."""
    return {
        name: getattr(m, "out_channels", None) or m.out_features
        for name, m in model.named_modules()
        if hasattr(m, "weight") and (hasattr(m, "out_channels") or hasattr(m, "out_features"))
    }
