"""ONNX graphs as data: their inputs, their batch size, and files without metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnx import ModelProto

from workbench.errors import TaskError

__all__ = [
    "fixed_batch",
    "graph_inputs",
    "stripped",
    "with_column",
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
    needed = {str(output)}
    nodes = []
    for node in reversed(model.graph.node):
        if needed & set(node.output):
            nodes.append(node)
            needed |= {*node.input, *_names_inside(node)}
    chosen = outputs[str(output)]
    weights = [w for w in model.graph.initializer if w.name in needed]
    del model.graph.output[:], model.graph.node[:], model.graph.initializer[:]
    model.graph.output.append(chosen)
    model.graph.node.extend(reversed(nodes))
    model.graph.initializer.extend(weights)
    return model.SerializeToString()


def _names_inside(node: Any) -> set[str]:
    """Names that the branches of a node (If, Loop) read."""
    inner = [a.g for a in node.attribute if a.HasField("g")]
    nodes = [n for graph in inner for n in graph.node]
    return {name for n in nodes for name in (*n.input, *_names_inside(n))}
