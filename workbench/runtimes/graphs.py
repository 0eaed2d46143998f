"""ONNX graphs as data: their inputs, their batch size, and files without metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["fixed_batch", "graph_inputs", "stripped"]


def graph_inputs(model: Any) -> list[Any]:
    """Inputs of a graph that are no weights, as `onnx.ValueInfoProto`.

    `model` is the content of a file, an `onnx.ModelProto`, or its graph.
    """
    import onnx

    if isinstance(model, bytes):
        model = onnx.load_from_string(model)
    graph = getattr(model, "graph", model)
    weights = {w.name for w in graph.initializer}
    return [value for value in graph.input if value.name not in weights]


def fixed_batch(content: bytes) -> int:
    """The batch size that a graph requires; 0 if it takes any."""
    shapes = [value.type.tensor_type.shape.dim for value in graph_inputs(content)]
    return next((dims[0].dim_value for dims in shapes if dims), 0)


def stripped(model: bytes | ModelProto) -> bytes:
    """The file without metadata, documentation, and shapes of inner values.

    `model` is the content of a file, or a graph, which is changed.
    """
    import onnx

    if isinstance(model, bytes):
        model = onnx.load_from_string(model)
    graph = model.graph
    for item in (*graph.node, *graph.initializer, *graph.input, *graph.output):
        item.doc_string = ""
        del item.metadata_props[:]
    del graph.value_info[:]
    del graph.metadata_props[:]
    del model.metadata_props[:]
    return model.SerializeToString()
