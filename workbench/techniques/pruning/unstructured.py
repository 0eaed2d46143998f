"""Unstructured pruning: set single weights to zero by magnitude or at random, at once or gradually.

The gradual schedule is that of Zhu and Gupta, "To prune, or not to prune" (2017): the sparsity
after t of n steps is

    s(t) = s * (1 - (1 - t / n)^3)

It rises fast at first, while many weights are unimportant, and slowly at the end. Masks are made by
`torch.nn.utils.prune`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from workbench.errors import CandidateError, SettingsError, required
from workbench.models.networks import copied
from workbench.techniques.pruning.finetuning import fine_tune, split_fit
from workbench.techniques.pruning.masks import apply, layer_of, matrices
from workbench.training import FitSettings, Fitted
from workbench.training.settings import n_steps_of

if TYPE_CHECKING:
    import torch
    from torch import nn

    from workbench.technique import Job
    from workbench.techniques.pruning import PruningSettings

__all__ = ["cubic", "gradual", "masks_of", "one_shot"]

NO_EARLY_STOP = 1_000_000  # epochs of patience: the schedule must reach its last step


def cubic(sparsity: float, done: float) -> float:
    """The sparsity after the fraction `done` of the schedule, 0 to 1."""
    return sparsity * (1 - (1 - min(max(done, 0.0), 1.0)) ** 3)


def masks_of(
    model: nn.Module, settings: PruningSettings, *, fraction: float = 1.0, seed: int = 0
) -> dict[str, torch.Tensor]:
    """Masks by the weight's name, true where a weight is kept; `fraction` scales the sparsity.

    The model is not changed. Weights that are zero already are removed first. Raises SettingsError
    for a ratio that leaves a layer empty, with the largest that does not, and CandidateError for a
    network without kernels and matrices.
    """
    import torch
    from torch.nn.utils import prune

    # torch's masks take views of the weights, which needs contiguous memory.
    twin = copied(model).to(memory_format=torch.contiguous_format)
    weights = list(matrices(twin, settings.ignored_layers))
    if not weights:
        raise CandidateError(
            "This network has no kernel or matrix left to prune: name fewer layers in "
            "`ignored_layers`."
        )
    is_random = settings.importance == "random"
    is_global = settings.scope == "global" and not is_random
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        compared = []
        if is_global:
            compared = [w for w in weights if layer_of(w[0]) not in settings.ratios]
        if compared:
            prune.global_unstructured(
                [(module, local) for _, module, local in compared],
                prune.L1Unstructured,
                amount=settings.pruning_ratio * fraction,
            )
        prune_layer = prune.random_unstructured if is_random else prune.l1_unstructured
        for weight in weights:
            if weight in compared:
                continue
            name, module, local = weight
            ratio = settings.ratios.get(layer_of(name), settings.pruning_ratio) * fraction
            n_weights = getattr(module, local).numel()
            _require_weights_left(name, n_weights, ratio)
            prune_layer(module, local, amount=math.floor(ratio * n_weights))
        masks = {name: getattr(module, f"{local}_mask").bool() for name, module, local in weights}
    empty = [name for name, mask in masks.items() if not mask.any()]
    if empty:
        originals = [getattr(module, f"{local}_orig") for _, module, local in compared]
        raise SettingsError(
            f"`pruning_ratio` {settings.pruning_ratio:g} leaves "
            f"{', '.join(f'`{layer_of(name)}`' for name in empty)} empty: at most "
            f"{_largest_ratio(originals):g} keeps a weight in each. Lower it, or name these layers "
            "in `ignored_layers`."
        )
    return masks


def _require_weights_left(name: str, n_weights: int, ratio: float) -> None:
    if ratio < 1 and math.floor(ratio * n_weights) < n_weights:
        return
    largest = math.floor((1 - 1 / n_weights) * 1e4) / 1e4
    raise SettingsError(
        f"`pruning_ratio` {ratio:g} leaves `{layer_of(name)}` ({n_weights} weights) empty: at most "
        f"{largest:g} keeps one."
    )


def _largest_ratio(weights: list[torch.Tensor]) -> float:
    """The largest ratio over all layers at which each keeps its largest weight."""
    import torch

    magnitudes = [w.detach().abs().flatten() for w in weights]
    smallest_maximum = min(float(m.max()) for m in magnitudes)
    below = (torch.cat(magnitudes) < smallest_maximum).float().mean()
    return math.floor(float(below) * 1e4) / 1e4


def one_shot(
    model: nn.Module, job: Job, settings: PruningSettings, masks: Mapping[str, torch.Tensor]
) -> Fitted:
    """Fine-tuning of a copy to which masks are applied before training and after every step."""
    masked = copied(model)
    apply(masked, masks)
    fitted = _fine_tune_masked(masked, job, settings, masks)
    apply(fitted.model, masks)
    return fitted


def _fine_tune_masked(
    model: nn.Module,
    job: Job,
    settings: PruningSettings,
    masks: Mapping[str, torch.Tensor],
    fit_settings: FitSettings | None = None,
) -> Fitted:
    """Fine-tuning in which masks are applied after every step."""

    def hook(trained: nn.Module, _: int) -> None:
        apply(trained, masks)

    return fine_tune(model, job, settings, fit_settings=fit_settings, step_hook=hook)


def gradual(
    model: nn.Module, job: Job, settings: PruningSettings
) -> tuple[Fitted, dict[str, torch.Tensor]]:
    """The network and its masks after the cubic schedule.

    `iterations` masks are made over the first two thirds of the fine-tuning; the last third trains
    at full sparsity.
    """
    schedule, rest = _schedule_and_rest(settings.fit)
    n_steps = n_steps_of(schedule, len(job.task.data.train))
    masks, scheduled = _prune_gradually(model, job, settings, schedule, n_steps)
    fitted = _fine_tune_masked(scheduled.model, job, settings, masks, rest)
    masks = {name: mask.cpu() for name, mask in masks.items()}
    apply(fitted.model, masks)
    offsets = {"epoch": len(scheduled.history), "step": n_steps}
    later = [
        {name: value + offsets.get(name, 0) for name, value in row.items()}
        for row in fitted.history
    ]
    joined = Fitted(
        fitted.model,
        scheduled.history + later,
        fitted.choices,
        n_steps + fitted.n_steps,
        fitted.best_epoch,
    )
    return joined, masks


def _schedule_and_rest(settings: FitSettings) -> tuple[FitSettings, FitSettings]:
    """Fit settings of the first two thirds, without early stopping, and of the last third."""
    first, second, last = split_fit(settings, 3)
    n_epochs = required(first.epochs) + required(second.epochs)
    changes = {"epochs": n_epochs, "patience": NO_EARLY_STOP}
    if settings.max_steps is not None:
        changes["max_steps"] = required(first.max_steps) + required(second.max_steps)
    return first.model_copy(update=changes), last


def _prune_gradually(
    model: nn.Module,
    job: Job,
    settings: PruningSettings,
    schedule: FitSettings,
    n_steps: int,
) -> tuple[dict[str, torch.Tensor], Fitted]:
    """The masks at full sparsity, and the network with the weights of the last step."""
    n = settings.iterations
    done_at = {max(1, round(n_steps * i / n)): i / n for i in range(1, n + 1)}
    masks: dict[str, torch.Tensor] = {}
    last_weights: dict[str, torch.Tensor] = {}

    def hook(trained: nn.Module, step: int) -> None:
        if step in done_at:
            fraction = cubic(1.0, done_at[step])
            masks.update(masks_of(trained, settings, fraction=fraction, seed=job.seed))
            job.report.curve("sparsity", step, settings.pruning_ratio * fraction)
        apply(trained, masks)
        if step == n_steps:
            weights = trained.state_dict()
            last_weights.update({k: v.detach().cpu().clone() for k, v in weights.items()})

    fitted = fine_tune(model, job, settings, fit_settings=schedule, step_hook=hook, keep=False)
    # `fit` returns the weights with the best score, which are denser than those of the last step.
    fitted.model.load_state_dict(last_weights)
    return masks, fitted
