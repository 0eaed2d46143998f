"""Cost that needs no clock: bytes, parameters and multiply-adds (MACs)."""

from __future__ import annotations

import copy
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import CandidateError
from workbench.measure.macs import macs_onnx
from workbench.models.networks import call_model
from workbench.task import Candidate

if TYPE_CHECKING:
    from torch import nn

__all__ = ["macs_onnx", "macs_torch", "n_parameters", "size_of"]

CHUNK = 1 << 20
GZIP = 31  # zlib's window bits for the gzip format
# Where scales and zero points stand among the inputs of quantized operators: they are no parameters
# of the model.
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


def size_of(content: bytes | Path) -> tuple[int, int]:
    """Bytes of a model's file (or of all files in a folder): as they are, and gzipped."""
    raw = zipped = 0
    for chunks in _files(content):
        packer = zlib.compressobj(6, zlib.DEFLATED, GZIP)
        for chunk in chunks:
            raw += len(chunk)
            zipped += len(packer.compress(chunk))
        zipped += len(packer.flush())
    return raw, zipped


def _files(content: bytes | Path) -> Iterator[Iterator[bytes]]:
    if isinstance(content, bytes):
        yield iter([content])
        return
    path = Path(content)
    if not path.exists():
        raise CandidateError(f"There is no model file `{path}` to take the size of.")
    for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
        with file.open("rb") as stream:
            yield iter(lambda stream=stream: stream.read(CHUNK), b"")


def n_parameters(candidate: Candidate) -> int | None:
    """Learned numbers of a model: torch parameters (shared ones once), weights of an ONNX graph,
    coefficients or tree nodes.

    An exported graph may hold fewer than its torch module, as batch normalization is folded into
    convolutions. None for estimators of a kind that has no usual count.
    """
    if candidate.form == "torch":
        return sum(p.numel() for p in candidate.model.parameters())
    if candidate.form == "onnx":
        return _onnx_parameters(candidate.model)
    return _sklearn_parameters(candidate.model)


def _onnx_parameters(content: bytes) -> int:
    import onnx

    graph = onnx.load_from_string(content).graph
    scales = {
        node.input[i]
        for node in graph.node
        for i in SCALES.get(node.op_type, ())
        if i < len(node.input)
    }
    dynamic = {node.output[1] for node in graph.node if node.op_type == "DynamicQuantizeLinear"}
    scales |= {
        name
        for node in graph.node
        if node.op_type == "Mul" and dynamic & set(node.input)
        for name in node.input
    }
    shapes = (
        onnx.TensorProto.INT64,
        onnx.TensorProto.BOOL,
    )  # what Reshape, Slice and their like take
    weights = [w for w in graph.initializer if w.name not in scales and w.data_type not in shapes]
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


def _sklearn_parameters(estimator: Any) -> int | None:
    """Coefficients of linear models and networks, nodes of trees; through pipelines, searches and
    ensembles.
    """
    if hasattr(estimator, "steps"):
        return _sklearn_parameters(estimator.steps[-1][1])
    if hasattr(estimator, "best_estimator_"):
        return _sklearn_parameters(estimator.best_estimator_)
    if hasattr(estimator, "tree_"):
        return int(estimator.tree_.node_count)
    if hasattr(estimator, "_predictors"):  # histogram gradient boosting: a list of trees a round
        return sum(len(tree.nodes) for trees in estimator._predictors for tree in trees)
    if hasattr(estimator, "coefs_"):
        return sum(np.size(a) for a in (*estimator.coefs_, *estimator.intercepts_))
    if hasattr(estimator, "coef_"):
        return int(np.size(estimator.coef_) + np.size(getattr(estimator, "intercept_", ())))
    if hasattr(estimator, "estimators_"):
        parts = [
            _sklearn_parameters(e)
            for e in np.ravel(np.array(estimator.estimators_, dtype=object))
            if e != "drop"
        ]
        return None if any(p is None for p in parts) else sum(parts)
    return None


def macs_torch(module: nn.Module, inputs: Mapping[str, np.ndarray]) -> int:
    """Multiply-adds of one sample through a network: half of what torch's own counter calls
    operations.

    `inputs` are prepared arrays `(rows, ...)`, of which the first row is taken. Matrix products,
    convolutions and attention count; what is added or compared element by element does not.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    model = copy.deepcopy(module).eval()
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    tensors = {
        name: torch.from_numpy(np.ascontiguousarray(a[:1])).to(device) for name, a in inputs.items()
    }
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        call_model(model, tensors)
    return int(counter.get_total_flops()) // 2
