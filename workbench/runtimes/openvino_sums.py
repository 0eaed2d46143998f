"""Keep sums and means in floating point in OpenVINO, whose int8 kernel gives wrong outputs.

OpenVINO moves the scale of an int8 tensor behind a ReduceSum or ReduceMean, so that the integers
are summed. For tensors `(batch, words, features)` summed over the words, its kernel for the CPU
then gives wrong sums for all rows of a batch after the first (measured in 2026.4). Mean pooling of
a text has this form:

    int8 -> scale -> ReduceSum over axis 1            the integers are summed: wrong
    int8 -> scale -> Maximum(x, lowest) -> ReduceSum  floats are summed: right

Maximum with the lowest float changes no value, and no scale moves behind it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["keep_sums_in_float"]

SUMS = ("ReduceSum", "ReduceMean")
IMAGE_AXES = {2, 3}  # of `(batch, channels, height, width)`: OpenVINO sums these correctly
LOWEST = {"f32": float(np.finfo(np.float32).min), "f16": float(np.finfo(np.float16).min)}


def keep_sums_in_float(model: Any) -> int:
    """Change an OpenVINO model in place, and return the number of sums that stay in float.

    Models without int8 tensors, and means over the height and width of images, are left alone.
    """
    nodes = model.get_ordered_ops()
    if not any(_is_int8(node) for node in nodes):
        return 0
    sums = [node for node in nodes if node.get_type_name() in SUMS and not _is_image_mean(node)]
    n_kept = sum(_keep_in_float(node) for node in sums)
    if n_kept:
        model.validate_nodes_and_infer_types()
    return n_kept


def _is_int8(node: Any) -> bool:
    """Whether a node rounds to integers, or reads int8 values as numbers."""
    kind = node.get_type_name()
    if kind == "Convert":
        return node.input(0).get_element_type().get_type_name() in ("i8", "u8")
    return kind == "FakeQuantize"


def _is_image_mean(node: Any) -> bool:
    rank = node.input(0).get_partial_shape().rank
    axes = node.input_value(1).get_node()
    if rank.is_dynamic or rank.get_length() != 4 or axes.get_type_name() != "Constant":
        return False
    return {int(axis) % 4 for axis in axes.get_data().reshape(-1)} == IMAGE_AXES


def _keep_in_float(node: Any) -> bool:
    from openvino import Shape, op, opset13

    source = node.input_value(0)
    element_type = source.get_element_type()
    lowest = LOWEST.get(element_type.get_type_name())
    if lowest is None:
        return False
    constant = op.Constant(element_type, Shape([]), [lowest])
    floats = opset13.maximum(source, constant)
    node.input(0).replace_source_output(floats.output(0))
    return True
