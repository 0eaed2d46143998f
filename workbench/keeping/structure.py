"""Keep a torch network as weights and a description, never as a pickle, and load it with or without
its own class.

A pruned network no longer has the widths that its class's constructor makes. So its layers are
written down one by one, and the calls between them as torch.fx follows them; `load_network.py`,
which is copied beside the two files, makes a module of that without this package and without the
user's code. Where the calls cannot be followed, the description says why, and an untrained instance
of the user's class (a template) takes the layers instead.
"""

from __future__ import annotations

import copy
import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import nn

from workbench.errors import CandidateError, all_of
from workbench.keeping import load_network as loader
from workbench.keeping.load_network import (
    HELPERS,
    StructureError,
    build,
    decode,
    fill,
    module_from,
    named_tensors,
)
from workbench.keeping.specs import encode, spec_of
from workbench.keeping.tracing import follow, with_modes
from workbench.models.networks import call_model
from workbench.system.files import read_json, write_bytes, write_json, write_text

__all__ = ["describe", "read_network", "save_network"]

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict, nn.ParameterList, nn.ParameterDict)


def describe(model: nn.Module, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The content of structure.json for a network, checked by building it again and comparing
    outputs at batch sizes 1 and 2.

    `inputs` are named arrays or tensors `(batch, ...)`; raises CandidateError when the network
    fails on them. Where it cannot be followed, or the one built again gives other outputs, `graph`
    is None and `reason` names the layer or operator. The model itself is not changed.
    """
    return _described(model, inputs)[0]


def save_network(model: nn.Module, folder: Path, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Write model.safetensors, load_network.py and structure.json, each atomically, and return the
    structure.
    """
    structure, weights = _described(model, inputs)
    write_bytes(Path(folder) / "model.safetensors", save(weights))
    write_text(Path(folder) / "load_network.py", inspect.getsource(loader))
    write_json(Path(folder) / "structure.json", structure)
    return structure


def read_network(folder: Path, template: nn.Module | None = None) -> nn.Module:
    """The kept network in eval mode: an instance of the template's class if one is given, else a
    `torch.fx.GraphModule`.

    `template` is an untrained instance of the network's own class, with any widths; it is copied.
    Raises CandidateError when the files are missing or refused, when template and structure do not
    fit, or when there is no graph and no template.
    """
    folder = Path(folder)
    missing = [
        name for name in ("structure.json", "model.safetensors") if not (folder / name).is_file()
    ]
    if missing:
        raise CandidateError(
            f"{folder} holds no kept network: {' and '.join(missing)} not found. `save_network` "
            "writes them."
        )
    structure, weights = (
        read_json(folder / "structure.json"),
        load_file(folder / "model.safetensors"),
    )
    if template is None and structure.get("graph", ...) is None:
        raise CandidateError(
            f"The network {structure['name']} can only be loaded into its own class, because "
            f"{structure['reason']} Give an untrained instance of {structure['name']} as "
            "`template=`; its widths do not matter."
        )
    try:
        return (
            build(structure, weights) if template is None else _into(template, structure, weights)
        )
    except StructureError as error:
        raise CandidateError(f"{folder} cannot be loaded. {error}") from error


def _described(
    model: nn.Module, inputs: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """The structure and the weights that go with it, constants of the graph among them."""
    network = copy.deepcopy(getattr(model, "_orig_mod", model)).eval()  # what torch.compile wraps
    device = next((t.device for _, _, _, t in named_tensors(network)), torch.device("cpu"))
    examples = {name: torch.as_tensor(value).to(device) for name, value in _named(inputs).items()}
    structure, weights, unreadable = _layers(network)
    structure["output"] = _about(network, examples)
    for name, tensor in examples.items():
        structure["inputs"][name] = {
            "shape": list(tensor.shape),
            "dtype": str(tensor.dtype).removeprefix("torch."),
        }
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        try:
            found, constants = _flow(
                network, _rows(examples, 2), unreadable, set(weights) | set(structure["ties"])
            )
            whole = json.loads(
                json.dumps(structure | found | {"buffers": structure["buffers"] | found["buffers"]})
            )
            return _verified(network, whole, weights | constants, examples), weights | constants
        except StructureError as error:
            return structure | {"reason": str(error)}, weights


def _layers(network: nn.Module) -> tuple[dict[str, Any], dict[str, torch.Tensor], dict[str, str]]:
    """All of the structure but the graph, the weights by name, and why some layers could not be
    read.
    """
    specs: dict[str, Any] = {}
    unreadable: dict[str, str] = {}
    for path, module in network.named_modules():
        if not path or type(module) in _CONTAINERS or isinstance(module, tuple(HELPERS.values())):
            continue
        try:
            specs[path] = spec_of(module)
        except StructureError as error:
            unreadable[path] = str(error)
    structure: dict[str, Any] = {
        "version": loader.VERSION,
        "name": type(network).__name__,
        "torch": torch.__version__,
        "modules": specs,
        "helpers": {},
        "parameters": {},
        "buffers": {},
        "constants": [],
        "ties": {},
        "frozen": [],
        "graph": None,
        "reason": None,
        "trains": False,
        "inputs": {},
        "output": None,
        "notes": [],
        "attributes": {
            path: found
            for path in ("", *unreadable)
            if (found := _numbers(network.get_submodule(path)))
        },
    }
    weights: dict[str, torch.Tensor] = {}
    first: dict[int, str] = {}
    for name, _, _, tensor in named_tensors(network):
        is_parameter = isinstance(tensor, nn.Parameter)
        if not _within(name, specs):
            structure["parameters" if is_parameter else "buffers"][name] = list(tensor.shape)
        if first.setdefault(id(tensor), name) != name:
            structure["ties"][name] = first[id(tensor)]
            continue
        weights[name] = tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        if is_parameter and not tensor.requires_grad:
            structure["frozen"].append(name)
    return structure, weights, unreadable


def _within(name: str, specs: Mapping[str, Any]) -> bool:
    """Whether a layer that is written down, or one around it, makes this tensor."""
    parts = name.split(".")
    return any(".".join(parts[:n]) in specs for n in range(1, len(parts)))


def _numbers(module: nn.Module) -> dict[str, Any]:
    """Plain numbers that a module of the user's keeps (heads, groups, split sizes): pruning may
    have changed them.
    """

    def plain(value: Any) -> bool:
        return isinstance(value, (bool, int, float)) or (
            isinstance(value, (tuple, list)) and all(map(plain, value))
        )

    return {
        k: encode(v)
        for k, v in vars(module).items()
        if not k.startswith("_") and k != "training" and plain(v)
    }


def _flow(
    network: nn.Module,
    examples: Mapping[str, torch.Tensor],
    unreadable: Mapping[str, str],
    known: set[str],
) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """The part of the structure that the graph needs, and its constant tensors; raises
    StructureError.
    """
    in_training = copy.deepcopy(network).train()
    nodes, notes = follow(network, examples, unreadable)
    helpers = {
        path: spec_of(m)
        for path, m in network.named_modules()
        if isinstance(m, tuple(HELPERS.values()))
    }
    constants = {}
    for node in nodes:
        if node["op"] == "get_attr" and node["target"] not in known:
            owner, _, local = node["target"].rpartition(".")
            constants[node["target"]] = (
                getattr(network.get_submodule(owner), local).detach().cpu().contiguous().clone()
            )
    trains = True
    try:
        nodes = with_modes(nodes, follow(in_training, examples, unreadable)[0], helpers)
    except StructureError as error:
        trains, notes = (
            False,
            [*notes, f"In train mode the kept graph computes as in eval mode: {error}."],
        )
    buffers = {name: list(tensor.shape) for name, tensor in constants.items()}
    return {
        "graph": nodes,
        "helpers": helpers,
        "buffers": buffers,
        "constants": sorted(constants),
        "notes": notes,
        "trains": trains,
    }, constants


def _verified(
    network: nn.Module,
    structure: dict[str, Any],
    weights: dict[str, torch.Tensor],
    examples: Mapping[str, torch.Tensor],
) -> dict[str, Any]:
    """The structure again, if what is built from it computes the same as the network; raises
    StructureError.
    """
    device = next(iter(examples.values())).device
    try:
        rebuilt = build(structure, {name: tensor.clone() for name, tensor in weights.items()}).to(
            device
        )
    except Exception as error:  # torch.fx generates and compiles code from the graph
        raise StructureError(f"the graph cannot be built again: {error}") from error
    fixed = f" {' '.join(structure['notes'])}" if structure["notes"] else ""
    for n in (1, 2):
        problem = _difference(network, rebuilt, _rows(examples, n))
        if problem:
            raise StructureError(
                f"the graph that was followed does not compute the same for {n} rows: "
                f"{problem}.{fixed}"
            )
    problem = (
        _difference(network.train(), rebuilt.train(), _rows(examples, 2))
        if structure["trains"]
        else ""
    )
    if problem:
        structure["trains"] = False
        structure["notes"].append(f"Train mode could not be shown to compute the same: {problem}.")
    return structure


def _difference(network: nn.Module, rebuilt: nn.Module, inputs: Mapping[str, torch.Tensor]) -> str:
    """How the outputs of two networks differ under the same seed, or nothing."""
    found = []
    for each in (network, rebuilt):
        torch.manual_seed(0)
        try:
            with torch.no_grad():
                found.append(
                    _tensors(
                        call_model(each, {name: tensor.clone() for name, tensor in inputs.items()})
                    )
                )
        except (
            Exception
        ) as error:  # the user's forward, or the graph at a size that it was not followed with
            return (
                f"{'the network itself' if each is network else 'it'} fails with "
                f"{type(error).__name__}: {error}"
            )
    expected, got = found
    if [t.shape for t in expected] != [t.shape for t in got]:
        return (
            f"outputs have the shapes {[tuple(t.shape) for t in got]}, not "
            f"{[tuple(t.shape) for t in expected]}"
        )
    for a, b in zip(expected, got, strict=True):
        scale = float(a.double().abs().nan_to_num(0, 0, 0).max()) if a.numel() else 0.0
        if not torch.allclose(
            a.double(), b.double(), rtol=1e-4, atol=1e-5 * scale + 1e-9, equal_nan=True
        ):
            return f"outputs differ by up to {float((a.double() - b.double()).abs().max()):.3g}"
    return ""


def _tensors(outputs: Any) -> list[torch.Tensor]:
    if isinstance(outputs, torch.Tensor):
        return [outputs]
    if isinstance(outputs, Mapping):
        outputs = list(outputs.values())
    if not isinstance(outputs, (tuple, list)):
        outputs = list(getattr(outputs, "__dict__", {}).values())
    return [tensor for each in outputs for tensor in _tensors(each)]


def _about(network: nn.Module, examples: Mapping[str, torch.Tensor]) -> str:
    """The output in words, for the summary; raises CandidateError when the network fails on its
    inputs.
    """
    try:
        with torch.no_grad():
            outputs = call_model(network, examples)
    except Exception as error:  # whatever the user's own forward may raise
        raise CandidateError(
            f"{type(network).__name__} fails on the inputs that it is to be kept with: "
            f"{type(error).__name__}: {error}. If it was pruned, prune it again with other "
            "`ignored_layers`."
        ) from error
    kind = "tensor" if isinstance(outputs, torch.Tensor) else type(outputs).__name__
    shapes = ", ".join(
        f"({', '.join(['batch', *map(str, t.shape[1:])])})" for t in _tensors(outputs)
    )
    return f"{'object with .logits' if hasattr(outputs, 'logits') else kind} {shapes}"


def _named(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs under names that a Python function can have for its arguments."""
    return {n if loader.is_name(n) else f"input_{i}": v for i, (n, v) in enumerate(inputs.items())}


def _rows(examples: Mapping[str, torch.Tensor], n: int) -> dict[str, torch.Tensor]:
    """The first `n` rows of each input, repeated where there are fewer."""
    return {
        name: torch.cat([t] * n)[:n] if t.ndim and len(t) < n else t[:n] if t.ndim else t
        for name, t in examples.items()
    }


def _into(
    template: nn.Module, structure: Mapping[str, Any], weights: dict[str, torch.Tensor]
) -> nn.Module:
    """A copy of the template with the kept layers and weights; raises CandidateError that lists all
    that does not fit.
    """
    model = copy.deepcopy(template)
    device = next((tensor.device for _, _, _, tensor in named_tensors(model)), torch.device("cpu"))
    problems = [
        p for path, spec in structure["modules"].items() if (p := _replace(model, path, spec))
    ]
    kept = {name: tensor for name, tensor in weights.items() if name not in structure["constants"]}
    for name, owner, local, tensor in list(named_tensors(model)):
        stored = kept.get(structure["ties"].get(name, name))
        raw = name in structure["parameters"] or name in structure["buffers"]
        if (
            raw
            and stored is not None
            and stored.ndim == tensor.ndim
            and stored.shape != tensor.shape
        ):
            new = torch.empty_like(stored)
            setattr(
                owner,
                local,
                nn.Parameter(new, requires_grad=False) if isinstance(tensor, nn.Parameter) else new,
            )
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
            f"{text}\nGive an untrained instance of the class that was kept, with as many layers."
        )
    return model.to(device).eval()


def _replace(model: nn.Module, path: str, spec: Mapping[str, Any]) -> str:
    """Give the layer at `path` the kept widths, in place, so that all who hold it see them; says
    what does not fit.
    """
    try:
        layer = model.get_submodule(path)
    except AttributeError:
        return f"`{path}` ({spec['class']}) is not in the template."
    if (
        spec["class"] == "Identity" and type(layer) is not nn.Identity
    ):  # a layer or block that was taken out
        parent, _, local = path.rpartition(".")
        setattr(model.get_submodule(parent), local, nn.Identity())
        return ""
    if type(layer).__name__ != spec["class"]:
        return (
            f"`{path}` is a {spec['class']} in the kept network and a {type(layer).__name__} in "
            "the template."
        )
    with torch.device("meta"):
        made = module_from(spec)
    vars(layer).update({name: value for name, value in vars(made).items() if "hook" not in name})
    return ""
