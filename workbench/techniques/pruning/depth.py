"""Depth pruning: whole blocks taken out, where what comes out has the shape of what goes in.

On one thread and one row small networks are bound by the number of operators: a block less saves
what narrowing cannot. Blocks are tried one by one on valid, and the one that is missed least goes,
until enough are gone.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from workbench.data.tensors import tensor
from workbench.errors import CandidateError
from workbench.measure.cost import macs_torch
from workbench.models.networks import call_model
from workbench.techniques.pruning.finetuning import fine_tune
from workbench.techniques.pruning.sensitivity import Quick

if TYPE_CHECKING:
    import torch
    from pandas import DataFrame
    from torch import nn

    from workbench.technique import Job
    from workbench.techniques.pruning import PruningSettings
    from workbench.training import Fitted

__all__ = ["blocks_of", "remove_blocks", "without"]


def blocks_of(
    model: nn.Module, inputs: Mapping[str, torch.Tensor], ignored: list[str] | None = None
) -> tuple[str, ...]:
    """Names of the smallest parts of several layers, in order, whose only output has the shape of
    their first input.
    """
    import torch

    same: dict[str, bool] = {}

    def hook(name: str) -> Any:
        def look(module: nn.Module, given: tuple[Any, ...], out: Any) -> None:
            is_same = (
                bool(given)
                and isinstance(out, torch.Tensor)
                and isinstance(given[0], torch.Tensor)
                and given[0].shape == out.shape
            )
            same[name] = same.get(name, True) and is_same

        return look

    copied = copy.deepcopy(model).train()  # eval would take fused ways around the parts' own calls
    for name, module in copied.named_modules():
        if (
            name
            and any(True for _ in module.children())
            and sum(1 for m in module.modules() if list(m.parameters(recurse=False))) > 1
        ):
            module.register_forward_hook(hook(name))
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        call_model(copied, inputs)
    found = [name for name, is_same in same.items() if is_same]
    order = [name for name, _ in model.named_modules()]
    smallest = [n for n in found if not any(o.startswith(f"{n}.") for o in found)]
    return tuple(
        sorted(
            (
                n
                for n in smallest
                if not any(n == i or n.startswith(f"{i}.") for i in ignored or ())
            ),
            key=order.index,
        )
    )


def without(model: nn.Module, blocks: list[str]) -> nn.Module:
    """A copy of the network in which these blocks hand on what they get."""
    from torch import nn

    made = copy.deepcopy(model)
    for name in sorted(
        blocks, key=lambda n: [(len(p), p) for p in n.split(".")], reverse=True
    ):  # the last of a list first
        path, _, local = name.rpartition(".")
        owner = made.get_submodule(path) if path else made
        encoder = made.get_submodule(path.rpartition(".")[0]) if path else None
        if isinstance(owner, nn.ModuleList) and isinstance(encoder, nn.TransformerEncoder):
            del owner[int(local)]  # it calls its layers with masks, which Identity does not take
            encoder.num_layers = len(owner)
        else:
            setattr(owner, local, nn.Identity())
    return made


def remove_blocks(
    job: Job, settings: PruningSettings
) -> tuple[Fitted, DataFrame, PruningSettings, str]:
    """The network without the share `pruning_ratio` of its blocks, fine-tuned; what was tried; and
    a note.

    Raises CandidateError when no part of the network can be left out.
    """
    import pandas as pd

    model = copy.deepcopy(job.start.model).to("cpu")
    inputs = {name: tensor(a, "cpu") for name, a in job.example(2).items()}
    blocks = list(blocks_of(model, inputs, settings.ignored_layers))
    if not blocks:
        raise CandidateError(
            "No part of this network has an output of the shape of its input, so none can be left "
            "out. Take `method` structured, which narrows layers; blocks must be modules of their "
            "own to be found."
        )
    n_gone = max(1, round(settings.pruning_ratio * len(blocks))) if settings.pruning_ratio else 0
    quick = Quick(job, settings, "depth")
    gone: list[str] = []
    rows: list[tuple[Any, ...]] = []
    total = sum(len(blocks) - i for i in range(n_gone))
    for turn in range(n_gone):
        tried: dict[str, float] = {}
        for name in (b for b in blocks if b not in gone):
            job.report.progress(len(rows), total, f"trying without {name}")
            chosen = sorted([*gone, name])
            tried[name], _ = quick(" ".join(chosen), lambda chosen=chosen: without(model, chosen))
            rows.append((turn + 1, name, tried[name], False))
        sign = 1 if job.task.metric.higher_is_better else -1
        best = max(tried, key=lambda name: (sign * tried[name], blocks.index(name)))
        gone.append(best)
        rows = [(*r[:3], r[3] or (r[0] == turn + 1 and r[1] == best)) for r in rows]
    made = without(model, gone)
    example = job.example(1)
    share = 1 - macs_torch(made, example) / max(1, macs_torch(model, example))
    fitted = fine_tune(made, job, settings)
    names = ", ".join(f"`{g}`" for g in gone) or "none"
    note = (
        f"Left out {len(gone)} of {len(blocks)} blocks ({names}): {share:.0%} of the multiply-adds."
    )
    return (
        fitted,
        pd.DataFrame(rows, columns=["turn", "block", "quality", "removed"]),
        settings,
        note,
    )
