"""The int8 coverage of ONNX Runtime, read off the graph that it has optimized for this machine."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.errors import CandidateError
from workbench.runtimes.coverage import CONVERSIONS, MOVES, Coverage

__all__ = ["coverage_of"]

INTEGER = frozenset(
    {
        "ConvInteger",
        "MatMulInteger",
        "MatMulIntegerToFloat",
        "DynamicQuantizeMatMul",
        "QGemm",
        "QAttention",
        "DynamicQuantizeLSTM",
        "QEmbedLayerNormalization",
    }
)
# Operators with an int8 kernel in ONNX Runtime on a CPU. That of Softmax is rarely chosen.
HAS_INT8 = frozenset(
    {
        "Conv",
        "FusedConv",
        "MatMul",
        "FusedMatMul",
        "Gemm",
        "FusedGemm",
        "Add",
        "Mul",
        "Sigmoid",
        "LeakyRelu",
        "AveragePool",
        "GlobalAveragePool",
        "MaxPool",
        "Relu",
        "Clip",
        "Softmax",
    }
)
KEEPS_TYPE = frozenset({"MaxPool", "Relu", "Clip", "Concat", "QLinearConcat"}) | MOVES


def coverage_of(content: bytes) -> Coverage:
    """The operators of an ONNX file as ONNX Runtime runs them; raises CandidateError."""
    graph = _optimized(content)
    weights = {w.name for w in graph.initializer}
    made_by = {out: node for node in graph.node for out in node.output}
    used_by: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            used_by.setdefault(name, []).append(node)
    in_int8 = {
        out for node in graph.node if node.op_type == "QuantizeLinear" for out in node.output
    }
    uint8_or_int8 = (2, 3)  # of onnx.TensorProto
    in_int8 |= {i.name for i in graph.input if i.type.tensor_type.elem_type in uint8_or_int8}
    rows, n_conversions = [], 0
    for node in graph.node:  # in topological order
        if node.op_type in CONVERSIONS:
            n_conversions += 1
            continue
        precision = _precision(node, in_int8)
        if precision == "int8" and node.op_type not in INTEGER:
            in_int8.update(node.output)
        if node.op_type not in MOVES:
            why = "" if precision != "fp32" else _why(node, made_by, used_by, weights)
            rows.append(
                {
                    "name": node.name or node.output[0],
                    "op_type": node.op_type,
                    "precision": precision,
                    "why": why,
                }
            )
    return Coverage("onnxruntime", tuple(rows), n_conversions)


def _optimized(content: bytes) -> Any:
    """The graph as ONNX Runtime rewrites it for this processor."""
    import onnx
    import onnxruntime as ort

    with tempfile.TemporaryDirectory() as scratch:
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        options.optimized_model_filepath = str(Path(scratch) / "optimized.onnx")
        try:
            ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise CandidateError(f"ONNX Runtime cannot load the model: {error}") from error
        return onnx.load(options.optimized_model_filepath).graph


def _precision(node: Any, in_int8: set[str]) -> str:
    if node.op_type.startswith("QLinear") or node.op_type in INTEGER:
        return "int8"
    if node.op_type == "MatMulNBits":
        bits = next((a.i for a in node.attribute if a.name == "bits"), 4)
        return "4-bit weights" if bits == 4 else "8-bit weights"
    if node.op_type in KEEPS_TYPE and node.input and node.input[0] in in_int8:
        return "int8"
    return "fp32"


def _why(
    node: Any, made_by: Mapping[str, Any], used_by: Mapping[str, list[Any]], weights: set[str]
) -> str:
    """The reason why an operator stays in float: its kernel, an input, or its output."""
    kind = node.op_type
    if kind not in HAS_INT8:
        return f"ONNX Runtime has no int8 kernel for {kind}"
    sources = [(name, made_by.get(name)) for name in node.input if name and name not in weights]
    plain = [
        name for name, source in sources if source is None or source.op_type != "DequantizeLinear"
    ]
    if plain:
        return f"its input `{plain[0]}` is not quantized"
    users = [user.op_type for out in node.output for user in used_by.get(out, [])]
    if "QuantizeLinear" not in users:
        return "its output is not quantized"
    return (
        "its types are not those of the int8 kernel: ONNX Runtime needs uint8 activations with "
        "int8 weights here"
    )
