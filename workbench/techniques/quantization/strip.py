"""Make an ONNX file smaller without changing its outputs.

In a small quantized network, names, metadata and repeated constants are a tenth of the bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from workbench.runtimes.graphs import stripped

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["compacted"]

ZERO_POINT_OPTIONAL = {("Conv", 1), ("Conv", 2), ("Gemm", 2)}
"""Operators and input positions that ONNX Runtime fuses without a zero point of the constant."""


def compacted(model: ModelProto, new_names: Mapping[str, str] | None = None) -> bytes:
    """The file without shapes, documentation, unread constants and repeated constants.

    Tensors get short names, except inputs, outputs and those of `new_names` (old name to new name);
    nodes keep their names. Changes `model`.
    """
    _drop_zero_points(model)
    _share_equal_constants(model)
    _drop_unread_constants(model)
    _rename_tensors(model, dict(new_names or {}))
    _drop_unread_opsets(model)
    del model.graph.quantization_annotation[:]
    return stripped(model)


def _rename_tensors(model: ModelProto, names: dict[str, str]) -> None:
    fixed = {value.name for value in (*model.graph.input, *model.graph.output)}
    fixed |= _names_in_bodies(model)
    initializers = [value.name for value in model.graph.initializer]
    outputs = [output for node in model.graph.node for output in node.output]
    _drop_repeated_names(names, {*initializers, *outputs}, fixed)
    for old_name in dict.fromkeys([*initializers, *outputs]):
        if old_name and old_name not in fixed:
            names.setdefault(old_name, f"t{len(names):x}")
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            node.name = ""
    for value in model.graph.initializer:
        value.name = names.get(value.name, value.name)


def _drop_repeated_names(names: dict[str, str], tensors: set[str], fixed: set[str]) -> None:
    """Remove new names that another tensor has: two tensors of one name would be one tensor."""
    taken = set(fixed)
    for old_name, new_name in list(names.items()):
        if old_name not in tensors or new_name in taken:
            del names[old_name]
        else:
            taken.add(new_name)


def _drop_unread_opsets(model: ModelProto) -> None:
    domains = {node.domain for node in model.graph.node} | {""}
    opsets = [opset for opset in model.opset_import if opset.domain in domains]
    del model.opset_import[:]
    model.opset_import.extend(opsets)


def _drop_zero_points(model: ModelProto) -> None:
    """Remove zero points that are zero, the value that ONNX assumes without one.

    This saves a vector for each int8 weight and each int32 bias. The weight of a Gemm keeps its
    zero point: without it ONNX Runtime leaves the Gemm in float.
    """
    from onnx import numpy_helper

    values = {value.name: value for value in model.graph.initializer}
    readers: dict[str, set[tuple[str, int]]] = {}
    for node in model.graph.node:
        for position, name in enumerate(node.input):
            readers.setdefault(name, set()).add((node.op_type, position))
    for node in model.graph.node:
        if node.op_type != "DequantizeLinear" or len(node.input) != 3:
            continue
        constant, _, zero_point = node.input
        if constant not in values or zero_point not in values:
            continue
        positions = readers.get(node.output[0], set())
        is_zero = not numpy_helper.to_array(values[zero_point]).any()
        if positions and positions <= ZERO_POINT_OPTIONAL and is_zero:
            del node.input[2]


def _names_in_bodies(model: ModelProto) -> set[str]:
    """Names of tensors inside the bodies of If, Loop and Scan, which are not changed."""
    names: set[str] = set()
    bodies = [a.g for node in model.graph.node for a in node.attribute if a.HasField("g")]
    while bodies:
        body = bodies.pop()
        for node in body.node:
            names |= {*node.input, *node.output}
            bodies += [a.g for a in node.attribute if a.HasField("g")]
        names |= {value.name for value in (*body.input, *body.output, *body.initializer)}
    return names


def _share_equal_constants(model: ModelProto) -> None:
    """Keep one copy of constants that are equal, as zero points and scales often are."""
    first_names: dict[tuple[Any, ...], str] = {}
    shared: dict[str, str] = {}
    for value in model.graph.initializer:
        content = value.raw_data or value.SerializePartialToString()
        key = (value.data_type, tuple(value.dims), content)
        shared[value.name] = first_names.setdefault(key, value.name)
    in_bodies = _names_in_bodies(model)
    for node in model.graph.node:
        node.input[:] = [shared.get(name, name) for name in node.input]
    for value in list(model.graph.initializer):
        if shared[value.name] != value.name and value.name not in in_bodies:
            model.graph.initializer.remove(value)


def _drop_unread_constants(model: ModelProto) -> None:
    read_names = {name for node in model.graph.node for name in node.input}
    read_names |= {output.name for output in model.graph.output}
    read_names |= _names_in_bodies(model)
    for value in list(model.graph.initializer):
        if value.name not in read_names:
            model.graph.initializer.remove(value)
