"""Pruning: remove channels, blocks or single weights of low importance, then fine-tune.

A boosted ensemble loses its last rounds instead, and nothing is trained.

Structured pruning makes a network faster in every runtime (torch-pruning; Fang et al., "DepGraph:
Towards Any Structural Pruning", CVPR 2023). Attention loses whole heads, with their size unchanged
(Michel et al., "Are Sixteen Heads Really Better than One?", 2019). Unstructured and N:M sparsity
make the file smaller; the network is faster only where the runtime has kernels for them. Each
method has a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from workbench.models.networks import copied
from workbench.settings import SET, TechniqueSettings, free_form, knob, nested, scaled
from workbench.technique import Job, Outcome, technique
from workbench.techniques.pruning.groups import attentions_of, groups_table, heads_table
from workbench.techniques.pruning.n_m import check_n_m
from workbench.techniques.pruning.outputs import output_layers, widths
from workbench.techniques.pruning.preconditions import conflicts, for_network, require_all
from workbench.techniques.pruning.sensitivity import sensitivity
from workbench.techniques.pruning.sparse_file import compress, decompress
from workbench.training import FitSettings, Fitted

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = [
    "PruningSettings",
    "check_n_m",
    "compress",
    "decompress",
    "output_layers",
    "prune",
    "sensitivity",
]


class FineTuning(FitSettings):
    """Training after pruning."""

    max_steps: int | None = scaled(smoke=100, standard=None, thorough=None, low=1)
    """Limit on the number of optimizer steps."""


CHANNELS = ("auto", "structured")  # methods that remove channels of a network
SELECTING = (*CHANNELS, "unstructured")
NETWORKS = (*SELECTING, "n_m", "depth")


class PruningSettings(TechniqueSettings):
    """Unit to remove, fraction to remove, and training afterwards."""

    method: Literal["auto", "structured", "unstructured", "n_m", "depth", "trees"] = "auto"
    """Unit to remove from a network: structured removes channels, unstructured single weights,
    depth blocks of layers; n_m keeps n of every m weights. From a boosted ensemble, trees removes
    the last rounds. Auto: structured for a network, trees for an ensemble.
    """

    n_rounds: int | None = knob(
        None,
        low=1,
        high=100_000,
        log=True,
        search=(10, 100),
        only_if={"method": ("auto", "trees")},
        forms=("sklearn",),
        title="Rounds to keep",
    )
    """Number of rounds of a boosted ensemble to keep, from the first on. Empty: the smallest one
    that loses at most the margin of the metric on valid.
    """

    pruning_ratio: float = knob(
        0.5,
        low=0.0,
        high=0.99,
        step=0.05,
        search=(0.1, 0.9),
        only_if={"method": (*SELECTING, "depth")},
        forms=("torch",),
    )
    """Fraction to remove, in the unit chosen by `method` and `target`."""

    target: Literal["ratio", "macs", "latency"] = knob(
        "ratio", only_if={"method": CHANNELS}, forms=("torch",), title="Unit of the ratio"
    )
    """Unit of `pruning_ratio`: ratio is a fraction of the channels, macs of the multiply-adds,
    latency of the time for one row in ONNX Runtime on one thread.
    """

    importance: Literal["l2", "l1", "taylor", "bn_scale", "random"] = knob(
        "l2",
        only_if={"method": SELECTING},
        forms=("torch",),
        title="Importance criterion",
    )
    """Importance criterion: weight norm (l2, l1), gradient x weight (taylor), batch-norm scale, or
    random. For single weights: l2 and l1, both the magnitude, or random.
    """

    scope: Literal["uniform", "global", "sensitivity"] = knob(
        "uniform",
        only_if={"method": SELECTING},
        forms=("torch",),
        title="Distribution over layers",
    )
    """Distribution over layers: uniform removes the same fraction of each, global compares the
    importance of all layers, sensitivity removes more from layers that lose less quality (not for
    single weights).
    """

    iterations: int = knob(
        1,
        low=1,
        high=100,
        search=(1, 5),
        only_if={"method": SELECTING},
        forms=("torch",),
        title="Pruning steps",
    )
    """Number of pruning steps, each followed by training. From 2 on, unstructured pruning uses the
    cubic schedule.
    """

    round_to: int = knob(
        4,
        low=1,
        high=64,
        search=(1, 16),
        only_if={"method": CHANNELS},
        forms=("torch",),
        expert=True,
        title="Round channels to a multiple of",
    )
    """Number whose multiples the remaining channels are rounded to; kernels compute in blocks."""

    ignored_layers: list[str] = free_form(
        [], only_if={"method": NETWORKS}, forms=("torch",), expert=True
    )
    """Names of layers to leave unpruned. Structured pruning never prunes output layers."""

    ratios: dict[str, float] = free_form(
        {},
        only_if={"method": SELECTING},
        forms=("torch",),
        expert=True,
        title="Ratios of single layers",
    )
    """Pruning ratios of single layers by name; they replace `pruning_ratio` for these layers."""

    n: int = knob(
        2,
        low=1,
        high=32,
        search=(1, 2),
        only_if={"method": "n_m"},
        forms=("torch",),
        title="Keep n of every m weights",
    )
    """Number of weights to keep of every m; must be below m."""

    m: int = knob(
        4,
        low=2,
        high=64,
        search=(4, 8),
        only_if={"method": "n_m"},
        forms=("torch",),
        title="Consecutive weights to choose from (m)",
    )
    """Number of consecutive weights along the input of which n are kept."""

    distill_alpha: float = knob(
        0.0,
        low=0.0,
        high=1.0,
        step=0.05,
        search=(0.0, 0.9),
        only_if={"method": NETWORKS},
        forms=("torch",),
        title="Weight of the teacher",
    )
    """Weight of the teacher's outputs in the loss of fine-tuning; the labels have the rest. 0 turns
    distillation off.
    """

    distill_temperature: float = knob(
        4.0,
        above=0,
        high=100,
        search=(1.0, 10.0),
        only_if={"distill_alpha": SET},
        forms=("torch",),
        title="Distillation temperature",
    )
    """Temperature that softens the outputs of teacher and network."""

    distill_from: str = knob("", only_if={"distill_alpha": SET}, forms=("torch",), title="Teacher")
    """Teacher used while fine-tuning: a trained model of the task, the folder of a run or step, or
    package.module:function. Empty: the network before pruning.
    """

    fit: FineTuning = nested(
        FineTuning, only_if={"method": NETWORKS}, forms=("torch",), expert=True, title="Fine-tuning"
    )
    """Training after pruning."""

    def conflicts(self) -> list[tuple[str, str]]:
        """Values that exclude each other, as (name of a setting, sentence)."""
        return conflicts(self)


@technique(
    "pruning",
    title="Pruning",
    accepts=("torch", "sklearn"),
    gives="same",
    actions={"sensitivity": sensitivity},
    references=("distill_from",),
    partly={"sklearn": "boosted ensembles"},
)
def prune(job: Job, settings: PruningSettings) -> Outcome:
    """Removes channels, blocks or weights of low importance, or the last trees of an ensemble."""
    if job.start.form == "sklearn":
        from workbench.techniques.pruning.trees import keep_first_rounds

        return keep_first_rounds(job, settings)
    settings = job.resolved(for_network(settings, job.start.name))
    require_all(job, settings)
    methods = {
        "structured": _structured,
        "unstructured": _unstructured,
        "n_m": _n_m,
        "depth": _depth,
    }
    return methods[settings.method](job, settings)


def _structured(job: Job, settings: PruningSettings) -> Outcome:
    from workbench.techniques.pruning.structured import remove_channels

    widths_before = widths(job.start.model)
    result = remove_channels(job, settings)
    widths_after = widths(result.fitted.model)
    protected = {layer for group in result.groups if group.protected for layer in group.layers}
    rows = [
        {
            "layer": layer,
            "channels": width,
            "channels_after": widths_after[layer],
            "protected": layer in protected,
        }
        for layer, width in widths_before.items()
    ]
    evidence = {
        "widths": _table(rows),
        "groups": groups_table(result.groups, widths_before, widths_after),
        **result.tables,
    }
    if attentions_of(result.groups):
        evidence["heads"] = heads_table(result.groups, widths_before, widths_after)
    return _outcome(job, result.settings, result.fitted, evidence, result.notes)


def _unstructured(job: Job, settings: PruningSettings) -> Outcome:
    from workbench.techniques.pruning.masks import sparsity
    from workbench.techniques.pruning.unstructured import gradual, masks_of, one_shot

    model = copied(job.start.model).to("cpu")
    job.report.message(f"Setting {settings.pruning_ratio:.0%} of the weights to zero.")
    is_gradual = settings.iterations > 1 and bool(settings.fit.epochs)
    if is_gradual:
        fitted, _ = gradual(model, job, settings)
    else:
        fitted = one_shot(model, job, settings, masks_of(model, settings, seed=job.seed))
    evidence = _sparse_evidence(fitted)
    note = (
        f"{sparsity(fitted.model):.1%} of the weights are zero. Dense kernels multiply zeros like "
        "any other number, so no runtime here gets faster. The compressed file shrinks to "
        f"{evidence['compressed']['ratio'].item():.0%} of the dense one."
    )
    return _outcome(job, settings, fitted, evidence, (note,))


def _n_m(job: Job, settings: PruningSettings) -> Outcome:
    from workbench.techniques.pruning.n_m import n_m_masks
    from workbench.techniques.pruning.unstructured import one_shot

    n = settings.n
    m = settings.m
    model = copied(job.start.model).to("cpu")
    job.report.message(f"Keeping {n} of every {m} weights.")
    masks, unpruned = n_m_masks(model, n, m, settings.ignored_layers)
    fitted = one_shot(model, job, settings, masks)
    notes = [
        f"{n} of every {m} weights are kept. The runtimes for this processor have no sparse "
        "kernels, so nothing gets faster here. NVIDIA GPUs from Ampere on have kernels for 2:4 in "
        "fp16 and int8."
    ]
    if unpruned:
        names = ", ".join(f"`{name.removesuffix('.weight')}`" for name in unpruned)
        notes.append(f"Not pruned, because {m} does not divide their number of inputs: {names}.")
    evidence = {"pattern": check_n_m(fitted.model, n, m), **_sparse_evidence(fitted)}
    return _outcome(job, settings, fitted, evidence, tuple(notes))


def _depth(job: Job, settings: PruningSettings) -> Outcome:
    from workbench.techniques.pruning.depth import remove_blocks

    fitted, table, note = remove_blocks(job, settings)
    return _outcome(job, settings, fitted, {"blocks": table}, (note,))


def _sparse_evidence(fitted: Fitted) -> dict[str, DataFrame]:
    from workbench.techniques.pruning.masks import sparsity_table
    from workbench.techniques.pruning.sparse_file import compressed_table

    return {
        "sparsity": sparsity_table(fitted.model),
        "compressed": compressed_table(fitted.model, compress(fitted.model)),
    }


def _outcome(
    job: Job,
    settings: PruningSettings,
    fitted: Fitted,
    evidence: dict[str, DataFrame],
    notes: tuple[str, ...],
) -> Outcome:
    choices = {name: fitted.choices[name] for name in ("precision", "memory_format")}
    resolved = settings.model_copy(update={"fit": settings.fit.model_copy(update=choices)})
    # Zeros in a dense weight are multiplied too: masks leave the multiply-adds as they are.
    macs = job.start.macs if settings.method in ("unstructured", "n_m") else None
    candidate = job.start.child(
        f"{job.start.name}-pruned",
        "pruning",
        model=fitted.model,
        training=fitted.choices,
        macs=macs,
    )
    evidence = {**evidence, "fit": _table(fitted.history)}
    return Outcome(candidate, resolved, evidence=evidence, notes=notes)


def _table(rows: list[dict[str, Any]]) -> DataFrame:
    import pandas as pd

    return pd.DataFrame(rows)
