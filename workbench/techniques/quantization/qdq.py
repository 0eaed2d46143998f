"""Write a graph in QDQ form: quantize and dequantize nodes around every operator with an int8 form.

Weights become int8, symmetric. Activations become uint8 or int8. With uint8, ONNX Runtime fuses
residual networks fully: the range of an activation starts at zero, so a ReLU needs no operator of
its own. Outputs of the graph stay in float, because eight bits of a logit make ties that the float
model does not have.

Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", 2018.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workbench.errors import CandidateError
from workbench.runtimes.to_onnx import quiet
from workbench.techniques.quantization.tidy import float_sums, hold_floats

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

    from workbench.techniques.quantization.network import Network

__all__ = ["OPERATORS", "check_operators", "qdq"]

COMPUTING = (
    "Conv",
    "ConvTranspose",
    "Gemm",
    "MatMul",
    "Add",
    "Mul",
    "Relu",
    "Clip",
    "LeakyRelu",
    "Sigmoid",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
)
"""Operators with int8 kernels. Softmax and normalization layers need the precision of float."""

MOVING = (
    "Concat",
    "Split",
    "Pad",
    "Resize",
    "Slice",
    "Gather",
    "Reshape",
    "Transpose",
    "Squeeze",
    "Unsqueeze",
    "Flatten",
)
"""Operators that only move values: alone, they are no reason to quantize."""

OPERATORS = (*COMPUTING, *MOVING)
"""Operators to quantize."""


def check_operators(network: Network, float_nodes: Sequence[str]) -> None:
    """Raise CandidateError when no operator that computes is left to quantize."""
    nodes = network.model.graph.node
    with_int8 = [node for node in nodes if node.op_type in COMPUTING]
    if not with_int8:
        raise _nothing_to_quantize(network)
    if all(node.name in float_nodes for node in with_int8):
        raise CandidateError(
            "Every operator with an int8 form stays in float: each is named in `keep_float`, or "
            "its values are infinite or of two sizes, as those of a mask or of columns that were "
            "not standardized. Shorten `keep_float`, standardize the inputs, or use the method "
            "weight_only."
        )


def _nothing_to_quantize(network: Network) -> CandidateError:
    op_types = ", ".join(sorted({node.op_type for node in network.model.graph.node}))
    return CandidateError(
        f"No operator of this graph has an int8 form; its operators are {op_types}."
    )


def qdq(
    network: Network,
    ranges: Any,
    activation_type: str,
    *,
    per_channel: bool,
    symmetric: bool,
    reduce_range: bool,
    float_nodes: Sequence[str],
    only: Sequence[str] = (),
) -> ModelProto:
    """The graph with quantize and dequantize nodes around every operator that has an int8 form.

    `reduce_range` uses 7 bits of a weight. `float_nodes` names nodes that stay in float; `only`, if
    not empty, names the nodes to quantize. Raises CandidateError when no node can be quantized.
    """
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    quantizer = QDQQuantizer(
        network.copy(),
        per_channel=per_channel,
        reduce_range=reduce_range,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8 if activation_type == "uint8" else QuantType.QInt8,
        tensors_range=ranges,
        nodes_to_quantize=list(only),
        nodes_to_exclude=list(float_nodes),
        op_types_to_quantize=list(OPERATORS),
        extra_options={
            "ActivationSymmetric": symmetric,
            "WeightSymmetric": True,
            "ForceQuantizeNoInputCheck": False,
        },
    )
    level = logging.getLogger().level
    try:
        logging.getLogger().setLevel(logging.ERROR)  # the quantizer logs hints at the root logger
        with quiet():
            quantizer.quantize_model()
    finally:
        logging.getLogger().setLevel(level)
    model = quantizer.model.model
    if not any(node.op_type == "QuantizeLinear" for node in model.graph.node):
        raise _nothing_to_quantize(network)
    _float_outputs(model)
    hold_floats(model)
    float_sums(model)
    return model


def _float_outputs(model: ModelProto) -> None:
    """Remove the last quantize and dequantize nodes after a product, which can output floats."""
    producers = {output: node for node in model.graph.node for output in node.output}
    reads = [name for node in model.graph.node for name in node.input]

    def producer(name: str, op_types: tuple[str, ...], n_readers: int) -> NodeProto | None:
        """The node that writes a tensor, if it has the type and the tensor has these readers."""
        node = producers.get(name)
        fits = node is not None and node.op_type in op_types and reads.count(name) <= n_readers
        return node if fits else None

    for output in model.graph.output:
        dequantize = producer(output.name, ("DequantizeLinear",), 0)
        if dequantize is None:
            continue
        quantize = producer(dequantize.input[0], ("QuantizeLinear",), 1)
        if quantize is None:
            continue
        product = producer(quantize.input[0], ("Gemm", "MatMul", "Conv"), 1)
        if product is None:
            continue
        product.output[0] = output.name
        model.graph.node.remove(quantize)
        model.graph.node.remove(dequantize)
