"""ONNX graphs: the content of a file in one piece, as bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from workbench.data.rows import AnyRows, Rows
from workbench.errors import CandidateError
from workbench.measure.cost import macs_onnx, size_of
from workbench.model_form import Form, Outputs, Training
from workbench.runtimes.found_graphs import free_batch, read_graph
from workbench.runtimes.graphs import graph_inputs, with_output
from workbench.task import Candidate, Task

__all__ = ["OnnxForm"]

ONNX_FILE = "model.onnx"
# Positions of scales and zero points among the inputs of quantized operators: no parameters.
SCALES = {
    "QuantizeLinear": (1, 2),
    "DequantizeLinear": (1, 2),
    "QLinearConv": (1, 2, 4, 5, 6, 7),
    "QLinearMatMul": (1, 2, 4, 5, 6, 7),
    "ConvInteger": (2, 3),
    "MatMulInteger": (2, 3),
    "QGemm": (1, 2, 4, 5, 7, 8),
    "QLinearAdd": (1, 2, 4, 5, 6, 7),
    "DynamicQuantizeMatMul": (2, 3),
    "MatMulIntegerToFloat": (2, 3, 4, 5),
    "QLinearGlobalAveragePool": (1, 2, 3, 4),
    "QLinearAveragePool": (1, 2, 3, 4),
    "QLinearMul": (1, 2, 4, 5, 6, 7),
    "QLinearSigmoid": (1, 2, 3, 4),
}


class OnnxForm(Form):
    """A graph that runs and is measured, and is not trained here."""

    name = "onnx"
    noun = "an ONNX file"
    runtimes = ("onnxruntime",)

    def is_mine(self, model: Any) -> bool:
        return isinstance(model, (bytes, Path))

    def copy(self, model: Any) -> bytes:
        """The content of a file; bytes do not change, and are their own copy."""
        return model if isinstance(model, bytes) else read_graph(model)[0]

    def settled(self, model: Any) -> tuple[Any, tuple[str, ...]]:
        """Content in one piece, in an opset that runs here, without ZipMap, its batch free."""
        content, notes = read_graph(model)
        return free_batch(content), notes

    def answering(self, model: Any, output: str | int) -> Any:
        return with_output(model, output)

    def outputs_by_name(
        self, candidate: Candidate, inputs: Mapping[str, np.ndarray]
    ) -> dict[str | int, np.ndarray]:
        from workbench.runtimes.onnx_runtime import OnnxPredictor

        arrays = OnnxPredictor(candidate.model, outputs=candidate.outputs).every_output(
            dict(inputs)
        )
        named: dict[str | int, np.ndarray] = {}
        named.update(arrays)
        return named

    def label(self, model: Any) -> str:
        return "onnx" if isinstance(model, bytes) else Path(model).stem

    def arranged(self, model: Any, rows: AnyRows, *, name: str = "model") -> AnyRows:
        """Columns of numbers side by side as one float32 matrix where the graph has one input."""
        if model is None or not isinstance(rows, Rows):
            return rows
        columns = list(rows.inputs.values())
        are_numbers = all(a.ndim == 1 and a.dtype.kind in "biuf" for a in columns)
        if len(columns) < 2 or not are_numbers or len(graph_inputs(model)) != 1:
            return rows
        return replace(rows, inputs={"x": np.column_stack(columns).astype(np.float32)})

    def fit(self, candidate: Candidate, task: Task, training: Training) -> Candidate:
        raise CandidateError(
            f"`{candidate.name}` is an ONNX file, which cannot be trained: give the model that it "
            "was made from."
        )

    def outputs(self, candidate: Candidate, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        from workbench.runtimes import predictor

        return predictor(candidate).predict(dict(inputs))

    def size(self, model: Any) -> tuple[int, int]:
        return size_of(model)

    def content(self, model: Any) -> bytes:
        return model

    def n_parameters(self, model: Any) -> int:
        """Weights of the graph, trees' nodes and linear coefficients included.

        There may be fewer than in the torch module that it was made from, as batch normalization is
        folded into convolutions.
        """
        import onnx

        graph = onnx.load_from_string(model).graph
        scales = {
            node.input[i]
            for node in graph.node
            for i in SCALES.get(node.op_type, ())
            if i < len(node.input)
        }
        dynamic = {n.output[1] for n in graph.node if n.op_type == "DynamicQuantizeLinear"}
        scales |= {
            name
            for node in graph.node
            if node.op_type == "Mul" and dynamic & set(node.input)
            for name in node.input
        }
        # Reshape, Slice and their like take whole numbers and truth values, which nobody learned.
        shapes = (onnx.TensorProto.INT64, onnx.TensorProto.BOOL)
        weights = [
            w for w in graph.initializer if w.name not in scales and w.data_type not in shapes
        ]
        in_trees = (
            len(a.floats)
            for n in graph.node
            if n.domain == "ai.onnx.ml"
            for a in n.attribute
            if "nodes_values" in a.name
        )
        linear = (
            len(a.floats)
            for n in graph.node
            for a in n.attribute
            if a.name in ("coefficients", "intercepts")
        )
        return sum(int(np.prod(w.dims)) for w in weights) + sum(in_trees) + sum(linear)

    def macs(self, model: Any, inputs: Mapping[str, np.ndarray]) -> int:
        return macs_onnx(model, inputs)

    def keep(
        self, candidate: Candidate, folder: Path, inputs: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        from workbench.system.files import write_bytes

        write_bytes(folder / ONNX_FILE, candidate.model)
        return {}

    def load(
        self,
        folder: Path,
        about: Mapping[str, Any],
        *,
        build: Callable[[], Any] | None = None,
        trusted: Sequence[Any] = (),
    ) -> bytes:
        return (folder / ONNX_FILE).read_bytes()

    def to_onnx(
        self, candidate: Candidate, inputs: Mapping[str, np.ndarray]
    ) -> tuple[bytes, Outputs]:
        return candidate.model, candidate.outputs

    def packed(self, candidate: Candidate) -> bytes:
        return candidate.model

    def unpacked(self, content: bytes, name: str, outputs: Outputs) -> Candidate:
        return Candidate(name, self.name, content, outputs=outputs)


FORM = OnnxForm()
