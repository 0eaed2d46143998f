"""Load a kept network from `model.safetensors` (weights) and `structure.json` (layers and calls).

This file needs torch and safetensors only, and lies beside every kept network:

    from load_network import load
    net = load(".")  # a torch.nn.Module on the CPU, in eval mode; it can be trained further

`python load_network.py` prints a summary. No file of the network is run as code: layers are made
by the constructors of torch.nn, and the calls between them must be on the closed lists below. All
else is refused.
"""

# ruff: noqa: SIM905 - lists of names read better as words
from __future__ import annotations

import json
import keyword
import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import fx, nn

__all__ = ["StructureError", "build", "load"]

VERSION = 1
# Left out on purpose: functions that read or write files, run or store Python (load, save, hub,
# apply_, map_, register_hook), change the process (set_*), or turn data into Python numbers (item,
# tolist), which a recorded graph cannot follow.
SHARED = """
abs acos acosh add addbmm addcdiv addcmul addmm addmv all amax amin angle any argmax argmin
argsort asin asinh atan atan2 atanh baddbmm bernoulli bitwise_and bitwise_not bitwise_or
bitwise_xor bmm broadcast_to bucketize ceil celu chunk clamp clamp_max clamp_min clip clone conj
cos cosh count_nonzero cross cummax cummin cumprod cumsum detach diag diag_embed diagonal diff div
divide dot dropout dsplit eq erf erfc erfinv exp exp2 expm1 flatten flip fliplr flipud floor
floor_divide fmax fmin fmod frac gather ge greater greater_equal gt hardshrink heaviside hsplit
index_add index_copy index_fill index_select inner inverse isclose isfinite isinf isnan kron
kthvalue le lerp less less_equal log log10 log1p log2 log_softmax logaddexp logcumsumexp
logical_and logical_not logical_or logical_xor logsumexp lt masked_fill masked_scatter matmul max
maximum mean median min minimum mm movedim moveaxis mul multiply mv nan_to_num nanmean nansum
narrow ne neg negative norm not_equal numel outer permute pow prelu prod quantile reciprocal relu
remainder repeat_interleave reshape roll rot90 round rsqrt rsub scatter scatter_add scatter_reduce
select sgn sigmoid sign sin sinc sinh softmax sort split sqrt square squeeze std sub subtract sum
swapaxes swapdims t take take_along_dim tan tanh tensor_split tile topk transpose tril triu
true_divide trunc unbind unflatten unsqueeze var vdot vsplit where xlogy
""".split()
METHODS = frozenset(SHARED) | frozenset(
    """
bfloat16 bool byte contiguous copy cpu cuda dim double element_size expand expand_as fill float
half index_put int is_complex is_contiguous is_floating_point long ndimension nelement new_empty
new_full new_ones new_tensor new_zeros repeat requires_grad reshape_as short size sum_to_size to
type_as unfold view view_as zero get items keys values
""".split()
)
FACTORIES = "arange empty eye full linspace ones rand randn tril_indices triu_indices zeros".split()
TORCH = [
    *SHARED,
    *FACTORIES,
    *"""
adaptive_avg_pool1d adaptive_max_pool1d alpha_dropout avg_pool1d batch_norm bilinear block_diag
broadcast_tensors cartesian_prod cat cdist channel_shuffle column_stack complex concat concatenate
conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d cosine_similarity dstack
einsum embedding empty_like feature_dropout full_like group_norm hstack instance_norm is_tensor
layer_norm max_pool1d max_pool2d max_pool3d meshgrid normal ones_like pairwise_distance
pixel_shuffle pixel_unshuffle polar rand_like randn_like relu_ rms_norm rrelu searchsorted selu
stack std_mean tensordot threshold var_mean vstack zeros_like
""".split(),
]
FUNCTIONAL = """
adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d
adaptive_max_pool1d_with_indices adaptive_max_pool2d adaptive_max_pool2d_with_indices
adaptive_max_pool3d adaptive_max_pool3d_with_indices affine_grid alpha_dropout avg_pool1d
avg_pool2d avg_pool3d batch_norm bilinear binary_cross_entropy binary_cross_entropy_with_logits
celu channel_shuffle conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d
cosine_similarity cross_entropy dropout dropout1d dropout2d dropout3d elu embedding embedding_bag
feature_alpha_dropout fold gelu glu grid_sample group_norm gumbel_softmax hardshrink hardsigmoid
hardswish hardtanh instance_norm interpolate l1_loss layer_norm leaky_relu leaky_relu_ linear
local_response_norm log_softmax logsigmoid lp_pool1d lp_pool2d max_pool1d max_pool1d_with_indices
max_pool2d max_pool2d_with_indices max_pool3d max_pool3d_with_indices max_unpool1d max_unpool2d
mish mse_loss multi_head_attention_forward nll_loss normalize one_hot pad pairwise_distance
pixel_shuffle pixel_unshuffle prelu relu relu6 rms_norm rrelu scaled_dot_product_attention selu
sigmoid silu softmax softmin softplus softshrink softsign tanh tanhshrink threshold unfold
upsample
""".split()
OPERATORS = """
abs add and_ eq floordiv ge getitem gt iadd iand ifloordiv imatmul imod imul invert ior ipow isub
itruediv ixor le lshift lt matmul mod mul ne neg not_ or_ pos pow rshift sub truediv xor
""".split()
MATH = "ceil cos exp floor log log10 log2 pow prod sin sqrt".split()
ATTRIBUTES = frozenset("H T device dtype imag is_cuda mH mT ndim real requires_grad shape".split())
_SPACES = {
    "torch": (torch, TORCH),
    "torch.nn.functional": (nn.functional, FUNCTIONAL),
    "operator": (operator, OPERATORS),
    "math": (math, MATH),
    "torch.fft": (torch.fft, "fft fft2 ifft ifft2 irfft irfft2 rfft rfft2".split()),
    "torch.linalg": (torch.linalg, "matrix_norm norm vector_norm".split()),
}
# A name that this version of torch lacks is left out here, and refused in a graph.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    f"{space}.{name}": getattr(home, name)
    for space, (home, names) in _SPACES.items()
    for name in names
    if hasattr(home, name)
} | {"getattr": getattr}
CONSTANTS = (torch.dtype, torch.memory_format, torch.layout)
_PATH = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", re.ASCII)


class StructureError(ValueError):
    """A structure that this file refuses to build, or weights that do not fit it."""


class Fields(dict):
    """Outputs of a network whose class returned an object: a dict with entries as attributes."""

    def __getattr__(self, name: str) -> Any:
        if name not in self:
            names = ", ".join(map(repr, self))
            raise AttributeError(f"The outputs are {names}; there is no `{name}`.")
        return self[name]


class Gather(nn.Module):
    """Gives the named outputs as one `Fields`."""

    def forward(self, **fields: Any) -> Fields:
        return Fields(fields)


class Choice(nn.Module):
    """A constant with two values, one for train mode and one for eval mode.

    An example is the argument `training` of a functional dropout.
    """

    def __init__(self, train: Any, evaluate: Any) -> None:
        super().__init__()
        self.train_value = train
        self.eval_value = evaluate

    def forward(self) -> Any:
        return self.train_value if self.training else self.eval_value


class Factory(nn.Module):
    """Makes a new tensor whose size depends on the data; `function` is one of `FACTORIES`."""

    def __init__(self, function: str) -> None:
        super().__init__()
        if function not in FACTORIES:
            raise StructureError(
                f"`{function}` is not among the functions that make tensors: "
                f"{', '.join(FACTORIES)}."
            )
        self.function = function

    def forward(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        return getattr(torch, self.function)(*args, **kwargs)


HELPERS = {"Gather": Gather, "Choice": Choice, "Factory": Factory}


def decode(value: Any, nodes: Mapping[str, fx.Node] | None = None) -> Any:
    """The Python value of a value in structure.json.

    `nodes` are the nodes of the graph so far; None for an argument of a constructor. Raises
    StructureError for a value of an unknown kind.
    """
    if isinstance(value, list):
        return [decode(v, nodes) for v in value]
    if not isinstance(value, dict):
        return value
    kind: str
    inner: Any
    kind, inner = next(iter(value.items())) if len(value) == 1 else ("", None)
    if kind == "$node" and nodes is not None and inner in nodes:
        return nodes[inner]
    if kind == "$float":
        return float(inner)
    if kind == "$ellipsis":
        return ...
    if kind == "$slice":
        return slice(*decode(inner, nodes))
    if kind == "$tuple":
        return tuple(decode(inner, nodes))
    if kind == "$dict":
        return {decode(k, nodes): decode(v, nodes) for k, v in inner}
    if kind == "$torch" and isinstance(getattr(torch, inner, None), CONSTANTS):
        return getattr(torch, inner)
    if kind == "$device":
        return torch.device(inner)
    if kind == "$empty" and nodes is None:
        return torch.empty(inner)
    if kind == "$module" and nodes is None:
        return module_from(inner)
    raise StructureError(f"structure.json holds a value of an unknown kind: {value}")


def module_from(spec: Mapping[str, Any]) -> nn.Module:
    """The layer of an entry of `modules` or `helpers`, untrained.

    Raises StructureError for a class that is not a layer of torch.nn, and for wrong arguments.
    """
    class_name = str(spec.get("class"))
    name = class_name.rpartition(".")[2]
    kind: Any = HELPERS.get(name) or getattr(nn, name, None)
    home = kind.__module__ if isinstance(kind, type) and issubclass(kind, nn.Module) else ""
    allowed = name in HELPERS or home.startswith("torch.nn.modules.")
    if not allowed or class_name not in (name, f"torch.nn.{name}", f"{home}.{name}"):
        raise StructureError(
            f"`{class_name}` is not a layer of torch.nn; structure.json may name no other class."
        )
    try:
        return kind(**{k: decode(v) for k, v in spec["args"].items()})
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        raise StructureError(f"{name} cannot be made from {spec['args']}: {error}") from error


def named_tensors(model: nn.Module) -> Iterator[tuple[str, nn.Module, str, torch.Tensor]]:
    """Every parameter and buffer: full name, owner, local name and tensor.

    The tensors of a shared module are given once, tied weights once for each of their names.
    """
    for path, module in model.named_modules():
        for local, tensor in (*module._parameters.items(), *module._buffers.items()):
            if tensor is not None:
                yield (f"{path}.{local}" if path else local), module, local, tensor


def fill(
    model: nn.Module, structure: Mapping[str, Any], weights: Mapping[str, torch.Tensor]
) -> None:
    """Put the weights into the model; tied weights stay tied.

    Raises StructureError unless names and shapes agree exactly.
    """
    ties = structure["ties"]
    frozen = set(structure["frozen"])
    places = list(named_tensors(model))
    shapes = {ties.get(name, name): tensor.shape for name, _, _, tensor in places}
    problems = [f"no weights for `{n}`" for n in shapes if n not in weights]
    problems += [f"nothing holds `{n}`" for n in weights if n not in shapes]
    problems += [
        f"`{n}` has the shape {tuple(weights[n].shape)} in the file, {tuple(s)} in the structure"
        for n, s in shapes.items()
        if n in weights and weights[n].shape != s
    ]
    if problems:
        raise StructureError(f"Weights and structure do not fit: {'; '.join(problems[:8])}.")
    tensors: dict[str, torch.Tensor] = {}
    for name, owner, local, old in places:
        key = ties.get(name, name)
        if key not in tensors:
            is_parameter = isinstance(old, nn.Parameter)
            tensors[key] = (
                nn.Parameter(weights[key], requires_grad=key not in frozen)
                if is_parameter
                else weights[key]
            )
        setattr(owner, local, tensors[key])


def build(structure: Mapping[str, Any], weights: Mapping[str, torch.Tensor]) -> fx.GraphModule:
    """The network, in eval mode on the CPU.

    Raises StructureError for calls and layers that are not on the lists of this file, for weights
    that do not fit, and for a structure that was damaged.
    """
    try:
        return _built(structure, weights)
    except StructureError:
        raise
    except Exception as error:  # torch passes on whatever a wrong entry makes it raise
        raise StructureError(
            f"structure.json is damaged: no network can be built from it ({type(error).__name__}: "
            f"{error})."
        ) from error


def _built(structure: Mapping[str, Any], weights: Mapping[str, torch.Tensor]) -> fx.GraphModule:
    version = structure.get("version")
    if version != VERSION:
        raise StructureError(
            f"structure.json has version {version}; this file reads {VERSION}: use a newer "
            "load_network.py."
        )
    missing = {"graph", "modules", "helpers", "parameters", "buffers", "ties", "frozen"} - set(
        structure
    )
    if missing:
        raise StructureError(f"structure.json lacks {', '.join(sorted(missing))}.")
    if structure["graph"] is None:
        raise StructureError(
            "This network loads only into its own class (`template=` of workbench): "
            f"{structure['reason']}"
        )
    root = nn.Module()
    # On "meta", values that the file replaces take no memory and no random numbers.
    with torch.device("meta"):
        for path, spec in (structure["modules"] | structure["helpers"]).items():
            owner, local = _owner(root, path)
            owner.add_module(local, module_from(spec))
        for name, shape in structure["parameters"].items():
            owner, local = _owner(root, name)
            owner.register_parameter(local, nn.Parameter(torch.empty(shape), requires_grad=False))
        for name, shape in structure["buffers"].items():
            owner, local = _owner(root, name)
            owner.register_buffer(local, torch.empty(shape))
    fill(root, structure, weights)
    return fx.GraphModule(root, _graph(structure, root)).eval()


def _owner(root: nn.Module, path: str) -> tuple[nn.Module, str]:
    """The module that holds `path`, and the last part of the path; missing modules are added."""
    *parents, local = path.split(".")
    taken = any(hasattr(nn.Module, part) or keyword.iskeyword(part) for part in (*parents, local))
    if taken or not _PATH.fullmatch(path) or hasattr(fx.GraphModule, (*parents, local)[0]):
        raise StructureError(
            f"`{path}` cannot be the name of a layer here: use letters, digits, _ and -, no "
            "keyword of Python, and no attribute of torch.nn.Module."
        )
    for part in parents:
        if part not in root._modules:
            root.add_module(part, nn.Module())
        root = root._modules[part]
    return root, local


def _graph(structure: Mapping[str, Any], root: nn.Module) -> fx.Graph:
    graph = fx.Graph()
    nodes: dict[str, fx.Node] = {}
    tensors = {name for name, _, _, _ in named_tensors(root)}
    for node in structure["graph"]:
        op, target = node["op"], node["target"]
        args = tuple(decode(a, nodes) for a in node["args"])
        kwargs = {k: decode(v, nodes) for k, v in node["kwargs"].items()}
        # Names go into the code that torch.fx generates, so they must be plain Python names.
        allowed = {
            "placeholder": is_name(target) and not args,
            "output": len(args) == 1,
            "get_attr": target in tensors,
            "call_module": target in structure["modules"] or target in structure["helpers"],
            "call_method": args
            and isinstance(args[0], fx.Node)
            and target.removesuffix("_") in METHODS,
            "call_function": target in FUNCTIONS
            and (target != "getattr" or _is_plain_attribute(args)),
        }
        if not allowed.get(op) or not is_name(node["name"]) or not all(map(is_name, kwargs)):
            raise StructureError(
                f"structure.json has the call {op} `{target}` with {node['args']}: it is not on "
                "the list of allowed calls."
            )
        nodes[node["name"]] = graph.create_node(
            op,
            FUNCTIONS[target] if op == "call_function" else target,
            args,
            kwargs,
            name=node["name"],
        )
    return graph


def is_name(text: Any) -> bool:
    """Whether a value is a plain Python name, and no keyword."""
    return (
        isinstance(text, str)
        and text.isascii()
        and text.isidentifier()
        and not keyword.iskeyword(text)
    )


def _is_plain_attribute(args: tuple[Any, ...]) -> bool:
    return (
        len(args) == 2
        and isinstance(args[0], fx.Node)
        and isinstance(args[1], str)
        and args[1] in ATTRIBUTES
    )


def load(folder: str | Path = ".") -> fx.GraphModule:
    """The network kept in `folder`, on the CPU in eval mode.

    Raises StructureError if it cannot be built without its class.
    """
    return build(structure_in(Path(folder)), weights_in(Path(folder)))


def structure_in(folder: Path) -> dict[str, Any]:
    """The content of structure.json; raises StructureError for a file that holds no mapping."""
    path = folder / "structure.json"
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise StructureError(f"{path} cannot be read, or was damaged: {error}.") from error


def weights_in(folder: Path) -> dict[str, torch.Tensor]:
    """The weights by name; raises StructureError for a file that is missing or damaged."""
    path = folder / "model.safetensors"
    try:
        return load_file(path)
    except Exception as error:  # of safetensors, which has an error of its own
        raise StructureError(f"{path} cannot be read, or was damaged: {error}.") from error


def main() -> None:
    """Print a summary of the network beside this file."""
    folder = Path(__file__).parent
    structure = structure_in(folder)
    net = load(folder)
    print(
        f"{structure['name']}: {sum(p.numel() for p in net.parameters()):,} parameters in "
        f"{len(structure['modules'])} layers"
    )
    for name, about in structure["inputs"].items():
        print(
            f"  input  {name}: (batch, {', '.join(map(str, about['shape'][1:]))}) {about['dtype']}"
        )
    print(f"  output {structure['output']}")
    for note in structure["notes"]:
        print(f"  note: {note}")


if __name__ == "__main__":
    main()
