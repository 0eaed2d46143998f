"""Keep int8 layers apart in OpenVINO, whose fused chain of layers without bias is wrong.

On a processor with AVX512-VNNI or AMX, OpenVINO runs two small int8 layers without a bias, one
behind the other, as one kernel. For few rows its outputs are then of any size, such as 1e9 in place
of 0.1 (measured in 2026.4):

    int8 -> MatMul -> Relu -> int8 -> MatMul                one kernel: wrong
    int8 -> MatMul -> Add(bias) -> Relu -> int8 -> MatMul   two layers: right

A bias of different values keeps the layers apart. One of the size 1e-30 changes no float beside it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["keep_layers_apart"]

SMALLEST = 1e-30
WEIGHTS = ("Constant", "Convert", "Subtract", "Multiply", "Reshape", "Transpose", "FakeQuantize")


def keep_layers_apart(model: Any) -> int:
    """Change an OpenVINO model in place, and return the number of layers that have got a bias.

    Only int8 layers with constant weights and without a bias do, in models with two or more.
    """
    layers = [node for node in model.get_ordered_ops() if _is_int8_layer(node)]
    if len(layers) < 2:
        return 0
    n_changed = sum(_with_bias(node) for node in layers if not _has_bias(node))
    if n_changed:
        model.validate_nodes_and_infer_types()
    return n_changed


def _is_int8_layer(node: Any) -> bool:
    """Whether a node multiplies by constant weights that are kept as int8."""
    if node.get_type_name() != "MatMul":
        return False
    weights = node.input_value(1).get_node()
    while weights.get_type_name() in WEIGHTS and weights.get_input_size():
        weights = weights.input_value(0).get_node()
    kind = weights.output(0).get_element_type().get_type_name()
    return weights.get_type_name() == "Constant" and kind in ("i8", "u8")


def _has_bias(node: Any) -> bool:
    """Whether constants, not all of them equal, are added to the output of a layer."""
    for reader in node.output(0).get_target_inputs():
        added = reader.get_node()
        if added.get_type_name() != "Add":
            continue
        other = added.input_value(1 - reader.get_index()).get_node()
        if other.get_type_name() == "Constant" and len(np.unique(other.get_data())) > 1:
            return True
    return False


def _with_bias(node: Any) -> bool:
    from openvino import Shape, op, opset13

    output = node.output(0)
    shape, kind = output.get_partial_shape(), output.get_element_type()
    if kind.get_type_name() != "f32" or shape.rank.is_dynamic or shape[-1].is_dynamic:
        return False
    readers = list(output.get_target_inputs())
    n = shape[-1].get_length()
    values = SMALLEST * np.arange(1, n + 1, dtype=np.float32)
    added = opset13.add(output, op.Constant(kind, Shape([n]), values.tolist()))
    for reader in readers:
        reader.replace_source_output(added.output(0))
    return True
