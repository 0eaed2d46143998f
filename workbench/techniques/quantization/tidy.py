"""Rewrite quantized graphs into the patterns that ONNX Runtime fuses into int8 operators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

__all__ = ["float_sums", "hold_floats", "tidy"]

FUSED = ("Conv", "ConvTranspose", "Gemm")
SUMS = ("ReduceSum", "ReduceMean")
ELEMENTWISE = ("Add", "Mul")
ROUNDING = ("QuantizeLinear", "DequantizeLinear")
BIAS_LIMIT = 2**31 - 1  # of int32


def tidy(model: ModelProto) -> None:
    """Rewrite an exported QDQ graph, in place, into the patterns of ONNX Runtime's QDQ selectors.

    Means over height and width become GlobalAveragePool. Transposed weights are stored transposed.
    Biases become int32, with the scale of input times weight: ONNX Runtime leaves a Gemm with a
    float bias in float. Layers with float weights are held in float (see `hold_floats`).
    """
    graph = model.graph
    values = _values(graph)
    producers = _dequantizers(graph)
    for node in list(graph.node):
        if not node.input or node.input[0] not in producers:
            continue
        if node.op_type == "ReduceMean":
            _write_as_pooling(node, values)
        elif node.op_type == "Transpose" and producers[node.input[0]].input[0] in values:
            _transpose_constant(graph, node, producers[node.input[0]], values)
    producers = _dequantizers(graph)
    for node in list(graph.node):
        if node.op_type not in FUSED or node.input[0] not in producers:
            continue
        source, weight = producers[node.input[0]], producers.get(node.input[1])
        if weight is None:
            _hold_float(graph, node, source, values)
        elif weight.input[0] in values and len(node.input) == 3 and node.input[2] in values:
            _quantize_bias(graph, node, source, weight, values)
    float_sums(model)


def hold_floats(model: ModelProto) -> None:
    """Keep layers with float weights in float, in place.

    ONNX Runtime 1.32 treats a float layer between quantized tensors as a quantized one, and rounds
    its weights with one scale for all channels.
    """
    graph = model.graph
    values = _values(graph)
    producers = _dequantizers(graph)
    for node in list(graph.node):
        if node.op_type not in FUSED or node.input[0] not in producers:
            continue
        source = producers[node.input[0]]
        if node.input[1] in values and source.input[1] in values:
            _hold_float(graph, node, source, values)


def float_sums(model: ModelProto) -> None:
    """Let sums and means over axis 1 read floats that were not rounded to int8, in place.

    ONNX Runtime sums in float in any case. OpenVINO would sum the integers, and its kernel gives
    wrong sums for all rows of a batch after the first (see `runtimes/openvino_sums.py`). An Add or
    Mul whose only readers are such sums, as in a mean of the words that a mask keeps, reads floats
    too: rounding before it would gain nothing.
    """
    graph = model.graph
    values = _values(graph)
    producers = {name: node for node in graph.node for name in node.output}
    waiting = [node for node in graph.node if node.op_type in SUMS and _sums_words(node, values)]
    while waiting:
        node = waiting.pop()
        sources = [_before_rounding(name, producers, values) for name in node.input]
        if sources == list(node.input):
            continue
        node.input[:] = sources
        _remove_unread(graph)
        for source in sources:
            elementwise = producers.get(source)
            if elementwise is not None and _is_read_by_floats(elementwise, graph):
                waiting.append(elementwise)


def _sums_words(node: NodeProto, values: Mapping[str, np.ndarray]) -> bool:
    """Whether the axes of a sum are axis 1, alone or with others, or the last but one."""
    axes = next((list(a.ints) for a in node.attribute if a.name == "axes"), [])
    if len(node.input) == 2:
        axes = values.get(node.input[1], np.zeros(0)).reshape(-1).tolist()
    return 1 in axes or axes == [-2]


def _before_rounding(
    name: str, producers: Mapping[str, NodeProto], values: Mapping[str, np.ndarray]
) -> str:
    """The tensor that is quantized and dequantized again into `name`; else `name` itself."""
    dequantize = producers.get(name)
    if dequantize is None or dequantize.op_type != "DequantizeLinear":
        return name
    quantize = producers.get(dequantize.input[0])
    if quantize is None or quantize.op_type != "QuantizeLinear" or quantize.input[0] in values:
        return name
    return quantize.input[0]


def _is_read_by_floats(node: NodeProto, graph: Any) -> bool:
    """Whether a node is an Add or Mul that no node reads in order to quantize it."""
    readers = [other for other in graph.node if node.output[0] in other.input]
    return node.op_type in ELEMENTWISE and all(
        other.op_type in SUMS or other.op_type in ELEMENTWISE for other in readers
    )


def _remove_unread(graph: Any) -> None:
    """Remove the quantize and dequantize nodes that no node reads and that write no output."""
    outputs = {value.name for value in graph.output}
    while True:
        read = outputs.union(*(node.input for node in graph.node))
        unread = [n for n in graph.node if n.op_type in ROUNDING and n.output[0] not in read]
        if not unread:
            return
        for node in unread:
            graph.node.remove(node)


def _values(graph: Any) -> dict[str, np.ndarray]:
    from onnx import numpy_helper

    return {value.name: numpy_helper.to_array(value) for value in graph.initializer}


def _dequantizers(graph: Any) -> dict[str, NodeProto]:
    """Dequantize nodes by their outputs."""
    return {
        output: node
        for node in graph.node
        if node.op_type == "DequantizeLinear"
        for output in node.output
    }


def _store(graph: Any, array: np.ndarray, name: str) -> None:
    from onnx import numpy_helper

    graph.initializer.append(numpy_helper.from_array(array, name))


def _insert_before(graph: Any, node: NodeProto, new_node: NodeProto) -> None:
    graph.node.insert(list(graph.node).index(node), new_node)


def _hold_float(
    graph: Any, node: NodeProto, source: NodeProto, values: dict[str, np.ndarray]
) -> None:
    """Put a Clip before a layer, so that ONNX Runtime does not quantize it.

    It clips at the ends of the integer range of its input, so it changes no value.
    """
    from onnx import helper

    scale, zero_point = values[source.input[1]], values[source.input[2]]
    limits = np.iinfo(zero_point.dtype)
    low, high, clipped = (f"{node.output[0]}_{part}" for part in ("low", "high", "clipped"))
    for name, limit in ((low, limits.min), (high, limits.max)):
        value = (float(limit) - float(zero_point)) * float(scale)
        _store(graph, np.array(value, np.float32), name)
    clip = helper.make_node("Clip", [source.output[0], low, high], [clipped])
    _insert_before(graph, node, clip)
    node.input[0] = clipped


def _write_as_pooling(node: NodeProto, values: Mapping[str, np.ndarray]) -> None:
    """Rewrite a ReduceMean over height and width that keeps its axes as GlobalAveragePool."""
    from onnx import helper

    keepdims = next((a.i for a in node.attribute if a.name == "keepdims"), 1)
    if not keepdims or len(node.input) != 2:
        return
    axes = sorted(values.get(node.input[1], np.zeros(0)).tolist())
    if axes in ([-2, -1], [2, 3]):
        node.CopyFrom(
            helper.make_node("GlobalAveragePool", [node.input[0]], list(node.output), node.name)
        )


def _transpose_constant(
    graph: Any, node: NodeProto, dequantize: NodeProto, values: dict[str, np.ndarray]
) -> None:
    """Rewrite the transpose of a dequantized weight as the dequantized transposed weight."""
    from onnx import helper

    order = next(list(a.ints) for a in node.attribute if a.name == "perm")
    axis = next((a.i for a in dequantize.attribute if a.name == "axis"), 1)
    weight = dequantize.input[0]
    name = f"{weight}_{''.join(map(str, order))}"
    if name not in values:
        values[name] = np.ascontiguousarray(values[weight].transpose(order))
        _store(graph, values[name], name)
    node.CopyFrom(
        helper.make_node(
            "DequantizeLinear",
            [name, *dequantize.input[1:]],
            list(node.output),
            node.name,
            axis=order.index(axis),
        )
    )


def _quantize_bias(
    graph: Any, node: NodeProto, source: NodeProto, weight: NodeProto, values: dict[str, np.ndarray]
) -> None:
    """Store the bias of a layer as int32, with the scale of input times weight."""
    from onnx import helper

    bias = values[node.input[2]]
    input_scale = values[source.input[1]].reshape(-1)
    weight_scale = values[weight.input[1]].reshape(-1)
    scale = np.broadcast_to(input_scale * weight_scale, bias.shape)
    integers = np.rint(bias / scale.astype(np.float64))
    integers = np.clip(integers, -BIAS_LIMIT, BIAS_LIMIT).astype(np.int32)
    per_tensor = weight_scale.size == 1
    int32, scale_name, dequantized = (
        f"{node.output[0]}_bias_{part}" for part in ("int32", "scale", "float")
    )
    _store(graph, integers, int32)
    _store(graph, (scale[0] if per_tensor else scale).astype(np.float32), scale_name)
    attributes = {} if per_tensor else {"axis": 0}
    dequantize = helper.make_node(
        "DequantizeLinear", [int32, scale_name], [dequantized], **attributes
    )
    _insert_before(graph, node, dequantize)
    node.input[2] = dequantized
