"""The float graph, prepared for quantization: constants folded, checked, and nodes named.

Exporters write a global average pooling as `ReduceMean` over the spatial axes, which has no int8
kernel; it is rewritten as `GlobalAveragePool`, the same operation, which has one.
"""

from __future__ import annotations

import copy
import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import CandidateError, SettingsError, unknown
from workbench.runtimes.to_onnx import OPSET
from workbench.techniques.quantization.masks import constant_masks
from workbench.techniques.quantization.naming import (
    FLOAT,
    Layer,
    constants,
    name_nodes,
    names_by_values,
)

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

__all__ = ["Network", "excluded", "failure", "network_of", "replace_node"]


@dataclass(frozen=True)
class Network:
    """A float ONNX graph, and its layers; copy `model` before changing it."""

    model: ModelProto
    layers: tuple[Layer, ...]

    def copy(self) -> ModelProto:
        return copy.deepcopy(self.model)

    @property
    def names(self) -> tuple[str, ...]:
        """All names that `keep_float` accepts: layers, other operators, and types of operators."""
        layers = [layer.name for layer in self.layers]
        nodes = [node.name for node in self.model.graph.node]
        op_types = [node.op_type for node in self.model.graph.node]
        return tuple(dict.fromkeys([*layers, *nodes, *op_types]))


def network_of(content: bytes, name: str, module: Any = None) -> Network:
    """Prepare the graph of an ONNX file.

    `name` is the candidate's name, for errors; `module` is the torch module that was exported, from
    which layers are named. Raises CandidateError for a file that ONNX Runtime cannot load, and for
    weights that are not finite.
    """
    import onnx

    try:
        model = onnx.load_from_string(content)
        _write_means_as_pooling(model)
        model = _folded(model)
        _flatten_biases(model)
        model = onnx.shape_inference.infer_shapes(model)
    except Exception as error:
        raise CandidateError(f"ONNX Runtime cannot load `{name}`: {error}") from error
    _import_standard_operators(model)
    masks = constant_masks(model)
    named = name_nodes(model, names_by_values(module))
    layers = tuple(layer for layer in named if not masks.intersection(layer.weights))
    _check_finite(model, layers, name)
    return Network(model, layers)


def _flatten_biases(model: ModelProto) -> None:
    """Give the biases of products the shape `(n,)`, in place; skl2onnx writes `(1, n)`.

    Both shapes compute the same. ONNX Runtime's quantizer takes the first row of a bias for the
    first value.
    """
    nodes = model.graph.node
    biases = {node.input[2] for node in nodes if node.op_type == "Gemm" and len(node.input) > 2}
    others = {
        name
        for node in nodes
        for place, name in enumerate(node.input)
        if node.op_type != "Gemm" or place != 2
    }
    others |= {value.name for value in (*model.graph.input, *model.graph.output)}
    for value in model.graph.initializer:
        is_row = len(value.dims) == 2 and value.dims[0] == 1
        if is_row and value.name in biases - others:
            del value.dims[0]


def excluded(network: Network, keep_float: list[str]) -> list[str]:
    """Names of the nodes that stay in float.

    An entry of `keep_float` is a layer (`blocks.0.conv1`), a part of the network (`blocks.0`) or a
    type of operators (`Add`). Raises SettingsError, with the nearest name, for any other entry.
    """
    nodes: list[str] = []
    unmatched: list[str] = []
    for entry in keep_float:
        matches = [node.name for node in network.model.graph.node if _matches(node, entry)]
        nodes += matches
        if not matches:
            unmatched.append(entry)
    if unmatched:
        problems = [unknown("layer or operator", entry, network.names) for entry in unmatched]
        raise SettingsError("`keep_float`: " + " ".join(problems))
    return list(dict.fromkeys(nodes))


def _matches(node: NodeProto, entry: str) -> bool:
    names = (node.name, node.op_type, node.name.split(":")[0])
    return entry in names or node.name.startswith(f"{entry}.")


def failure(
    error: Exception, name: str, method: str, model: ModelProto | None = None
) -> CandidateError:
    """The error of a quantizer or runtime, as one that names the operator and the way out."""
    text = " ".join(str(error).split())[:400]
    op_types = {node.name: node.op_type for node in model.graph.node} if model is not None else {}
    node = _node_in(text, op_types)
    op_type = f" ({op_types[node]})" if node in op_types else ""
    where = f" at `{node}`{op_type}" if node else ""
    return CandidateError(
        f"`{name}` cannot be quantized by the method {method}{where}: {text} Name that layer or "
        "type of operator in `keep_float`, or use the method weight_only, which does not change "
        "the operators."
    )


def _node_in(text: str, names: Iterable[str]) -> str:
    """The name of the node that an error message is about; empty if it names none."""
    match = re.search(r"[Nn]ame:\s*'([^']+)'|Node \(([^)]+)\)", text)
    if match:
        return next((group for group in match.groups() if group), "")
    return next((name for name in names if name and name in text), "")


def replace_node(model: ModelProto, index: int, nodes: list[NodeProto]) -> None:
    """Put `nodes` in the place of the node at `index`."""
    del model.graph.node[index]
    for node in reversed(nodes):
        model.graph.node.insert(index, node)


def _import_standard_operators(model: ModelProto) -> None:
    """Declare an opset of the standard operators where a graph has none.

    A scikit-learn model has only operators of machine learning. ONNX Runtime's quantizer refuses a
    graph that does not import the standard ones.
    """
    from onnx import helper

    if all(opset.domain not in ("", "ai.onnx") for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid("", OPSET))


def _write_means_as_pooling(model: ModelProto) -> None:
    """Rewrite each ReduceMean over height and width as GlobalAveragePool.

    A Flatten follows it where the mean drops the two axes.
    """
    from onnx import helper

    ranks = _ranks(model)
    for index, node in reversed(list(enumerate(model.graph.node))):
        if node.op_type != "ReduceMean" or ranks.get(node.input[0]) != 4:
            continue
        axes = _reduced_axes(model, node)
        if axes is None or sorted(axis % 4 for axis in axes) != [2, 3]:
            continue
        keepdims = next((a.i for a in node.attribute if a.name == "keepdims"), 1) == 1
        output = node.output[0]
        pooled = output if keepdims else f"{output}_pooled"
        nodes = [helper.make_node("GlobalAveragePool", [node.input[0]], [pooled], node.name)]
        if not keepdims:
            nodes.append(helper.make_node("Flatten", [pooled], [output], f"{node.name}_flat"))
        replace_node(model, index, nodes)


def _reduced_axes(model: ModelProto, node: NodeProto) -> list[int] | None:
    """The axes of a ReduceMean, an attribute or a constant input; None if they are neither."""
    from onnx import numpy_helper

    for attribute in node.attribute:
        if attribute.name == "axes":
            return list(attribute.ints)
    values = constants(model)
    if len(node.input) > 1 and node.input[1] in values:
        return numpy_helper.to_array(values[node.input[1]]).ravel().tolist()
    return None


def _ranks(model: ModelProto) -> dict[str, int]:
    import onnx

    graph = onnx.shape_inference.infer_shapes(model).graph
    return {
        value.name: len(value.type.tensor_type.shape.dim)
        for value in (*graph.value_info, *graph.input, *graph.output)
        if value.type.tensor_type.HasField("shape")
    }


def _folded(model: ModelProto) -> ModelProto:
    """The graph after ONNX Runtime's basic optimizations.

    They compute constant parts, and fold batch norms into the convolutions before them.
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
    domains = {node.domain for node in folded.graph.node} | {""}
    opsets = [opset for opset in folded.opset_import if opset.domain in domains]
    del folded.opset_import[:]
    folded.opset_import.extend(opsets)
    return folded


def _check_finite(model: ModelProto, layers: tuple[Layer, ...], name: str) -> None:
    """Refuse NaN anywhere, and infinity in weights; an infinite constant can be a mask."""
    from onnx import numpy_helper

    weights = {weight for layer in layers for weight in layer.weights}
    for value in model.graph.initializer:
        if value.data_type != FLOAT:
            continue
        array = numpy_helper.to_array(value)
        if np.isnan(array).any() or (value.name in weights and not np.isfinite(array).all()):
            n_values = int((~np.isfinite(array)).sum())
            raise CandidateError(
                f"`{name}` holds {n_values} values that are not finite in `{value.name}`: "
                "quantization cannot compute a scale for them. Train the model again, or use an "
                "earlier checkpoint."
            )
