"""Unstructured pruning: single weights set to zero by magnitude or by chance, at once or step by
step.

The gradual schedule is that of Zhu and Gupta, "To prune, or not to prune" (2017): after t of n
steps the sparsity is

    s(t) = s * (1 - (1 - t / n)^3)

fast while there is much to spare, slow near the end. Masks are made by `torch.nn.utils.prune`.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

from workbench.errors import CandidateError, SettingsError
from workbench.techniques.pruning.finetuning import fine_tune, parts_of
from workbench.techniques.pruning.masks import apply, layer_of, matrices
from workbench.training import Fitted
from workbench.training.settings import n_steps_of

if TYPE_CHECKING:
    import torch
    from torch import nn

    from workbench.technique import Job
    from workbench.techniques.pruning import PruningSettings

__all__ = ["cubic", "gradual", "masks_of", "one_shot"]


def cubic(sparsity: float, done: float) -> float:
    """The sparsity after a share of the schedule, 0 to 1."""
    return sparsity * (1 - (1 - min(max(done, 0.0), 1.0)) ** 3)


def masks_of(
    model: nn.Module, settings: PruningSettings, *, share: float = 1.0, seed: int = 0
) -> dict[str, torch.Tensor]:
    """Masks, true where a weight stays, by the weight's name; `share` scales the sparsity. The
    model is not changed.

    Weights that are zero already are the first to go. Raises SettingsError for a ratio that leaves
    a layer empty, with the largest that does not, and CandidateError for a network without a matrix
    or kernel.
    """
    import torch
    from torch.nn.utils import prune

    made = copy.deepcopy(model).to(
        memory_format=torch.contiguous_format
    )  # torch's masks take views, training may not
    chosen = list(matrices(made, settings.ignored_layers))
    if not chosen:
        raise CandidateError(
            "This network has no kernel or matrix left to prune; name fewer layers in "
            "`ignored_layers`."
        )
    ratios = {
        name: settings.ratios.get(layer_of(name), settings.pruning_ratio) * share
        for name, _, _ in chosen
    }
    is_global = settings.scope == "global" and settings.importance != "random"
    pool = [c for c in chosen if is_global and layer_of(c[0]) not in settings.ratios]
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        if pool:
            prune.global_unstructured(
                [c[1:] for c in pool], prune.L1Unstructured, amount=settings.pruning_ratio * share
            )
        for name, module, local in chosen:
            if (name, module, local) not in pool:
                n = getattr(module, local).numel()
                _check(name, n, ratios[name])
                method = (
                    prune.random_unstructured
                    if settings.importance == "random"
                    else prune.l1_unstructured
                )
                method(module, local, amount=math.floor(ratios[name] * n))
        masks = {name: getattr(module, f"{local}_mask").bool() for name, module, local in chosen}
    empty = [name for name, mask in masks.items() if not mask.any()]
    if empty:
        weights = {name: getattr(module, f"{local}_orig") for name, module, local in pool}
        raise SettingsError(
            f"`pruning_ratio` {settings.pruning_ratio:g} leaves "
            f"{', '.join(f'`{layer_of(n)}`' for n in empty)} empty: at most {_largest(weights):g} "
            "keeps a weight in each. Lower it, or name these layers in `ignored_layers`."
        )
    return masks


def _check(name: str, n: int, ratio: float) -> None:
    if ratio < 1 and math.floor(ratio * n) < n:
        return
    largest = math.floor((1 - 1 / n) * 1e4) / 1e4
    raise SettingsError(
        f"`pruning_ratio` {ratio:g} leaves `{layer_of(name)}` ({n} weights) empty: at most "
        f"{largest:g} keeps one."
    )


def _largest(weights: dict[str, torch.Tensor]) -> float:
    """The largest ratio over all layers at which each keeps its strongest weight."""
    import torch

    together = torch.cat([w.detach().abs().flatten() for w in weights.values()])
    weakest = min(float(w.detach().abs().max()) for w in weights.values())
    return math.floor(float((together < weakest).float().mean()) * 1e4) / 1e4


def one_shot(
    model: nn.Module, job: Job, settings: PruningSettings, masks: dict[str, torch.Tensor]
) -> Fitted:
    """Masks applied at once, then fine-tuning in which they hold after every step."""
    masked = copy.deepcopy(model)
    apply(masked, masks)
    fitted = fine_tune(masked, job, settings, step_hook=lambda m, _: apply(m, masks))
    apply(fitted.model, masks)
    return fitted


def gradual(
    model: nn.Module, job: Job, settings: PruningSettings
) -> tuple[Fitted, dict[str, torch.Tensor]]:
    """The cubic schedule over the first two thirds of the fine-tuning, in `iterations` updates; the
    rest at full sparsity.

    `fit` keeps the weights that score best, which are the denser ones: so the last weights of the
    schedule are taken aside.
    """
    first, second, third = parts_of(settings.fit, 3)
    joined = {
        "epochs": (first.epochs or 0) + (second.epochs or 0),
        "patience": 1_000_000,
        "max_steps": first.max_steps and first.max_steps + (second.max_steps or 0),
    }
    schedule = first.model_copy(update=joined)
    n_steps, n = n_steps_of(schedule, len(job.task.data.train)), settings.iterations
    updates = {max(1, round(n_steps * i / n)): i / n for i in range(1, n + 1)}
    masks: dict[str, torch.Tensor] = {}
    last: dict[str, torch.Tensor] = {}

    def hook(trained: nn.Module, step: int) -> None:
        if step in updates:
            share = cubic(1.0, updates[step])
            masks.update(masks_of(trained, settings, share=share, seed=job.seed))
            job.report.curve("sparsity", step, settings.pruning_ratio * share)
        apply(trained, masks)
        if step == n_steps:
            last.update({k: v.detach().cpu().clone() for k, v in trained.state_dict().items()})

    rough = fine_tune(model, job, settings, part=schedule, step_hook=hook, keep=False)
    rough.model.load_state_dict(last)
    fitted = fine_tune(
        rough.model, job, settings, part=third, step_hook=lambda m, _: apply(m, masks)
    )
    shift = {"epoch": len(rough.history), "step": n_steps}
    later = [{k: v + shift.get(k, 0) for k, v in row.items()} for row in fitted.history]
    masks = {name: mask.cpu() for name, mask in masks.items()}
    apply(fitted.model, masks)
    return Fitted(
        fitted.model,
        rough.history + later,
        fitted.choices,
        n_steps + fitted.n_steps,
        fitted.best_epoch,
    ), masks
