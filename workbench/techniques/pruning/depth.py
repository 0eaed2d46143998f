"""Depth pruning: remove whole blocks whose output has the shape of their input.

For one row on one thread, the number of operators dominates the latency of small networks; removing
a block saves operators, and narrower layers do not. In each round every block is left out once, and
the block whose removal gives the best quality on valid is removed.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from workbench.data.tensors import tensor
from workbench.errors import CandidateError
from workbench.measure.cost import macs_torch
from workbench.models.networks import call_model, copied
from workbench.techniques.pruning.evaluation import CachedEvaluation
from workbench.techniques.pruning.finetuning import fine_tune
from workbench.techniques.pruning.masks import is_inside
from workbench.techniques.pruning.outputs import output_shape

if TYPE_CHECKING:
    import torch
    from pandas import DataFrame
    from torch import nn

    from workbench.technique import Job
    from workbench.techniques.pruning import PruningSettings
    from workbench.training import Fitted

__all__ = ["removable_blocks", "remove_blocks", "without_blocks"]


def removable_blocks(
    model: nn.Module, inputs: Mapping[str, torch.Tensor], ignored: Collection[str] = ()
) -> tuple[str, ...]:
    """Names of the blocks that can be removed, in order.

    A block has several layers and one output with the shape of its first input. It is an element of
    a list of such blocks (the layers of a transformer) or has no smaller block inside. Blocks
    without which the network fails are left out.
    """
    keeps_shape = _blocks_that_keep_the_shape(model, inputs)
    expected = output_shape(copied(model).eval(), dict(inputs))
    removable: list[str] = []
    for name in keeps_shape:
        if any(other.startswith(f"{name}.") for other in keeps_shape):
            continue  # only the smallest ones, and the elements of lists around them
        elements = [other for other in keeps_shape if name.startswith(f"{other}.")]
        elements = [other for other in elements if _is_element(model, other)]
        own_element = [name] if _is_element(model, name) else []
        for block in [*own_element, *elements[::-1], name]:
            if block in removable or _runs_without(model, block, inputs, expected):
                removable.append(block)
                break
    order = [name for name, _ in model.named_modules()]
    unprotected = {name for name in removable if not is_inside(name, ignored)}
    return tuple(sorted(unprotected, key=order.index))


def _is_element(model: nn.Module, name: str) -> bool:
    """Whether a module is one of several of its class in a list."""
    from torch import nn

    owner = model.get_submodule(name.rpartition(".")[0])
    block = model.get_submodule(name)
    is_list = isinstance(owner, (nn.ModuleList, nn.Sequential))
    return is_list and sum(type(other) is type(block) for other in owner) > 1


def _runs_without(
    model: nn.Module, block: str, inputs: Mapping[str, torch.Tensor], shape: tuple[int, ...]
) -> bool:
    try:
        return output_shape(without_blocks(model, [block]).eval(), dict(inputs)) == shape
    except Exception:  # any error of a user's `forward`
        return False


def _blocks_that_keep_the_shape(
    model: nn.Module, inputs: Mapping[str, torch.Tensor]
) -> tuple[str, ...]:
    """Names of the modules with several layers whose output has the shape of the first input."""
    import torch

    keeps_shape: dict[str, bool] = {}

    def hook(name: str) -> Any:
        def compare(_: nn.Module, arguments: tuple[Any, ...], output: Any) -> None:
            is_same = (
                bool(arguments)
                and isinstance(output, torch.Tensor)
                and isinstance(arguments[0], torch.Tensor)
                and arguments[0].shape == output.shape
            )
            keeps_shape[name] = keeps_shape.get(name, True) and is_same

        return compare

    # In eval mode, PyTorch's fused operators do not call the parts of a transformer layer.
    twin = copied(model).train()
    for name, module in twin.named_modules():
        if name and _has_several_layers(module):
            module.register_forward_hook(hook(name))
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        call_model(twin, inputs)
    blocks = {name for name, is_same in keeps_shape.items() if is_same}
    return tuple(name for name, _ in model.named_modules() if name in blocks)


def _has_several_layers(module: nn.Module) -> bool:
    layers = [m for m in module.modules() if list(m.parameters(recurse=False))]
    return bool(list(module.children())) and len(layers) > 1


def without_blocks(model: nn.Module, blocks: Sequence[str]) -> nn.Module:
    """A copy of the network without these blocks; each is replaced by `Identity`.

    Blocks in a `ModuleList` that take more than one argument are deleted from the list instead: the
    layers of a transformer are called with a mask, which `Identity` does not accept.
    """
    from torch import nn

    pruned = copied(model)
    for name in sorted(blocks, key=_list_order, reverse=True):  # deleting shifts later numbers
        owner_name, _, local = name.rpartition(".")
        owner = pruned.get_submodule(owner_name)
        encoder = pruned.get_submodule(owner_name.rpartition(".")[0])
        if isinstance(owner, nn.ModuleList) and _takes_several(owner[int(local)]):
            del owner[int(local)]
            if isinstance(encoder, nn.TransformerEncoder):
                encoder.num_layers = len(owner)
        else:
            setattr(owner, local, nn.Identity())
    return pruned


def _takes_several(block: nn.Module) -> bool:
    return len(inspect.signature(block.forward).parameters) > 1


def _list_order(name: str) -> list[tuple[int, str]]:
    """A key that sorts "layers.10" after "layers.9"."""
    return [(len(part), part) for part in name.split(".")]


def remove_blocks(job: Job, settings: PruningSettings) -> tuple[Fitted, DataFrame, str]:
    """The fine-tuned network without the fraction `pruning_ratio` of its blocks, a table, a note.

    Columns of the table: turn, block, quality (without the block), removed. Raises CandidateError
    when the network has no block that can be removed.
    """
    import pandas as pd

    model = copied(job.start.model).to("cpu")
    inputs = {name: tensor(array, "cpu") for name, array in job.example(2).items()}
    blocks = list(removable_blocks(model, inputs, settings.ignored_layers))
    if not blocks:
        raise CandidateError(
            "This network has no block whose output has the shape of its input, so no block can be "
            "removed. Use `method` structured, which narrows layers. A block must be a module of "
            "its own."
        )
    removed, rows = _least_needed(job, settings, model, blocks)
    pruned = without_blocks(model, removed)
    example = job.example(1)
    saved = 1 - macs_torch(pruned, example) / max(1, macs_torch(model, example))
    names = ", ".join(f"`{name}`" for name in removed) or "none"
    note = (
        f"Removed {len(removed)} of {len(blocks)} blocks ({names}): {saved:.0%} of the "
        "multiply-adds."
    )
    table = pd.DataFrame(rows, columns=["turn", "block", "quality", "removed"])
    return fine_tune(pruned, job, settings), table, note


def _least_needed(
    job: Job, settings: PruningSettings, model: nn.Module, blocks: list[str]
) -> tuple[list[str], list[tuple[int, str, float, bool]]]:
    """The blocks to remove, in the order of their removal, and a row for each trial."""
    n_removed = _n_removed(settings.pruning_ratio, len(blocks))
    n_trials = sum(len(blocks) - turn for turn in range(n_removed))
    sign = job.task.metric.sign
    evaluation = CachedEvaluation(job, settings, "depth")
    removed: list[str] = []
    rows: list[tuple[int, str, float, bool]] = []
    for turn in range(1, n_removed + 1):
        qualities: dict[str, float] = {}
        for name in (block for block in blocks if block not in removed):
            n_done = len(rows) + len(qualities)
            job.report.progress(n_done, n_trials, f"Evaluating the network without {name}.")
            missing = sorted([*removed, name])
            qualities[name], _ = evaluation.evaluate(
                " ".join(missing), partial(without_blocks, model, missing)
            )
        # Of equally good blocks, the last one is removed.
        best = max(qualities, key=lambda name: (sign * qualities[name], blocks.index(name)))
        removed.append(best)
        rows += [(turn, name, quality, name == best) for name, quality in qualities.items()]
    return removed, rows


def _n_removed(ratio: float, n_blocks: int) -> int:
    """Number of blocks to remove; at least one unless the ratio is 0."""
    return max(1, round(ratio * n_blocks)) if ratio else 0
