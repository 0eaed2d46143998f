"""ONNX graphs as data: their inputs, their batch size, and files without metadata."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnx import ModelProto

from workbench.errors import TaskError

__all__ = [
    "drop_unread",
    "fixed_batch",
    "graph_inputs",
    "graph_shape",
    "stripped",
    "with_column",
    "with_columns",
    "with_input_names",
    "with_output",
]


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


def graph_shape(content: bytes) -> list[Any]:
    """All that the time of a call depends on besides its inputs: operators, and shapes of weights.

    Values of attributes and weights are left out.
    """
    import onnx

    graph = onnx.load_from_string(content).graph
    operators = [(n.domain, n.op_type, len(n.input), len(n.output)) for n in graph.node]
    return [operators, [(w.data_type, tuple(w.dims)) for w in graph.initializer]]


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


def with_input_names(model: Any, names: list[str]) -> bytes:
    """The content of an `onnx.ModelProto` whose inputs have these names, in order.

    skl2onnx writes `petal length (cm)` as `petal_length__cm_`: the columns of the data have the
    names that they had.
    """
    old = [value.name for value in model.graph.input]
    new = dict(zip(old, [name or "unnamed" for name in names], strict=True))
    for value in model.graph.input:
        value.name = new[value.name]
    for node in model.graph.node:
        node.input[:] = [new.get(name, name) for name in node.input]
    return model.SerializeToString()


def with_column(content: bytes, column: int) -> bytes:
    """The graph with one column `(rows,)` of its only output `(rows, columns)` as its output."""
    import onnx
    from onnx import helper

    model = onnx.load_from_string(content)
    matrix = model.graph.output[0]
    index = helper.make_tensor("column", onnx.TensorProto.INT64, [], [column])
    model.graph.initializer.append(index)
    name = f"{matrix.name}_{column}"
    model.graph.node.append(helper.make_node("Gather", [matrix.name, "column"], [name], axis=1))
    kind = matrix.type.tensor_type.elem_type
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info(name, kind, [None]))
    return model.SerializeToString()


def with_columns(model: Any, names: list[str]) -> bytes:
    """The content of an `onnx.ModelProto` that takes the columns of its input matrix by name."""
    import onnx
    from onnx import helper

    matrix = model.graph.input[0]
    kind = matrix.type.tensor_type.elem_type
    columns = [helper.make_tensor_value_info(n or "unnamed", kind, [None, 1]) for n in names]
    joined = helper.make_node("Concat", [c.name for c in columns], [matrix.name], axis=1)
    del model.graph.input[:]
    model.graph.input.extend(columns)
    model.graph.node.insert(0, joined)
    return onnx.ModelProto.SerializeToString(model)


def with_output(content: bytes, output: str | int) -> bytes:
    """The graph with one of its outputs alone, by name or place; operators for others go.

    Raises TaskError that names the outputs when there is no such one.
    """
    import onnx

    model = onnx.load_from_string(content)
    outputs = {o.name: o for o in model.graph.output}
    names = list(outputs)
    if isinstance(output, int) and -len(names) <= output < len(names):
        output = names[output]
    if output not in outputs:
        raise TaskError(f"`output={output!r}` is no output of the graph: it gives {names}.")
    chosen = outputs[str(output)]
    del model.graph.output[:]
    model.graph.output.append(chosen)
    drop_unread(model)
    return model.SerializeToString()


def drop_unread(model: ModelProto) -> None:
    """Remove nodes and constants that no output of the graph needs, in place."""
    graph = model.graph
    needed = {value.name for value in graph.output}
    nodes = []
    for node in reversed(graph.node):
        if needed & set(node.output):
            nodes.append(node)
            needed |= {*node.input, *_read_in_bodies(node)}
    nodes.reverse()
    constants = [value for value in graph.initializer if value.name in needed]
    for field, values in ((graph.node, nodes), (graph.initializer, constants)):
        # `del field[:]` clears the messages that it removes
        copies = [type(value).FromString(value.SerializeToString()) for value in values]
        del field[:]
        field.extend(copies)


def _read_in_bodies(node: Any) -> Iterator[str]:
    """Names that the bodies of If, Loop and Scan read."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            for inner in attribute.g.node:
                yield from inner.input
                yield from _read_in_bodies(inner)
            yield from (value.name for value in attribute.g.output)
