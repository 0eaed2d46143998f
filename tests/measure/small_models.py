"""Small ONNX models with known numbers of multiply-adds, made without torch."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def conv_net(n_channels: int = 16, n_layers: int = 2) -> bytes:
    """`(batch, 1, 28, 28)` to `(batch, 10)`: 3x3 convolutions that keep the size, mean over pixels,
    a linear layer.
    """
    rng = np.random.default_rng(0)
    nodes, weights, name, n_in = [], [], "x", 1
    for layer in range(n_layers):
        weights.append(_weight(f"w{layer}", rng.normal(size=(n_channels, n_in, 3, 3)) / 10))
        nodes.append(
            helper.make_node("Conv", [name, f"w{layer}"], [f"c{layer}"], pads=[1, 1, 1, 1])
        )
        nodes.append(helper.make_node("Relu", [f"c{layer}"], [f"r{layer}"]))
        name, n_in = f"r{layer}", n_channels
    weights += [_weight("head", rng.normal(size=(n_in, 10))), _weight("bias", np.zeros(10))]
    nodes.append(helper.make_node("GlobalAveragePool", [name], ["pooled"]))
    nodes.append(helper.make_node("Flatten", ["pooled"], ["flat"]))
    nodes.append(helper.make_node("Gemm", ["flat", "head", "bias"], ["y"]))
    return model_of(nodes, weights, ["batch", 1, 28, 28], ["batch", 10])


def model_of(nodes: list, weights: list, x: list, y: list, dtype: int = TensorProto.FLOAT) -> bytes:
    """A file with the input `x` and the output `y`."""
    ends = (
        helper.make_tensor_value_info("x", dtype, x),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, y),
    )
    graph = helper.make_graph(nodes, "small", [ends[0]], [ends[1]], weights)
    opset = [helper.make_opsetid("", 18)]
    return onnx.helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()


def _weight(name: str, values: np.ndarray) -> onnx.TensorProto:
    return numpy_helper.from_array(values.astype(np.float32), name)
