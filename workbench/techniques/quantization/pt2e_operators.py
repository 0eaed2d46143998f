"""Operators of a recorded torch graph: their names, layers, inputs and int8 forms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import fx

__all__ = [
    "INT8_OPERATORS",
    "MOVING",
    "WITH_WEIGHTS",
    "activation_inputs",
    "as_list",
    "is_float",
    "last_of_fused",
    "layer_of",
    "operator",
]

INT8_OPERATORS = {
    "conv1d": "Conv",
    "conv2d": "Conv",
    "conv3d": "Conv",
    "linear": "Gemm",
    "add": "Add",
    "mul": "Mul",
    "cat": "Concat",
    "sigmoid": "Sigmoid",
    "leaky_relu": "LeakyRelu",
    "adaptive_avg_pool2d": "GlobalAveragePool",
    "avg_pool2d": "AveragePool",
    "max_pool2d": "MaxPool",
    "flatten": "Flatten",
    "view": "Reshape",
    "reshape": "Reshape",
    "permute": "Transpose",
    "transpose": "Transpose",
    "squeeze": "Squeeze",
    "unsqueeze": "Unsqueeze",
    "upsample_nearest2d": "Resize",
    "hardswish": "Activation",
    "silu": "Activation",
    "gelu": "Activation",
    "hardsigmoid": "Activation",
    "tanh": "Activation",
    "elu": "Activation",
    "mish": "Activation",
}
"""Operators between quantized tensors: torch's name, and ONNX's type of operator. An Activation
computes in float, and its output is quantized so that the next operator can be int8.
"""

WITH_WEIGHTS = {"Conv", "Gemm"}
MOVING = {"MaxPool", "Flatten", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Resize"}
"""Operators that do not change values, only their places; the scale stays the same."""

CLAMPS = {
    "relu": 0.0,
    "relu6": 0.0,
    "hardtanh": -1.0,
    "clamp": None,
    "clamp_min": None,
}
"""Operators that limit values, and their default lower limit."""


def operator(node: fx.Node) -> str:
    """torch's name of the operator that a node calls; empty for a node that calls none.

    An in-place operator has the name of the other form: `relu_` is `relu`.
    """
    if node.op != "call_function" or "." not in str(node.target):
        return ""
    return str(node.target).split(".")[1].rstrip("_")


def layer_of(node: fx.Node) -> str:
    """The path of the module whose `forward` calls this node; empty for the network's own."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    return stack[-1][0].removeprefix("net").lstrip(".") if stack else ""


def activation_inputs(node: fx.Node) -> list[fx.Node]:
    """The activations that a node reads."""
    if operator(node) == "cat":
        arguments = as_list(node.args[0])
    elif operator(node) in ("add", "mul"):
        arguments = list(node.args[:2])
    else:
        arguments = list(node.args[:1])
    return [argument for argument in arguments if hasattr(argument, "users")]


def last_of_fused(node: fx.Node, op_type: str) -> fx.Node:
    """The clamp after a node, if ONNX Runtime fuses both into one operator, else the node."""
    users = list(node.users)
    if op_type not in MOVING and len(users) == 1 and _clamps_at_zero(users[0]):
        return users[0]
    return node


def _clamps_at_zero(node: fx.Node) -> bool:
    """Whether the lower limit is 0, so that the range of uint8 that starts at 0 replaces it."""
    if operator(node) not in CLAMPS:
        return False
    default = node.kwargs.get("min", CLAMPS[operator(node)])
    low = node.args[1] if len(node.args) > 1 else default
    return low == 0


def is_float(node: fx.Node) -> bool:
    """Whether a node outputs a tensor of floats."""
    value = node.meta.get("val")
    return value is not None and hasattr(value, "is_floating_point") and value.is_floating_point()


def as_list(value: Any) -> list[Any]:
    """The items of a list or tuple; any other value becomes the only item."""
    return list(value) if isinstance(value, (list, tuple)) else [value]
