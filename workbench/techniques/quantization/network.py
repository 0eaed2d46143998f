"""The float graph made ready for quantization: pooled, folded, checked, and every layer under the
name that its author gave it.

Exporters write a global pooling as `ReduceMean` over the spatial axes, which has no int8 kernel;
`GlobalAveragePool`, the same operation, has one. They also number what they write
(`node_Conv_306`), so names are found again, in this order:

    the weight's own name   blocks.0.conv1.weight -> blocks.0.conv1
    the bias' name          encoder.layers.0.linear1.bias -> encoder.layers.0.linear1
    its values              a transposed copy of `qkv.weight` in the torch module -> qkv
    operator and number     LSTM_1
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import CandidateError, SettingsError, unknown

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

__all__ = ["WEIGHTS_AT", "Layer", "Network", "constants", "excluded", "failure", "network_of"]

WEIGHTS_AT = {
    "Conv": (1,),
    "ConvTranspose": (1,),
    "Gemm": (0, 1),
    "MatMul": (0, 1),
    "Gather": (0,),
    "LSTM": (1, 2),
    "GRU": (1, 2),
    "RNN": (1, 2),
}
"""Operators that hold weights, and the inputs where these may stand."""

FLOAT = 1  # onnx.TensorProto.FLOAT


@dataclass(frozen=True)
class Layer:
    """An operator with constant weights: what it reads and gives, which node it is, and the
    attributes that are switched on.
    """

    name: str
    op_type: str
    weights: tuple[str, ...]
    source: str
    output: str
    node: str
    flags: frozenset[str] = frozenset()

    @property
    def base(self) -> str:
        """The name without the number that tells several uses of one weight apart."""
        return self.name.split(":")[0]


@dataclass(frozen=True)
class Network:
    """A float ONNX graph whose nodes carry the names of `layers`; `model` is copied before it is
    changed.
    """

    model: ModelProto
    layers: tuple[Layer, ...]

    def copy(self) -> ModelProto:
        import copy

        return copy.deepcopy(self.model)

    @property
    def names(self) -> tuple[str, ...]:
        """All that `keep_float` may name: layers, other operators, and kinds of operators."""
        kinds = dict.fromkeys(n.op_type for n in self.model.graph.node)
        return tuple(
            dict.fromkeys(
                [
                    *(layer.name for layer in self.layers),
                    *(n.name for n in self.model.graph.node),
                    *kinds,
                ]
            )
        )


def network_of(content: bytes, name: str, module: Any = None) -> Network:
    """The graph of an ONNX file, ready; `module` is the torch module that it was written from, for
    the names of its layers.

    Raises CandidateError for a file that ONNX Runtime cannot load, and for weights that are not
    finite.
    """
    import onnx

    try:
        model = onnx.load_from_string(content)
        _pool(model)
        model = onnx.shape_inference.infer_shapes(_folded(model))
    except Exception as error:
        raise CandidateError(f"ONNX Runtime cannot load `{name}`: {error}") from error
    layers = _named(model, _fingerprints(module))
    _check_finite(model, layers, name)
    return Network(model, layers)


def constants(model: ModelProto) -> dict[str, TensorProto]:
    """Initializers by name."""
    return {w.name: w for w in model.graph.initializer}


def excluded(network: Network, keep_float: list[str]) -> list[str]:
    """Names of the nodes that `keep_float` leaves in float: layers, all in a part (`blocks.0`), or
    a kind of operator.

    Raises SettingsError that names the nearest for a name that nothing has.
    """
    found: list[str] = []
    wrong: list[str] = []
    for name in keep_float:
        inside = [n.name for n in network.model.graph.node if _is_in(n, name)]
        found += inside
        wrong += [] if inside else [name]
    if wrong:
        raise SettingsError(
            "`keep_float`: "
            + " ".join(unknown("layer or operator", n, network.names) for n in wrong)
        )
    return list(dict.fromkeys(found))


def _is_in(node: NodeProto, name: str) -> bool:
    return name in (node.name, node.op_type, node.name.split(":")[0]) or node.name.startswith(
        f"{name}."
    )


def failure(
    error: Exception, name: str, method: str, model: ModelProto | None = None
) -> CandidateError:
    """The error of a quantizer or runtime as one that names the operator and what can be done."""
    text = " ".join(str(error).split())[:400]
    ops = {n.name: n.op_type for n in model.graph.node} if model is not None else {}
    at = re.search(r"[Nn]ame:\s*'([^']+)'|Node \(([^)]+)\)", text)
    node = (
        next((g for g in at.groups() if g), "")
        if at
        else next((n for n in ops if n and n in text), "")
    )
    where = f" at `{node}`" + (f" ({ops[node]})" if node in ops else "") if node else ""
    return CandidateError(
        f"`{name}` cannot be quantized by the method {method}{where}: {text} Name that layer or "
        "kind of operator in `keep_float`, or take the method weight_only, which leaves the "
        "operators as they are."
    )


def _pool(model: ModelProto) -> None:
    """ReduceMean over height and width, written as GlobalAveragePool (and a Squeeze where the axes
    were dropped).
    """
    from onnx import helper, numpy_helper

    values = constants(model)
    ranks = _ranks(model)
    for index, node in reversed(list(enumerate(model.graph.node))):
        if node.op_type != "ReduceMean" or ranks.get(node.input[0]) != 4:
            continue
        given = {a.name: a for a in node.attribute}
        axes = list(given["axes"].ints) if "axes" in given else None
        if axes is None and len(node.input) > 1 and node.input[1] in values:
            axes = numpy_helper.to_array(values[node.input[1]]).ravel().tolist()
        if axes is None or sorted(a % 4 for a in axes) != [2, 3]:
            continue
        keeps = "keepdims" not in given or given["keepdims"].i == 1
        output = node.output[0]
        pooled = helper.make_node(
            "GlobalAveragePool",
            [node.input[0]],
            [output if keeps else f"{output}_pooled"],
            node.name,
        )
        made = (
            [pooled]
            if keeps
            else [pooled, helper.make_node("Flatten", pooled.output, [output], f"{node.name}_flat")]
        )
        del model.graph.node[index]
        for new in reversed(made):
            model.graph.node.insert(index, new)


def _ranks(model: ModelProto) -> dict[str, int]:
    import onnx

    graph = onnx.shape_inference.infer_shapes(model).graph
    known = (*graph.value_info, *graph.input, *graph.output)
    return {
        v.name: len(v.type.tensor_type.shape.dim)
        for v in known
        if v.type.tensor_type.HasField("shape")
    }


def _folded(model: ModelProto) -> ModelProto:
    """The graph after ONNX Runtime's basic optimizations: constants folded, batch norms in the
    convolutions before them.
    """
    import onnx
    import onnxruntime as ort

    with tempfile.TemporaryDirectory() as scratch:
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(Path(scratch) / "folded.onnx")
        ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        folded = onnx.load(options.optimized_model_filepath)
    used = {n.domain for n in folded.graph.node} | {""}
    kept = [o for o in folded.opset_import if o.domain in used]
    del folded.opset_import[:]
    folded.opset_import.extend(kept)
    return folded


def _fingerprints(module: Any) -> dict[bytes, str]:
    """Names of a torch module's weights by their values, as they are and transposed."""
    found: dict[bytes, str] = {}
    for name, tensor in module.state_dict().items() if hasattr(module, "state_dict") else ():
        if hasattr(tensor, "detach") and tensor.is_floating_point() and tensor.ndim > 1:
            array = tensor.detach().cpu().float().numpy()
            for turned in (array, array.T):
                found.setdefault(np.ascontiguousarray(turned).tobytes(), name)
    return found


def _named(model: ModelProto, by_value: Mapping[bytes, str]) -> tuple[Layer, ...]:
    """Give every node its name; returns those that hold weights."""
    from onnx import numpy_helper

    values = constants(model)
    readers: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    taken: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    layers = []
    for node in model.graph.node:
        weights = tuple(_weights(node, values))
        name = ""
        if weights:
            after = readers.get(node.output[0], [])
            biases = [i for n in (node, *after) if n is node or n.op_type == "Add" for i in n.input]
            name = _layer_name(weights[0], biases, values)
            name = name or _stem(
                by_value.get(numpy_helper.to_array(values[weights[0]]).tobytes(), "")
            )
        if not name:
            name = f"{node.op_type}_{kinds[node.op_type]}"
            kinds[node.op_type] += 1
        node.name = name if not taken[name] else f"{name}:{taken[name] + 1}"
        taken[name] += 1
        if weights:
            source = next((i for i in node.input if i and i not in values), "")
            flags = frozenset(a.name for a in node.attribute if a.i)
            layers.append(
                Layer(node.name, node.op_type, weights, source, node.output[0], node.name, flags)
            )
    return tuple(layers)


def _weights(node: NodeProto, values: Mapping[str, TensorProto]) -> Iterator[str]:
    """Constant float arrays of two axes or more that an operator multiplies with, or looks up rows
    in.
    """
    for place in WEIGHTS_AT.get(node.op_type, ()):
        if place < len(node.input) and node.input[place] in values:
            value = values[node.input[place]]
            if value.data_type == FLOAT and len(value.dims) > 1:
                yield value.name


def _layer_name(weight: str, biases: list[str], values: Mapping[str, TensorProto]) -> str:
    if weight.endswith("weight") or "." in weight:
        return _stem(weight)
    return next((_stem(b) for b in biases if b in values and b.endswith("bias") and "." in b), "")


def _stem(name: str) -> str:
    return re.sub(r"[._](weight|bias)(_bias)?$", "", name)


def _check_finite(model: ModelProto, layers: tuple[Layer, ...], name: str) -> None:
    """NaN makes nonsense of every scale; an infinite constant may be meant (a mask), an infinite
    weight may not.
    """
    from onnx import numpy_helper

    weights = {w for layer in layers for w in layer.weights}
    for value in model.graph.initializer:
        if value.data_type != FLOAT:
            continue
        array = numpy_helper.to_array(value)
        if np.isnan(array).any() or (value.name in weights and not np.isfinite(array).all()):
            raise CandidateError(
                f"`{name}` holds {int((~np.isfinite(array)).sum())} values that are not finite in "
                f"`{value.name}`: no scale can be found for them. Train the model anew, or take an "
                "earlier checkpoint."
            )
