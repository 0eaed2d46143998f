"""Dynamic int8: int8 weights, and ranges of activations read anew from each batch, so that nothing
is calibrated.

It fits matrix products, LSTMs and embeddings, where reading a range costs little beside the
product. Convolutions stay in float: ONNX Runtime's ConvInteger was measured slower than the float
kernel it replaces.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import CandidateError
from workbench.runtimes.to_onnx import quiet
from workbench.techniques.quantization.network import constants

if TYPE_CHECKING:
    from onnx import ModelProto

    from workbench.techniques.quantization.network import Network

__all__ = ["OPERATORS", "dynamic"]

OPERATORS = ("MatMul", "Gemm", "LSTM", "Gather", "Attention", "EmbedLayerNormalization")


def dynamic(
    network: Network, *, per_channel: bool, keep: list[str]
) -> tuple[ModelProto, tuple[str, ...]]:
    """The graph with integer products, and notes on what stayed in float.

    Raises CandidateError when no layer has a dynamic form.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    chosen = [
        layer for layer in network.layers if layer.op_type in OPERATORS and layer.node not in keep
    ]
    if not chosen:
        kinds = (
            ", ".join(dict.fromkeys(layer.op_type for layer in network.layers))
            or "none with weights"
        )
        raise CandidateError(
            f"No layer has a dynamic int8 form: it is known for {', '.join(OPERATORS[:4])}, and "
            f"this network has {kinds}. Take the method static, or weight_only."
        )
    model = network.copy()
    _products(model)
    del model.graph.value_info[
        :
    ]  # the quantizer infers shapes itself, and trips over what exporters wrote
    before = logging.getLogger().level
    with tempfile.TemporaryDirectory() as scratch, quiet():
        out = Path(scratch) / "int8.onnx"
        try:
            logging.getLogger().setLevel(logging.ERROR)
            quantize_dynamic(
                model,
                out,
                per_channel=per_channel,
                weight_type=QuantType.QInt8,
                nodes_to_quantize=[layer.node for layer in chosen],
                op_types_to_quantize=list(OPERATORS),
            )
        finally:
            logging.getLogger().setLevel(before)
        return onnx.load(out), _notes(network)


def _products(model: ModelProto) -> None:
    """Gemm with constant weights as MatMul and Add: the first has an integer kernel that reads
    ranges as it goes.
    """
    from onnx import helper, numpy_helper

    values = constants(model)
    for index, node in reversed(list(enumerate(model.graph.node))):
        given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        plain = (
            given.get("alpha", 1.0) == 1 and given.get("beta", 1.0) == 1 and not given.get("transA")
        )
        if node.op_type != "Gemm" or not plain or node.input[1] not in values:
            continue
        weight = numpy_helper.to_array(values[node.input[1]])
        turned = numpy_helper.from_array(
            np.ascontiguousarray(weight.T) if given.get("transB") else weight,
            f"{node.name}.weight T",
        )
        model.graph.initializer.append(turned)
        biased = len(node.input) > 2 and node.input[2]
        product = f"{node.output[0]}_product" if biased else node.output[0]
        made = [helper.make_node("MatMul", [node.input[0], turned.name], [product], node.name)]
        if biased:
            made.append(
                helper.make_node(
                    "Add", [product, node.input[2]], [node.output[0]], f"{node.name} bias"
                )
            )
        del model.graph.node[index]
        for new in reversed(made):
            model.graph.node.insert(index, new)


def _notes(network: Network) -> tuple[str, ...]:
    left = [layer.op_type for layer in network.layers if layer.op_type not in OPERATORS]
    if not left:
        return ()
    kinds = ", ".join(f"{left.count(kind)} {kind}" for kind in dict.fromkeys(left))
    return (
        f"{kinds} stayed in float, as ONNX Runtime has no faster dynamic form of them; the method "
        "static has for Conv.",
    )
