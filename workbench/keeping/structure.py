"""Keep a torch network as weights and a structure in JSON, and load it with or without its class.

No pickle is written. A pruned network no longer has the widths that its class's constructor makes.
So the structure lists its layers one by one, and the calls between them as torch.fx records them.
`load_network.py`, which is copied beside the two files, builds a module from them without this
package and without the user's code. If the calls cannot be recorded, the structure holds the
reason, and an untrained instance of the user's class (a template) takes the layers instead.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import nn

from workbench.errors import CandidateError
from workbench.keeping import load_network as loader
from workbench.keeping.load_network import (
    HELPERS,
    StructureError,
    build,
    named_tensors,
    weights_in,
)
from workbench.keeping.modes import with_modes
from workbench.keeping.specs import encode, spec_of
from workbench.keeping.templates import loaded_into
from workbench.keeping.tracing import follow
from workbench.keeping.verification import first_rows, tensors_of, verified
from workbench.models.networks import call_model, copied
from workbench.system.files import read_json, write_bytes, write_json, write_text

__all__ = ["describe", "read_network", "save_network"]

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict, nn.ParameterList, nn.ParameterDict)


def describe(model: nn.Module, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The content of structure.json for a network; the model is not changed.

    The network is built again from it, and outputs are compared at batch sizes 1 and 2. `inputs`
    are named arrays or tensors `(batch, ...)`; raises CandidateError when the network fails on
    them. If its calls cannot be recorded, or the rebuilt network gives other outputs, `graph` is
    None and `reason` names the layer or operator.
    """
    return _described(model, inputs)[0]


def save_network(model: nn.Module, folder: Path, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Write model.safetensors, load_network.py and structure.json; returns the structure.

    Each file is written completely or not at all. Raises CandidateError as `describe` does.
    """
    structure, weights = _described(model, inputs)
    write_bytes(Path(folder) / "model.safetensors", save(weights))
    write_text(Path(folder) / "load_network.py", inspect.getsource(loader))
    write_json(Path(folder) / "structure.json", structure)
    return structure


def read_network(folder: Path, template: nn.Module | None = None) -> nn.Module:
    """The kept network in eval mode: a copy of the template, else a `torch.fx.GraphModule`.

    `template` is an untrained instance of the network's own class, with any widths and with the
    blocks that depth pruning removed or without them; it is copied.
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
    structure = read_json(folder / "structure.json", dict, error=CandidateError)
    if template is None and structure.get("graph", ...) is None:
        raise CandidateError(
            f"The network {structure['name']} can only be loaded into its own class, because "
            f"{structure['reason']} Give an untrained instance of {structure['name']} as "
            "`template=`; its widths do not matter."
        )
    try:
        weights = weights_in(folder)
        if template is None:
            return build(structure, weights)
        return loaded_into(template, structure, weights)
    except StructureError as error:
        raise CandidateError(f"{folder} cannot be loaded. {error}") from error


def _described(
    model: nn.Module, inputs: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """The structure and its weights, with the constants of the graph."""
    network = copied(getattr(model, "_orig_mod", model)).eval()  # the one in torch.compile's
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
            kept_names = set(weights) | set(structure["ties"])
            flow, constants = _flow(network, first_rows(examples, 2), unreadable, kept_names)
            buffers = structure["buffers"] | flow["buffers"]
            whole = json.loads(json.dumps(structure | flow | {"buffers": buffers}))
            weights_of_all = weights | constants
            return verified(network, whole, weights_of_all, examples), weights_of_all
        except StructureError as error:
            return structure | {"reason": str(error)}, weights


def _layers(network: nn.Module) -> tuple[dict[str, Any], dict[str, torch.Tensor], dict[str, str]]:
    """The structure without its graph, the weights by name, and errors of layers by path."""
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
            path: numbers
            for path in ("", *unreadable)
            if (numbers := _numbers(network.get_submodule(path)))
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
    """Whether a layer of `specs`, or one around it, makes this tensor."""
    parts = name.split(".")
    return any(".".join(parts[:n]) in specs for n in range(1, len(parts)))


def _numbers(module: nn.Module) -> dict[str, Any]:
    """Plain numbers among the attributes of the user's module, which pruning may have changed.

    Examples are heads, groups and sizes of splits.
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
    kept_names: set[str],
) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """The part of the structure for the graph, and the constant tensors of the graph.

    `kept_names` are the tensors that the structure holds already. Raises StructureError when the
    calls cannot be recorded.
    """
    in_training = copied(network).train()
    nodes, notes = follow(network, examples, unreadable)
    helpers = {
        path: spec_of(m)
        for path, m in network.named_modules()
        if isinstance(m, tuple(HELPERS.values()))
    }
    constants = {}
    for node in nodes:
        if node["op"] == "get_attr" and node["target"] not in kept_names:
            owner, _, local = node["target"].rpartition(".")
            tensor = getattr(network.get_submodule(owner), local)
            constants[node["target"]] = tensor.detach().cpu().contiguous().clone()
    trains = True
    try:
        nodes = with_modes(nodes, follow(in_training, examples, unreadable)[0], helpers)
    except StructureError as error:
        trains = False
        notes = [*notes, f"In train mode the kept graph computes as in eval mode: {error}."]
    buffers = {name: list(tensor.shape) for name, tensor in constants.items()}
    return {
        "graph": nodes,
        "helpers": helpers,
        "buffers": buffers,
        "constants": sorted(constants),
        "notes": notes,
        "trains": trains,
    }, constants


def _about(network: nn.Module, examples: Mapping[str, torch.Tensor]) -> str:
    """Kind and shapes of the output as text, for the summary of the kept network.

    Raises CandidateError when the network fails on its inputs.
    """
    try:
        with torch.no_grad():
            outputs = call_model(network, examples)
    except Exception as error:  # the user's own forward may raise any error
        raise CandidateError(
            f"{type(network).__name__} fails on the inputs given to keep it: "
            f"{type(error).__name__}: {error}. If it was pruned, prune it again with other "
            "`ignored_layers`."
        ) from error
    kind = "tensor" if isinstance(outputs, torch.Tensor) else type(outputs).__name__
    shapes = ", ".join(
        f"({', '.join(['batch', *map(str, t.shape[1:])])})" for t in tensors_of(outputs)
    )
    return f"{'object with .logits' if hasattr(outputs, 'logits') else kind} {shapes}"


def _named(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs under names that a Python function can have for its arguments."""
    return {n if loader.is_name(n) else f"input_{i}": v for i, (n, v) in enumerate(inputs.items())}
