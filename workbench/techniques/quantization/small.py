"""A quantized file without what nobody reads: of a small network, names and constants of the graph
are a tenth of the bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["small"]

NEED_NONE = {
    ("Conv", 1),
    ("Conv", 2),
    ("Gemm", 2),
}  # operators and inputs whose constants need no zero point to be fused


def small(model: ModelProto, keep: Mapping[str, str] | None = None) -> bytes:
    """The file without what only a debugger reads: shapes, documentation, long names, equal
    constants twice.

    Inputs and outputs, nodes that are layers, and `keep` (old name to new) keep theirs.
    """
    _drop_zero_points(model)
    _share_equal(model)
    _drop_unread(model)
    fixed = {v.name for v in (*model.graph.input, *model.graph.output)}
    inner = _inner_names(model)
    names = dict(keep or {})
    produced = [o for n in model.graph.node for o in n.output]
    for old in dict.fromkeys([*(w.name for w in model.graph.initializer), *produced]):
        if old and old not in fixed and old not in inner:
            names.setdefault(old, f"t{len(names):x}")
    for node in model.graph.node:
        node.input[:] = [names.get(i, i) for i in node.input]
        node.output[:] = [names.get(o, o) for o in node.output]
        node.doc_string = ""
        del node.metadata_props[:]
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            node.name = ""
    for value in model.graph.initializer:
        value.name = names.get(value.name, value.name)
    for item in (*model.graph.initializer, *model.graph.input, *model.graph.output):
        item.doc_string = ""
        del item.metadata_props[:]
    del model.graph.value_info[:]
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.graph.quantization_annotation[:]
    used = {n.domain for n in model.graph.node} | {""}
    kept = [o for o in model.opset_import if o.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    return model.SerializeToString()


def _drop_zero_points(model: ModelProto) -> None:
    """A zero point of zero, left out, is taken to be zero: a vector less for each constant in int8,
    and each bias in int32.

    The weight of a Gemm keeps its own, without which ONNX Runtime leaves the Gemm in float.
    """
    from onnx import numpy_helper

    values = {w.name: w for w in model.graph.initializer}
    readers: dict[str, set[tuple[str, int]]] = {}
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            readers.setdefault(name, set()).add((node.op_type, place))
    for node in model.graph.node:
        constant = (
            node.op_type == "DequantizeLinear"
            and len(node.input) == 3
            and {node.input[0], node.input[2]} <= values.keys()
        )
        places = readers.get(node.output[0], set()) if constant else set()
        if (
            places
            and places <= NEED_NONE
            and not numpy_helper.to_array(values[node.input[2]]).any()
        ):
            del node.input[2]


def _inner_names(model: ModelProto) -> set[str]:
    """Names read inside the bodies of If, Loop and Scan: left alone."""
    found: set[str] = set()
    graphs = [a.g for n in model.graph.node for a in n.attribute if a.HasField("g")]
    while graphs:
        graph = graphs.pop()
        for node in graph.node:
            found |= {*node.input, *node.output}
            graphs += [a.g for a in node.attribute if a.HasField("g")]
        found |= {v.name for v in (*graph.input, *graph.output, *graph.initializer)}
    return found


def _share_equal(model: ModelProto) -> None:
    """Zero points and scales are often the same numbers: one copy serves all who read it."""
    first: dict[tuple[Any, ...], str] = {}
    same: dict[str, str] = {}
    for value in model.graph.initializer:
        key = (
            value.data_type,
            tuple(value.dims),
            value.raw_data or value.SerializePartialToString(),
        )
        same[value.name] = first.setdefault(key, value.name)
    inner = _inner_names(model)
    for node in model.graph.node:
        node.input[:] = [same.get(i, i) for i in node.input]
    for value in [
        w for w in model.graph.initializer if same[w.name] != w.name and w.name not in inner
    ]:
        model.graph.initializer.remove(value)


def _drop_unread(model: ModelProto) -> None:
    read = (
        {i for n in model.graph.node for i in n.input}
        | {o.name for o in model.graph.output}
        | _inner_names(model)
    )
    for value in [w for w in model.graph.initializer if w.name not in read]:
        model.graph.initializer.remove(value)
