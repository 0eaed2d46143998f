"""Give every node of an exported graph the name of its layer.

Exporters number the nodes (`node_Conv_306`). The names that the author gave are recovered in this
order:

    name of the weight      blocks.0.conv1.weight -> blocks.0.conv1
    name of the bias        encoder.layers.0.linear1.bias -> encoder.layers.0.linear1,
                            unless layers with other weights read the same bias
    values of the weight    a transposed copy of `qkv.weight` in the torch module -> qkv
    operator and number     LSTM_1
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

__all__ = ["FLOAT", "WEIGHT_INPUTS", "Layer", "constants", "name_nodes", "names_by_values"]

WEIGHT_INPUTS = {
    "Conv": (1,),
    "ConvTranspose": (1,),
    "Gemm": (0, 1),
    "MatMul": (0, 1),
    "Gather": (0,),
    "LSTM": (1, 2),
    "GRU": (1, 2),
    "RNN": (1, 2),
}
"""Operators that hold weights, and the positions of the inputs that can be weights."""

FLOAT = 1  # onnx.TensorProto.FLOAT


@dataclass(frozen=True)
class Layer:
    """An operator with constant weights.

    `weights` are names of constants, `source` and `output` are the tensors that it reads and
    writes, `node` is the name of its node, and `flags` are the attributes that are not zero.
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
        """The name without the number that distinguishes several uses of one weight."""
        return self.name.split(":")[0]


def constants(model: ModelProto) -> dict[str, TensorProto]:
    """Initializers by name."""
    return {value.name: value for value in model.graph.initializer}


def names_by_values(module: Any) -> dict[bytes, str]:
    """Names of the weights of a torch module by their bytes, as stored and transposed."""
    names: dict[bytes, str] = {}
    if not hasattr(module, "state_dict"):
        return names
    for name, tensor in module.state_dict().items():
        if hasattr(tensor, "detach") and tensor.is_floating_point() and tensor.ndim > 1:
            array = tensor.detach().cpu().float().numpy()
            for variant in (array, array.T):
                names.setdefault(np.ascontiguousarray(variant).tobytes(), name)
    return names


def name_nodes(model: ModelProto, weight_names: Mapping[bytes, str]) -> tuple[Layer, ...]:
    """Name every node, in place; returns the layers, the nodes that hold weights.

    `weight_names` are names of weights by their bytes.
    """
    values = constants(model)
    readers: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    shared = _shared_biases(model, values, readers)
    name_counts: Counter[str] = Counter()
    op_counts: Counter[str] = Counter()
    layers = []
    for node in model.graph.node:
        weights = tuple(_weights(node, values))
        name = ""
        if weights:
            followers = readers.get(node.output[0], [])
            biases = [bias for bias in _biases(node, followers) if bias not in shared]
            name = _layer_name(weights[0], biases, values, weight_names)
        if not name:
            name = f"{node.op_type}_{op_counts[node.op_type]}"
            op_counts[node.op_type] += 1
        node.name = name if not name_counts[name] else f"{name}:{name_counts[name] + 1}"
        name_counts[name] += 1
        if weights:
            source = next((i for i in node.input if i and i not in values), "")
            flags = frozenset(a.name for a in node.attribute if a.i)
            layers.append(
                Layer(node.name, node.op_type, weights, source, node.output[0], node.name, flags)
            )
    return tuple(layers)


def _weights(node: NodeProto, values: Mapping[str, TensorProto]) -> Iterator[str]:
    """Names of the weights of a node: constant floats of two axes or more."""
    for position in WEIGHT_INPUTS.get(node.op_type, ()):
        if position < len(node.input) and node.input[position] in values:
            value = values[node.input[position]]
            if value.data_type == FLOAT and len(value.dims) > 1:
                yield value.name


def _biases(node: NodeProto, followers: list[NodeProto]) -> list[str]:
    """Names of tensors that may be the bias: inputs of the node, and of the Adds that follow it."""
    adds = [follower for follower in followers if follower.op_type == "Add"]
    return [name for reader in (node, *adds) for name in reader.input]


def _shared_biases(
    model: ModelProto, values: Mapping[str, TensorProto], readers: Mapping[str, list[NodeProto]]
) -> set[str]:
    """Biases that several weights have. An exporter writes equal tensors, such as zeros, once."""
    owners: dict[str, set[str]] = {}
    for node in model.graph.node:
        for weight in list(_weights(node, values))[:1]:
            for bias in _biases(node, readers.get(node.output[0], [])):
                owners.setdefault(bias, set()).add(weight)
    return {bias for bias, weights in owners.items() if len(weights) > 1}


def _layer_name(
    weight: str,
    biases: list[str],
    values: Mapping[str, TensorProto],
    weight_names: Mapping[bytes, str],
) -> str:
    from onnx import numpy_helper

    if weight.endswith("weight") or "." in weight:
        return _stem(weight)
    for bias in biases:
        if bias in values and bias.endswith("bias") and "." in bias:
            return _stem(bias)
    return _stem(weight_names.get(numpy_helper.to_array(values[weight]).tobytes(), ""))


def _stem(name: str) -> str:
    return re.sub(r"[._](weight|bias)(_bias)?$", "", name)
