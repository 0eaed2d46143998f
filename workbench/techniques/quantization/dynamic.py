"""The method dynamic: int8 weights, and ranges of activations computed anew for each batch.

It needs no calibration. It suits matrix products, LSTMs and embeddings, where computing a range
costs little beside the product. Convolutions stay in float: ONNX Runtime's ConvInteger was measured
slower than the float kernel that it replaces.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import CandidateError
from workbench.runtimes.to_onnx import quiet
from workbench.techniques.quantization.naming import FLOAT, constants
from workbench.techniques.quantization.network import replace_node

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

    from workbench.techniques.quantization.network import Network

__all__ = ["OPERATORS", "dynamic"]

OPERATORS = ("MatMul", "Gemm", "LSTM", "Gather", "Attention", "EmbedLayerNormalization")


def dynamic(
    network: Network, *, per_channel: bool, reduce_range: bool, float_nodes: Sequence[str]
) -> tuple[ModelProto, tuple[str, ...]]:
    """The graph with integer products, and notes on the layers that stayed in float.

    Raises CandidateError when no layer has a dynamic form.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    layers = [
        layer
        for layer in network.layers
        if layer.op_type in OPERATORS and layer.node not in float_nodes
    ]
    if not layers:
        raise CandidateError(
            "No layer with a dynamic int8 form is left: each is named in `keep_float`, or a mask "
            "passes through it. Shorten `keep_float`, or use another method."
        )
    model = network.copy()
    _write_gemms_as_products(model)
    # the quantizer infers shapes itself, and fails on some that exporters write
    del model.graph.value_info[:]
    level = logging.getLogger().level
    with tempfile.TemporaryDirectory() as scratch, quiet():
        path = Path(scratch) / "int8.onnx"
        try:
            logging.getLogger().setLevel(logging.ERROR)
            quantize_dynamic(
                model,
                path,
                per_channel=per_channel,
                reduce_range=reduce_range,
                weight_type=QuantType.QInt8,
                nodes_to_quantize=[layer.node for layer in layers],
                op_types_to_quantize=list(OPERATORS),
                # of tensors that operators of ONNX Runtime write, which ONNX cannot infer
                extra_options={"DefaultTensorType": FLOAT},
            )
        finally:
            logging.getLogger().setLevel(level)
        return onnx.load(path), _notes(network)


def _write_gemms_as_products(model: ModelProto) -> None:
    """Rewrite each Gemm with constant weights as MatMul and Add.

    MatMul has an integer kernel that computes ranges at run time; Gemm has none.
    """
    from onnx import helper, numpy_helper

    values = constants(model)
    for index, node in reversed(list(enumerate(model.graph.node))):
        if node.op_type != "Gemm" or node.input[1] not in values:
            continue
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if not _is_plain(attributes):
            continue
        weight = numpy_helper.to_array(values[node.input[1]])
        if attributes.get("transB"):
            weight = np.ascontiguousarray(weight.T)
        name = f"{node.name}.weight T"
        model.graph.initializer.append(numpy_helper.from_array(weight, name))
        replace_node(model, index, _product(node, name))


def _is_plain(attributes: dict[str, Any]) -> bool:
    """Whether a Gemm is a product plus bias, without factors and without a transposed input."""
    factors = (attributes.get("alpha", 1.0), attributes.get("beta", 1.0))
    return factors == (1, 1) and not attributes.get("transA")


def _product(gemm: NodeProto, weight: str) -> list[NodeProto]:
    from onnx import helper

    output = gemm.output[0]
    if len(gemm.input) < 3 or not gemm.input[2]:
        return [helper.make_node("MatMul", [gemm.input[0], weight], [output], gemm.name)]
    product = f"{output}_product"
    return [
        helper.make_node("MatMul", [gemm.input[0], weight], [product], gemm.name),
        helper.make_node("Add", [product, gemm.input[2]], [output], f"{gemm.name} bias"),
    ]


def _notes(network: Network) -> tuple[str, ...]:
    op_types = [layer.op_type for layer in network.layers if layer.op_type not in OPERATORS]
    if not op_types:
        return ()
    counts = ", ".join(
        f"{op_types.count(op_type)} {op_type}" for op_type in dict.fromkeys(op_types)
    )
    return (
        f"{counts} stayed in float: ONNX Runtime has no faster dynamic form for them. The method "
        "static has an int8 form for Conv.",
    )
