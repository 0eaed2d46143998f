"""Static int8: weights and activations in int8, ranges of activations read beforehand, in QDQ form.

Weights become int8 (symmetric). Activations become uint8 or int8, whichever runs faster here: ONNX
Runtime fuses residual networks fully only with uint8 (a ReLU then needs no operator of its own: it
is where the range begins). What leaves the graph stays in float: eight bits of a logit make ties
that the float model does not have.

Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", 2018.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from workbench.errors import CandidateError
from workbench.runtimes.to_onnx import quiet
from workbench.techniques.quantization.tidy import hold_floats

if TYPE_CHECKING:
    from onnx import ModelProto

    from workbench.techniques.quantization.network import Network

__all__ = ["OPERATORS", "qdq"]

OPERATORS = (
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
"""What is quantized: operators with int8 kernels, and those that only move values. Softmax and
norms need their precision.
"""


def qdq(
    network: Network,
    ranges: Any,
    kind: str,
    *,
    per_channel: bool,
    symmetric: bool,
    keep: list[str],
    only: list[str] | None = None,
) -> ModelProto:
    """The graph with quantize and dequantize nodes around every operator that has an int8 form.

    `keep` names nodes that stay in float; `only`, if given, those that do not. Raises
    CandidateError when nothing is left.
    """
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    quantizer = QDQQuantizer(
        network.copy(),
        per_channel,
        False,
        QuantType.QInt8,
        QuantType.QUInt8 if kind == "uint8" else QuantType.QInt8,
        ranges,
        only or [],
        keep,
        list(OPERATORS),
        {
            "ActivationSymmetric": symmetric,
            "WeightSymmetric": True,
            "ForceQuantizeNoInputCheck": False,
        },
    )
    before = logging.getLogger().level
    try:
        logging.getLogger().setLevel(logging.ERROR)  # its hints go to the root logger
        with quiet():
            quantizer.quantize_model()
    finally:
        logging.getLogger().setLevel(before)
    model = quantizer.model.model
    if not any(n.op_type == "QuantizeLinear" for n in model.graph.node):
        kinds = ", ".join(sorted({n.op_type for n in network.model.graph.node}))
        raise CandidateError(f"Nothing in this graph has an int8 form: its operators are {kinds}.")
    _float_outputs(model)
    hold_floats(model)
    return model


def _float_outputs(model: ModelProto) -> None:
    """Take the last quantize and dequantize away, where the operator before them can give floats."""
    made_by = {o: n for n in model.graph.node for o in n.output}
    read = [i for n in model.graph.node for i in n.input]
    for output in model.graph.output:
        last = made_by.get(output.name)
        if last is None or last.op_type != "DequantizeLinear" or read.count(output.name):
            continue
        quantize = made_by.get(last.input[0])
        if (
            quantize is None
            or quantize.op_type != "QuantizeLinear"
            or read.count(last.input[0]) > 1
        ):
            continue
        maker = made_by.get(quantize.input[0])
        if (
            maker is None
            or maker.op_type not in ("Gemm", "MatMul", "Conv")
            or read.count(quantize.input[0]) > 1
        ):
            continue
        maker.output[0] = output.name
        model.graph.node.remove(quantize)
        model.graph.node.remove(last)
