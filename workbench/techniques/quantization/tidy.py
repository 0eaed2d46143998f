"""Quantized graphs in the shapes that ONNX Runtime's selectors look for: what should fuse does, and
what should not does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

__all__ = ["hold_floats", "tidy"]

FUSED = ("Conv", "ConvTranspose", "Gemm")


def tidy(model: ModelProto) -> None:
    """Change the exporter's graph, in place, to the shapes that ONNX Runtime's QDQ selectors look
    for.

    Means over height and width become GlobalAveragePool, transposed weights are stored transposed,
    and biases lie on the grid of input times weight, as int32: a Gemm with a float bias stays in
    float. Layers whose weights are float keep them: ONNX Runtime would quantize the weights of any
    that stand between grids, by one scale for all channels.
    """
    from onnx import numpy_helper

    graph = model.graph
    values = {w.name: numpy_helper.to_array(w) for w in graph.initializer}
    made_by = {o: n for n in graph.node for o in n.output}

    def dequantizing(name: str) -> NodeProto | None:
        node = made_by.get(name)
        return node if node is not None and node.op_type == "DequantizeLinear" else None

    for node in list(graph.node):
        if node.op_type == "ReduceMean" and dequantizing(node.input[0]):
            _pooled(node, values)
        elif (
            node.op_type == "Transpose"
            and (weight := dequantizing(node.input[0]))
            and weight.input[0] in values
        ):
            _turned(graph, node, weight, values)
    made_by = {o: n for n in graph.node for o in n.output}
    for node in list(graph.node):
        source = dequantizing(node.input[0]) if node.op_type in FUSED else None
        weight = dequantizing(node.input[1]) if source else None
        if source and weight is None:
            _held_in_float(graph, node, source, values)
        elif (
            source
            and weight
            and weight.input[0] in values
            and len(node.input) == 3
            and node.input[2] in values
        ):
            _bias_on_grid(graph, node, source, weight, values)


def hold_floats(model: ModelProto) -> None:
    """Keep layers with float weights in float, in place.

    ONNX Runtime 1.32 takes any that stands between grids for a quantized one, and rounds its
    weights by one scale for all channels, unasked.
    """
    from onnx import numpy_helper

    graph = model.graph
    values = {w.name: numpy_helper.to_array(w) for w in graph.initializer}
    made_by = {o: n for n in graph.node for o in n.output}
    for node in list(graph.node):
        source = made_by.get(node.input[0]) if node.op_type in FUSED and node.input else None
        if (
            source is not None
            and source.op_type == "DequantizeLinear"
            and node.input[1] in values
            and source.input[1] in values
        ):
            _held_in_float(graph, node, source, values)


def _held_in_float(
    graph: Any, node: NodeProto, source: NodeProto, values: dict[str, np.ndarray]
) -> None:
    """A Clip at the ends of the grid changes no value, and keeps the layer from being taken for a
    quantized one.
    """
    from onnx import helper, numpy_helper

    scale, zero = values[source.input[1]], values[source.input[2]]
    limits = np.iinfo(zero.dtype)
    names = [f"{node.output[0]}_{end}" for end in ("low", "high", "clipped")]
    for name, end in zip(names, (limits.min, limits.max), strict=False):
        graph.initializer.append(
            numpy_helper.from_array(np.float32((float(end) - float(zero)) * float(scale)), name)
        )
    graph.node.insert(
        list(graph.node).index(node),
        helper.make_node("Clip", [source.output[0], *names[:2]], names[2:]),
    )
    node.input[0] = names[2]


def _pooled(node: NodeProto, values: Mapping[str, np.ndarray]) -> None:
    from onnx import helper

    kept = next((a.i for a in node.attribute if a.name == "keepdims"), 1)
    if (
        kept
        and len(node.input) == 2
        and sorted(values.get(node.input[1], np.zeros(0)).tolist()) in ([-2, -1], [2, 3])
    ):
        node.CopyFrom(
            helper.make_node("GlobalAveragePool", [node.input[0]], list(node.output), node.name)
        )


def _turned(graph: Any, node: NodeProto, weight: NodeProto, values: dict[str, np.ndarray]) -> None:
    """Quantized weight, dequantized, transposed: the same as the transposed weight, dequantized."""
    from onnx import helper, numpy_helper

    order = next(list(a.ints) for a in node.attribute if a.name == "perm")
    axis = next((a.i for a in weight.attribute if a.name == "axis"), 1)
    name = f"{weight.input[0]}_{''.join(map(str, order))}"
    if name not in values:
        values[name] = np.ascontiguousarray(values[weight.input[0]].transpose(order))
        graph.initializer.append(numpy_helper.from_array(values[name], name))
    node.CopyFrom(
        helper.make_node(
            "DequantizeLinear",
            [name, *weight.input[1:]],
            list(node.output),
            node.name,
            axis=order.index(axis),
        )
    )


def _bias_on_grid(
    graph: Any, node: NodeProto, source: NodeProto, weight: NodeProto, values: dict[str, np.ndarray]
) -> None:
    from onnx import helper, numpy_helper

    bias = values[node.input[2]]
    scale = np.broadcast_to(
        values[source.input[1]].reshape(-1) * values[weight.input[1]].reshape(-1), bias.shape
    )
    rounded = np.clip(np.rint(bias / scale.astype(np.float64)), -(2**31) + 1, 2**31 - 1).astype(
        np.int32
    )
    names = [f"{node.output[0]}_bias_{part}" for part in ("int32", "scale", "float")]
    graph.initializer.append(numpy_helper.from_array(rounded, names[0]))
    per_tensor = values[weight.input[1]].size == 1
    graph.initializer.append(
        numpy_helper.from_array((scale[0] if per_tensor else scale).astype(np.float32), names[1])
    )
    axis = {} if per_tensor else {"axis": 0}
    graph.node.insert(
        list(graph.node).index(node),
        helper.make_node("DequantizeLinear", names[:2], names[2:], **axis),
    )
    node.input[2] = names[2]
