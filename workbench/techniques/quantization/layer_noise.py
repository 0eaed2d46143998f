"""Noise of each layer in int8, for all layers in one run of one graph.

Beside every layer, the float graph gets an int8 copy that reads the same float tensors:

    x --> layer ----------------------------> y      signal: sum of y^2
    x --> quantize, dequantize, layer int8 -> y'     noise:  sum of (y - y')^2
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from workbench.runtimes.onnx_runtime import onnx_predictor
from workbench.techniques.quantization.naming import constants
from workbench.techniques.quantization.network import failure

if TYPE_CHECKING:
    import pandas as pd
    from onnx import ModelProto, NodeProto

    from workbench.techniques.quantization.naming import Layer
    from workbench.techniques.quantization.sensitivity import Probe

__all__ = ["MAX_DB", "layer_noise", "sqnr_db"]

MAX_DB = 150.0  # about the SQNR of float32 itself
N_ROWS = 256  # rows of calibration
COLUMNS = ["layer", "op_type", "parameters", "sqnr_db"]


def sqnr_db(signal: np.ndarray, noisy: np.ndarray) -> float:
    """Signal-to-quantization-noise ratio in dB of two arrays of one shape; 150 if equal."""
    signal = np.asarray(signal, np.float64)
    noise = signal - np.asarray(noisy, np.float64)
    return _ratio_db(float(np.sum(signal**2)), float(np.sum(noise**2)))


def _ratio_db(signal: float, noise: float) -> float:
    if noise <= 0:
        return MAX_DB
    return float(min(10 * np.log10(max(signal, 1e-30) / noise), MAX_DB))


def layer_noise(probe: Probe, rows: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """SQNR of the output of each layer when only its own weights and inputs are int8.

    Columns layer, op_type, parameters, sqnr_db, the layer with the most noise first. Raises
    CandidateError when ONNX Runtime cannot run a layer in int8.
    """
    import pandas as pd

    network = probe.source.network
    model, sums = _with_int8_copies(probe)
    values = constants(network.model)
    powers = _run(probe, model, [name for pair in sums.values() for name in pair], rows)
    table = []
    for layer in network.layers:
        if layer.node in sums:
            signal, noise = sums[layer.node]
            n_parameters = sum(int(np.prod(values[weight].dims)) for weight in layer.weights)
            sqnr = _ratio_db(powers[signal], powers[noise])
            table.append((layer.name, layer.op_type, n_parameters, sqnr))
    noise_table = pd.DataFrame(table, columns=COLUMNS)
    return noise_table.sort_values("sqnr_db", kind="stable").reset_index(drop=True)


def _run(
    probe: Probe, model: ModelProto, outputs: list[str], rows: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """Values of scalar outputs of a graph on the first rows."""
    import onnxruntime as ort

    if not outputs:
        return {}
    options = ort.SessionOptions()
    options.log_severity_level = 4
    candidate = probe.source.candidate
    first_rows = {name: array[:N_ROWS] for name, array in rows.items()}
    try:
        session = ort.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        values = session.run(outputs, onnx_predictor(candidate).feed(first_rows))
    except Exception as error:
        raise failure(error, candidate.name, "static", model) from error
    return {name: float(value) for name, value in zip(outputs, values, strict=True)}


def _with_int8_copies(probe: Probe) -> tuple[ModelProto, dict[str, tuple[str, str]]]:
    """The float graph with int8 copies of its layers.

    Also returns, for each layer that has an int8 form, by its node, the names of two outputs: the
    sums of squares of signal and of noise.
    """
    int8, model = probe.graph(), probe.source.network.copy()
    own_constants = {value.name for value in model.graph.initializer}
    model.graph.initializer.extend(
        value for value in int8.graph.initializer if value.name not in own_constants
    )
    producers = {output: node for node in int8.graph.node for output in node.output}
    int8_tensors = {name for name, node in producers.items() if _is_conversion(node)}
    int8_nodes = {node.name: node for node in int8.graph.node}
    added: set[str] = set()
    sums: dict[str, tuple[str, str]] = {}
    for layer in probe.source.network.layers:
        int8_node = int8_nodes.get(layer.node)
        if int8_node is None:
            continue
        conversions = list(_conversions_before(int8_node, producers))
        if not conversions:
            continue
        for node in conversions:
            if node.output[0] not in added:
                added.add(node.output[0])
                model.graph.node.append(_renamed(node, int8_tensors))
        sums[layer.node] = _add_copy(model, layer, _renamed(int8_node, int8_tensors))
    return model, sums


def _is_conversion(node: NodeProto) -> bool:
    return node.op_type in ("QuantizeLinear", "DequantizeLinear")


def _conversions_before(node: NodeProto, producers: Mapping[str, NodeProto]) -> Iterator[NodeProto]:
    """The dequantize nodes of a node's inputs, each after the quantize node that it reads."""
    for name in node.input:
        dequantize = producers.get(name)
        if dequantize is None or dequantize.op_type != "DequantizeLinear":
            continue
        quantize = producers.get(dequantize.input[0])
        if quantize is not None and quantize.op_type == "QuantizeLinear":
            yield quantize
        yield dequantize


def _add_copy(model: ModelProto, layer: Layer, int8_node: NodeProto) -> tuple[str, str]:
    """Add the int8 copy of a layer and both sums; returns the names of the sums."""
    from onnx import TensorProto, helper

    output = f"{layer.output}_int8"
    error = f"{output}_error"
    signal, noise = f"{layer.output}_signal", f"{layer.output}_noise"
    int8_node.output[:] = [output, *[""] * (len(int8_node.output) - 1)]
    int8_node.name = f"{layer.name} int8"
    model.graph.node.extend(
        [
            int8_node,
            helper.make_node("Sub", [layer.output, output], [error]),
            helper.make_node("ReduceSumSquare", [layer.output], [signal], keepdims=0),
            helper.make_node("ReduceSumSquare", [error], [noise], keepdims=0),
        ]
    )
    for name in (signal, noise):
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, []))
    return signal, noise


def _renamed(node: NodeProto, int8_tensors: set[str]) -> NodeProto:
    """A copy of a node of the int8 graph whose `int8_tensors` get names of their own.

    Without that they would collide: a dequantized bias has the name of the float bias.
    """
    suffix = "_QuantizeLinear_Input"  # added by the quantizer to outputs of the graph
    renamed = copy.deepcopy(node)
    renamed.input[:] = [
        f"{name} int8" if name in int8_tensors else name.removesuffix(suffix) for name in node.input
    ]
    renamed.output[:] = [f"{name} int8" if name in int8_tensors else name for name in node.output]
    renamed.name = ""
    return renamed
