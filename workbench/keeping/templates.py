"""Load a kept network into a template: an untrained instance of the network's own class.

The template has the widths and the blocks of its constructor. It gets those of the kept structure:

    kept         layer.0 (4 heads)                      layer.1 (2 heads)
    template     layer.0 (8 heads)  layer.1 (removed)   layer.2 (8 heads)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import nn

from workbench.errors import CandidateError, all_of
from workbench.keeping.load_network import (
    StructureError,
    decode,
    fill,
    module_from,
    named_tensors,
)
from workbench.models.networks import copied

__all__ = ["loaded_into"]


class _Block(NamedTuple):
    """Names inside an element of a list: layers with their class, tensors, and plain numbers."""

    layers: dict[str, str]
    tensors: set[str]
    numbers: dict[str, dict[str, Any]]


def loaded_into(
    template: nn.Module, structure: Mapping[str, Any], weights: dict[str, torch.Tensor]
) -> nn.Module:
    """A copy of the template with the kept blocks, layers and weights.

    Raises CandidateError that lists all layers and weights that do not fit.
    """
    model = copied(template)
    device = next((tensor.device for _, _, _, tensor in named_tensors(model)), torch.device("cpu"))
    _remove_blocks(model, structure)
    problems = [
        p for path, spec in structure["modules"].items() if (p := _replace(model, path, spec))
    ]
    kept = {name: tensor for name, tensor in weights.items() if name not in structure["constants"]}
    _resize(model, structure, kept)
    for path, numbers in structure["attributes"].items():
        module = dict(model.named_modules()).get(path)
        for name in set(numbers) & set(vars(module) if module is not None else ()):
            setattr(module, name, decode(numbers[name]))
    if not problems:
        try:
            fill(model, structure, kept)
        except StructureError as error:
            problems.append(str(error))
    if problems:
        text = all_of(
            problems,
            f"The template {type(template).__name__} does not fit the kept network "
            f"{structure['name']}",
        )
        raise CandidateError(
            f"{text}\nGive an untrained instance of the class that was kept, with at least as many "
            "layers."
        )
    return model.to(device).eval()


def _resize(
    model: nn.Module, structure: Mapping[str, Any], kept: Mapping[str, torch.Tensor]
) -> None:
    """Give tensors of the user's own modules the kept shapes; their values come later."""
    for name, owner, local, tensor in list(named_tensors(model)):
        stored = kept.get(structure["ties"].get(name, name))
        of_a_user_module = name in structure["parameters"] or name in structure["buffers"]
        if not of_a_user_module or stored is None:
            continue
        if stored.ndim == tensor.ndim and stored.shape != tensor.shape:
            resized = torch.empty_like(stored)
            is_parameter = isinstance(tensor, nn.Parameter)
            new = nn.Parameter(resized, requires_grad=False) if is_parameter else resized
            setattr(owner, local, new)


def _replace(model: nn.Module, path: str, spec: Mapping[str, Any]) -> str:
    """Give the layer at `path` the kept widths; returns a problem as text, empty if it fits.

    The layer is changed in place, so that all modules that share it see the change.
    """
    try:
        layer = model.get_submodule(path)
    except AttributeError:
        return f"`{path}` ({spec['class']}) is not in the template."
    if spec["class"] == "Identity" and type(layer) is not nn.Identity:
        # Depth pruning removed this layer or block.
        parent, _, local = path.rpartition(".")
        setattr(model.get_submodule(parent), local, nn.Identity())
        return ""
    if spec["class"] == getattr(getattr(layer, "cls_to_become", None), "__name__", ""):
        _replace_lazy(model, layer, spec)
        return ""
    if type(layer).__name__ != spec["class"]:
        return (
            f"`{path}` is a {spec['class']} in the kept network and a {type(layer).__name__} in "
            "the template."
        )
    with torch.device("meta"):
        kept = module_from(spec)
    vars(layer).update({name: value for name, value in vars(kept).items() if "hook" not in name})
    return ""


def _replace_lazy(model: nn.Module, lazy: nn.Module, spec: Mapping[str, Any]) -> None:
    """Put the kept layer into all places of a lazy one, which waits for its first call."""
    with torch.device("meta"):
        kept = module_from(spec)
    for owner in list(model.modules()):
        for local, child in list(owner.named_children()):
            if child is lazy:
                setattr(owner, local, kept)


def _remove_blocks(model: nn.Module, structure: Mapping[str, Any]) -> None:
    """Remove the blocks of the template's lists that depth pruning removed, in place.

    Pruning deletes a block from its `ModuleList`, which numbers the later ones again. So the kept
    blocks are found among those of the template, in order: by layers and plain numbers (such as
    `layer_idx`), else by layers, else by the layers that are left in them. A list in which they are
    not found stays as it is. A list is emptied only in a template of the kept class.
    """
    is_kept_class = type(model).__name__ == structure["name"]
    for path in [p for p, module in model.named_modules() if isinstance(module, nn.ModuleList)]:
        try:
            owner = model.get_submodule(path)
        except AttributeError:  # inside a block that was removed
            continue
        kept = _kept_blocks(structure, path)
        blocks = [_block_of(block) for block in owner]
        has_names = all(block.layers or block.tensors for block in blocks)
        if not has_names or len(kept) >= len(blocks) or not (kept or is_kept_class):
            continue
        rules = (_same_numbers, _same_layers, _has_layers)
        found = next((f for rule in rules if (f := _matches(kept, blocks, rule)) is not None), None)
        if found is None:
            continue
        for number in reversed(range(len(blocks))):
            if number not in found:
                del owner[number]


def _kept_blocks(structure: Mapping[str, Any], path: str) -> list[_Block]:
    """The elements of the list at `path` in the kept network, in order; none if it has no list."""
    prefix = f"{path}." if path else ""
    blocks: dict[str, _Block] = {}

    def block(name: str) -> tuple[_Block, str]:
        number, _, inner = name.removeprefix(prefix).partition(".")
        return blocks.setdefault(number, _Block({}, set(), {})), inner

    for name, spec in structure["modules"].items():
        if name.startswith(prefix):
            owner, inner = block(name)
            owner.layers[inner] = spec["class"]
    constants = set(structure["constants"])
    for name in {**structure["parameters"], **structure["buffers"]}:
        if name.startswith(prefix) and name not in constants:
            owner, inner = block(name)
            owner.tensors.add(inner)
    for name, numbers in structure["attributes"].items():
        if name.startswith(prefix) and name.removeprefix(prefix).partition(".")[0] in blocks:
            owner, inner = block(name)
            owner.numbers[inner] = {key: decode(value) for key, value in numbers.items()}
    if not all(number.isdecimal() for number in blocks):
        return []
    return [blocks[number] for number in sorted(blocks, key=int)]


def _block_of(module: nn.Module) -> _Block:
    """The names inside an element of a list of the template; those of its own tensors only."""
    layers = {path: type(each).__name__ for path, each in module.named_modules()}
    tensors = {name for name, _, _, _ in named_tensors(module)}
    numbers = {path: vars(each) for path, each in module.named_modules()}
    return _Block(layers, tensors, numbers)


def _matches(
    kept: Sequence[_Block], blocks: Sequence[_Block], fits: Callable[[_Block, _Block], bool]
) -> list[int] | None:
    """Numbers of the blocks that the kept ones are, in order; None if one is not found."""
    found: list[int] = []
    for block in kept:
        start = found[-1] + 1 if found else 0
        number = next((n for n in range(start, len(blocks)) if fits(block, blocks[n])), None)
        if number is None:
            return None
        found.append(number)
    return found


def _has_layers(kept: _Block, block: _Block) -> bool:
    """Whether a block has all kept layers, or another in the place of a removed one."""
    same = all(
        name in block.layers and spec in ("Identity", block.layers[name])
        for name, spec in kept.layers.items()
    )
    return same and kept.tensors <= block.tensors


def _same_layers(kept: _Block, block: _Block) -> bool:
    """Whether a block has the kept layers and no other tensors."""
    gone = [name for name, spec in kept.layers.items() if spec == "Identity"]
    own = {name for name in block.tensors if not _is_inside(name, gone)}
    return _has_layers(kept, block) and all(
        name in kept.tensors or _is_inside(name, kept.layers) for name in own
    )


def _same_numbers(kept: _Block, block: _Block) -> bool:
    """Whether a block has the kept layers, and plain numbers equal to the kept ones."""
    return _same_layers(kept, block) and all(
        block.numbers.get(path, {}).get(name) == value
        for path, numbers in kept.numbers.items()
        for name, value in numbers.items()
    )


def _is_inside(tensor: str, layers: Any) -> bool:
    """Whether a tensor belongs to one of these layers, or to a layer inside one."""
    parts = tensor.split(".")
    return any(".".join(parts[:n]) in layers for n in range(len(parts)))
