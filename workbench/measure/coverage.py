"""Coverage: which operators of a quantized graph really run in int8, after the runtime's own
optimization, and why not the others.

A file full of int8 weights is no promise: ONNX Runtime fuses a quantized operator only when all of
its inputs and its output are quantized in the way that its kernel wants; else it turns everything
back into floats around it, which costs more than it saves. So the graph is read as the runtime has
rewritten it on this machine.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import CandidateError, UnknownName, unknown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Coverage", "coverage"]

# They move or reshape numbers and compute nothing; conversions are told apart, as they cost time.
MOVES = frozenset(
    {
        "Reshape",
        "Flatten",
        "Transpose",
        "Squeeze",
        "Unsqueeze",
        "Identity",
        "Cast",
        "Shape",
        "Gather",
        "Slice",
        "Split",
        "Expand",
        "Constant",
        "ConstantOfShape",
        "Range",
        "Concat",
        "Pad",
        "Tile",
        "ReorderInput",
        "ReorderOutput",
        "Size",
        "Where",
        "Equal",
        "Not",
        "And",
        "Or",
        "Less",
        "Greater",
        "Reorder",
        "MemoryInput",
        "MemoryOutput",
        "ShapeOf",
        "Broadcast",
        "StridedSlice",
        "Memory",
        "ScatterND",
        "GatherND",
        "GatherElements",
        "Convert",
        "Trilu",
    }
)
CONVERSIONS = frozenset(
    {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "FakeQuantize", "Reorder"}
)
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
# What has an int8 kernel in ONNX Runtime on a processor. Softmax and its like have one that is
# rarely chosen.
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


@dataclass(frozen=True)
class Coverage:
    """The operators of one graph as one runtime runs it.

    `operators` has a row for each that computes: name, op_type, precision, why (of those in float).
    `n_low` of `n_all` run in 8 bits or fewer; `n_conversions` go between floats and integers.
    """

    runtime: str
    operators: pd.DataFrame
    n_low: int
    n_all: int
    n_conversions: int

    @property
    def share(self) -> float:
        """The share of operators that run in 8 bits or fewer; 0 for a graph without any operator."""
        return self.n_low / self.n_all if self.n_all else 0.0

    @property
    def text(self) -> str:
        """The finding in a sentence, with those that stay in float and the first reason."""
        said = f"{self.n_low} of {self.n_all} operators run in int8 in {self.runtime}"
        left = self.operators[self.operators.why != ""]
        if not self.n_low or not len(left):
            return f"{said}."
        kinds = ", ".join(f"{n} {kind}" for kind, n in left.op_type.value_counts().items())
        return f"{said}; in float stay {kinds} ({left.why.iloc[0]})."

    def to_json(self) -> dict[str, Any]:
        return {
            "runtime": self.runtime,
            "n_low": self.n_low,
            "n_all": self.n_all,
            "n_conversions": self.n_conversions,
            "text": self.text,
        }


def coverage(content: bytes, runtime: str = "onnxruntime") -> Coverage:
    """The coverage of an ONNX file's content on a runtime: `onnxruntime` or `openvino`.

    Raises CandidateError when the runtime cannot load it, UnknownName for another runtime.
    """
    if runtime.startswith("openvino"):
        return _of_openvino(content, runtime)
    if runtime != "onnxruntime":
        raise UnknownName(unknown("runtime with a coverage", runtime, ("onnxruntime", "openvino")))
    return _of_onnxruntime(content)


def _of_onnxruntime(content: bytes) -> Coverage:
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
    in_int8 |= {
        i.name for i in graph.input if i.type.tensor_type.elem_type in (2, 3)
    }  # UINT8, INT8
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
    return _counted("onnxruntime", rows, n_conversions)


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
        return (
            "4-bit weights"
            if next((a.i for a in node.attribute if a.name == "bits"), 4) == 4
            else "8-bit weights"
        )
    if node.op_type in KEEPS_TYPE and node.input and node.input[0] in in_int8:
        return "int8"
    return "fp32"


def _why(
    node: Any, made_by: Mapping[str, Any], used_by: Mapping[str, list[Any]], weights: set[str]
) -> str:
    """Why an operator stays in float: no kernel, an input that is not quantized, or an output that
    is not.
    """
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
        "its types are not those of the int8 kernel: ONNX Runtime wants uint8 activations with "
        "int8 weights here"
    )


def _of_openvino(content: bytes, runtime: str) -> Coverage:
    from workbench.runtimes.openvino_runtime import executed

    rows, n_conversions = [], 0
    for op in executed(content, runtime):
        n_conversions += op["op_type"] in CONVERSIONS
        if op["op_type"] in MOVES | CONVERSIONS:
            continue
        is_low = op["precision"] in ("int8", "int4")
        why = (
            ""
            if is_low
            else "OpenVINO runs it in floating point: it has no quantized inputs, or no int8 kernel"
        )
        rows.append(
            {"name": op["name"], "op_type": op["op_type"], "precision": op["precision"], "why": why}
        )
    return _counted(runtime, rows, n_conversions)


def _counted(runtime: str, rows: list[dict[str, str]], n_conversions: int) -> Coverage:
    import pandas as pd

    table = pd.DataFrame(rows, columns=["name", "op_type", "precision", "why"])
    n_low = int(table.precision.isin(("int8", "int4")).sum())
    return Coverage(runtime, table, n_low, len(table), n_conversions)
