"""Multiply-adds of an ONNX graph for one sample, from the shapes of its products.

Graphs in float, in integers, and with quantize-dequantize pairs are counted alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from workbench.errors import CandidateError
from workbench.runtimes.graphs import graph_inputs

__all__ = ["macs_onnx"]

Shape = tuple[int, ...]

RECURRENT = ("LSTM", "GRU", "RNN")

# Positions of an operator's two factors among its inputs.
FACTORS = {
    "Conv": (0, 1),
    "FusedConv": (0, 1),
    "ConvInteger": (0, 1),
    "QLinearConv": (0, 3),
    "ConvTranspose": (0, 1),
    "Gemm": (0, 1),
    "FusedGemm": (0, 1),
    "QGemm": (0, 3),
    "MatMul": (0, 1),
    "FusedMatMul": (0, 1),
    "MatMulInteger": (0, 1),
    "QLinearMatMul": (0, 3),
    "DynamicQuantizeMatMul": (0, 1),
    "MatMulIntegerToFloat": (0, 1),
    "LSTM": (0, 1),
    "GRU": (0, 1),
    "RNN": (0, 1),
}


def macs_onnx(content: bytes, inputs: Mapping[str, np.ndarray] | None = None) -> int:
    """Multiply-adds of one sample: convolutions, matrix products and recurrent layers.

    Nodes inside loops and branches are not counted. The batch is set to 1, and so are other free
    lengths, unless `inputs` (prepared arrays `(rows, ...)`) give their length. Where shapes cannot
    be inferred (operators of one runtime only), the graph is run once to get them. Raises
    CandidateError when that fails too.
    """
    import onnx
    from onnx import inliner

    model = inliner.inline_local_functions(onnx.load_from_string(content))
    _fix_shapes(model, inputs or {})
    nodes = [node for node in model.graph.node if node.op_type in FACTORS]
    names = {name for node in nodes for name in _names(node)}
    shapes = _inferred_shapes(model)
    if not names <= shapes.keys():
        shapes |= _shapes_of_a_run(model, names - shapes.keys())
    return sum(_macs(node, [shapes[name] for name in _names(node)]) for node in nodes)


def _names(node: Any) -> tuple[str, ...]:
    """Names of both factors and of the output; of a recurrent layer, its recurrent weights last."""
    first, second = FACTORS[node.op_type]
    third = node.input[2] if node.op_type in RECURRENT else node.output[0]
    return node.input[first], node.input[second], third


def _macs(node: Any, shapes: list[Shape]) -> int:
    a, b, out = shapes
    if node.op_type in RECURRENT:
        # x (length, batch, in), weights (directions, gates, in) and (directions, gates, hidden)
        return a[0] * a[1] * (_size(b) + _size(out))
    if node.op_type == "ConvTranspose":
        # weights (in, out / groups, *kernel), used once for every input value
        return _size(a) * _size(b[1:])
    if "Conv" in node.op_type:
        # weights (out, in / groups, *kernel), used once for every output value
        return _size(out) * _size(b[1:])
    flipped = {attribute.name: attribute.i for attribute in node.attribute}.get("transA", 0)
    return _size(out) * (a[-2] if flipped and len(a) > 1 else a[-1])


def _size(shape: Shape) -> int:
    return int(np.prod(shape, dtype=np.int64))


def _fix_shapes(model: Any, inputs: Mapping[str, np.ndarray]) -> None:
    """Set every free length of the inputs, and clear the shapes noted for other lengths."""
    values = graph_inputs(model)
    examples = {value.name: inputs.get(value.name) for value in values}
    if len(values) == 1 and len(inputs) == 1:
        examples = {values[0].name: next(iter(inputs.values()))}
    for value in values:
        example = examples[value.name]
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            is_fixed = dim.HasField("dim_value") and dim.dim_value > 0
            if axis and not is_fixed and example is not None and axis < example.ndim:
                dim.dim_value = example.shape[axis]
            elif not is_fixed or (axis == 0 and example is not None):
                dim.dim_value = 1
    del model.graph.value_info[:]
    for value in model.graph.output:
        if value.type.tensor_type.HasField("shape"):
            value.type.tensor_type.ClearField("shape")


def _inferred_shapes(model: Any) -> dict[str, Shape]:
    """Shapes that ONNX's own inference gives in full, by the name of the value."""
    from onnx import shape_inference

    graph = shape_inference.infer_shapes(model, data_prop=True).graph
    shapes = {w.name: tuple(w.dims) for w in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        tensor = value.type.tensor_type
        if tensor.HasField("shape") and all(d.HasField("dim_value") for d in tensor.shape.dim):
            shapes[value.name] = tuple(d.dim_value for d in tensor.shape.dim)
    return shapes


def _shapes_of_a_run(model: Any, names: set[str]) -> dict[str, Shape]:
    """Shapes of inner values, from running the graph once on ones."""
    import onnx
    import onnxruntime as ort

    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    present = {value.name for value in changed.graph.output}
    changed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names - present)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    feed = {
        value.name: np.ones(
            [d.dim_value for d in value.type.tensor_type.shape.dim],
            onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type),
        )
        for value in graph_inputs(model)
    }
    asked = sorted(names)
    try:
        session = ort.InferenceSession(
            changed.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        results = session.run(asked, feed)
    except Exception as error:
        raise CandidateError(
            f"Cannot count the multiply-adds of this graph: the shapes of {asked[:3]} are unknown: "
            f"{error} Give `inputs`, so that free lengths get real numbers."
        ) from error
    return {name: np.shape(value) for name, value in zip(asked, results, strict=True)}
