"""Pruning: whole channels, layers or single weights removed by how little they matter, then
fine-tuning.

Structured pruning makes every runtime faster (torch-pruning; Fang et al., "DepGraph: Towards Any
Structural Pruning", CVPR 2023). Unstructured and N:M sparsity make a smaller file, and speed only
where kernels know them. A file a method.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Literal

from workbench.settings import TechniqueSettings, free_form, knob, nested, scaled
from workbench.technique import Job, Outcome, technique
from workbench.techniques.pruning.checks import check_all
from workbench.techniques.pruning.graph import groups_table
from workbench.techniques.pruning.n_m import check_n_m
from workbench.techniques.pruning.outputs import output_layers, widths
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
    """How to train what is left."""

    max_steps: int | None = scaled(smoke=100, standard=None, thorough=None, low=1)
    """Stop after this many optimizer steps, however many epochs that is."""


class PruningSettings(TechniqueSettings):
    """What to remove, how much of it, and how to train afterwards."""

    method: Literal["structured", "unstructured", "n_m", "depth"] = "structured"
    """Remove whole channels, single weights, all but n of every m weights, or whole blocks of
    layers.
    """

    pruning_ratio: float = knob(0.5, low=0.0, high=0.99, step=0.05)
    """Share of what the target names to remove: of the channels, weights or blocks, of the
    multiply-adds, of the latency.
    """

    target: Literal["ratio", "macs", "latency"] = "ratio"
    """Whether the ratio is of the channels, of the multiply-adds, or of the batch-1 latency in ONNX
    Runtime on one thread.
    """

    importance: Literal["l2", "l1", "taylor", "bn_scale", "random"] = "l2"
    """What says how much a channel matters: norm of its weights, gradient times weight, batch-norm
    scale, or chance.
    """

    scope: Literal["uniform", "global", "sensitivity"] = "uniform"
    """The same share everywhere; all layers compared; or shares planned from how much each layer
    hurts.
    """

    iterations: int = knob(1, low=1, high=100)
    """Steps in which the share is removed, with training after each; unstructured follows the cubic
    schedule from 2 on.
    """

    round_to: int = knob(4, low=1, high=64)
    """Keep a multiple of this many channels, as kernels work on blocks."""

    ignored_layers: list[str] = free_form([])
    """Names of layers to leave whole; where channels are removed, output layers always are."""

    ratios: dict[str, float] = free_form({})
    """Ratios of single layers by name, in place of the common one."""

    n: int = knob(2, low=1, high=32)
    """Weights that stay of every m."""

    m: int = knob(4, low=2, high=64)
    """Weights along the input of which n stay."""

    distill_alpha: float = knob(0.0, low=0.0, high=1.0, step=0.05)
    """Weight of what the network before pruning answers, against the labels, while fine-tuning; 0
    is off.
    """

    distill_temperature: float = knob(4.0, above=0, high=100)
    """Temperature that softens these answers."""

    distill_from: str = ""
    """Who answers, a trained model of the task, a folder or package.module:function; empty is the
    network before this step.
    """

    fit: FineTuning = nested(FineTuning)
    """Fine-tuning after something is gone."""


@technique(
    "pruning",
    title="Pruning",
    accepts=("torch",),
    gives="torch",
    actions={"sensitivity": sensitivity},
    references=("distill_from",),
)
def prune(job: Job, settings: PruningSettings) -> Outcome:
    """Removes channels, weights or layers that matter least, then fine-tunes what is left."""
    settings = settings.resolved()
    check_all(job, settings)
    ways = {"structured": _structured, "unstructured": _unstructured, "n_m": _n_m, "depth": _depth}
    return ways[settings.method](job, settings)


def _structured(job: Job, settings: PruningSettings) -> Outcome:
    from workbench.techniques.pruning.channels import remove_channels

    before = widths(job.start.model)
    done = remove_channels(job, settings)
    after = widths(done.fitted.model)
    protected = {
        m.layer
        for g in done.groups
        if g.protected
        for m in g.members
        if m.role in ("out", "depthwise")
    }
    evidence = {
        "widths": _table(
            [
                {"layer": n, "channels": w, "channels_after": after[n], "protected": n in protected}
                for n, w in before.items()
            ]
        ),
        "groups": groups_table(done.groups, before, after),
        **done.tables,
    }
    return _outcome(job, done.settings, done.fitted, evidence, done.notes)


def _unstructured(job: Job, settings: PruningSettings) -> Outcome:
    from workbench.techniques.pruning.masks import sparsity
    from workbench.techniques.pruning.unstructured import gradual, masks_of, one_shot

    model = copy.deepcopy(job.start.model).to("cpu")
    job.report.message(f"Setting {settings.pruning_ratio:.0%} of the weights to zero.")
    is_gradual = settings.iterations > 1 and bool(settings.fit.epochs)
    if is_gradual:
        fitted, _ = gradual(model, job, settings)
    else:
        fitted = one_shot(model, job, settings, masks_of(model, settings, seed=job.seed))
    evidence = _sparse_evidence(fitted)
    note = (
        f"{sparsity(fitted.model):.1%} of the weights are zero. Dense kernels multiply zeros like "
        "any number: no runtime here gets faster. What falls is the compressed file, to "
        f"{evidence['compressed']['ratio'].item():.0%} of the dense one."
    )
    return _outcome(job, settings, fitted, evidence, (note,))


def _n_m(job: Job, settings: PruningSettings) -> Outcome:
    from workbench.techniques.pruning.n_m import n_m_masks
    from workbench.techniques.pruning.unstructured import one_shot

    n, m = settings.n, settings.m
    model = copy.deepcopy(job.start.model).to("cpu")
    job.report.message(f"Keeping {n} of every {m} weights.")
    masks, left = n_m_masks(model, n, m, settings.ignored_layers)
    fitted = one_shot(model, job, settings, masks)
    notes = [
        f"{n} of every {m} weights stay. The runtimes for this processor have no sparse kernels: "
        "nothing gets faster here. NVIDIA GPUs from Ampere on have them for 2:4 in fp16 and int8."
    ]
    if left:
        names = ", ".join(f"`{name.removesuffix('.weight')}`" for name in left)
        notes.append(f"Left whole, as {m} does not divide their number of inputs: {names}.")
    return _outcome(
        job,
        settings,
        fitted,
        {"pattern": check_n_m(fitted.model, n, m), **_sparse_evidence(fitted)},
        tuple(notes),
    )


def _depth(job: Job, settings: PruningSettings) -> Outcome:
    from workbench.techniques.pruning.depth import remove_blocks

    fitted, table, resolved, note = remove_blocks(job, settings)
    return _outcome(job, resolved, fitted, {"blocks": table}, (note,))


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
    chosen = {k: fitted.choices[k] for k in ("precision", "memory_format")}
    resolved = settings.model_copy(update={"fit": settings.fit.model_copy(update=chosen)})
    macs = job.start.macs if settings.method in ("unstructured", "n_m") else None
    candidate = job.start.child(
        f"{job.start.name}-pruned",
        "pruning",
        model=fitted.model,
        training=fitted.choices,
        macs=macs,
    )
    return Outcome(
        candidate, resolved, evidence={**evidence, "fit": _table(fitted.history)}, notes=notes
    )


def _table(rows: list[dict[str, Any]]) -> DataFrame:
    import pandas as pd

    return pd.DataFrame(rows)
