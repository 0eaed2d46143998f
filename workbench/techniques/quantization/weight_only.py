"""The methods weight_only, float16 and bfloat16: small weights in the file, float32 arithmetic.

Ordinary operators turn the stored constants back into the weights. ONNX Runtime and OpenVINO both
compute operators on constants once, when they load the file, so speed and memory at run time are
those of the float model:

    int8               int8 -> Cast -> Mul by a scale per output channel              -> weight
    int4               int4 -> Cast -> Mul by a scale per block of inputs -> Reshape  -> weight
    float16, bfloat16  half -> Cast                                                   -> weight

DequantizeLinear is made for this, but ONNX Runtime keeps it in the graph and runs it at every call
(1.6 times slower on a small convolution). MatMulNBits keeps int4 in memory too, but it serves
products only, exists in ONNX Runtime only, was no faster for one row, and was much slower than the
float kernel for 16 rows.

`int4` rounds to four bits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import CandidateError
from workbench.techniques.quantization.int4 import OPSET_INT4, at_opset, int4_weight
from workbench.techniques.quantization.naming import constants

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

    from workbench.techniques.quantization.naming import Layer
    from workbench.techniques.quantization.network import Network

__all__ = ["half", "has_constants", "has_weights", "weights_only"]

MIN_VALUES = 64  # of a weight; smaller ones cost more in scales and nodes than they save
MIN_VALUES_HALF = 32  # of a constant
LARGEST = {"float16": 65_504.0, "bfloat16": 3.3895e38}


@dataclass(frozen=True)
class _Stored:
    """The small form of a weight: constants, and the nodes that compute the weight from them."""

    constants: list[TensorProto]
    nodes: list[NodeProto]


def weights_only(
    network: Network, *, bits: int, per_channel: bool, float_nodes: Sequence[str]
) -> tuple[ModelProto, tuple[str, ...]]:
    """The graph with weights of 8 or 4 bits, and notes.

    Raises CandidateError when no weight is left to store, and when the graph cannot be converted to
    the opset that 4 bits need.
    """
    model = network.copy()
    if bits == 4:
        model = at_opset(model, OPSET_INT4)
    stored = {}
    for layer, name, array in _weights(network, float_nodes):
        axes = _channel_axes(layer, array.ndim)
        if bits == 4:
            stored[name] = _Stored(*int4_weight(name, array, axes))
        else:
            stored[name] = _int8_weight(name, array, axes if per_channel else ())
    if not stored:
        raise CandidateError(
            f"No weight of {MIN_VALUES} values or more is left to store in {bits} bits. Remove "
            "names from `keep_float`, or leave this step out."
        )
    _replace(model, stored)
    note = (
        "Arithmetic stays in float32: the file is smaller, speed and memory at run time are those "
        "of the float model."
    )
    return model, (note,)


def half(
    network: Network, *, data_type: str, float_nodes: Sequence[str]
) -> tuple[ModelProto, tuple[str, ...]]:
    """The graph with float constants stored as float16 or bfloat16, and notes.

    Raises CandidateError when no constant is left to store.
    """
    from onnx import numpy_helper

    model = network.copy()
    excluded = _weights_of(network, float_nodes)
    stored = {}
    too_large: list[str] = []
    for value in network.model.graph.initializer:
        if not _is_large(value) or value.name in excluded:
            continue
        array = numpy_helper.to_array(value)
        if np.abs(array[np.isfinite(array)]).max(initial=0) > LARGEST[data_type]:
            too_large.append(value.name)
            continue
        stored[value.name] = _half_constant(value.name, array, data_type)
    if not stored:
        raise CandidateError(
            f"No constant of {MIN_VALUES_HALF} values or more is left to store as {data_type}. "
            "Remove names from `keep_float`, or leave this step out."
        )
    _replace(model, stored)
    notes = [
        f"Weights are stored as {data_type}. On a CPU, ONNX Runtime computes in float32; OpenVINO "
        "may compute in bfloat16."
    ]
    if too_large:
        names = ", ".join(f"`{name}`" for name in too_large)
        notes.append(
            f"{names} stayed in float32: they hold values above {LARGEST[data_type]:g}, the "
            f"largest of {data_type}."
        )
    return model, tuple(notes)


def has_weights(network: Network) -> bool:
    """Whether some weight is large enough to store in fewer bits."""
    return bool(_weights(network, ()))


def has_constants(network: Network) -> bool:
    """Whether some float constant is large enough to store in 16 bits."""
    return any(_is_large(value) for value in network.model.graph.initializer)


def _is_large(value: TensorProto) -> bool:
    from onnx import TensorProto

    return value.data_type == TensorProto.FLOAT and math.prod(value.dims) >= MIN_VALUES_HALF


def _weights_of(network: Network, nodes: Sequence[str]) -> set[str]:
    """Names of the weights that these nodes read."""
    return {weight for layer in network.layers if layer.node in nodes for weight in layer.weights}


def _weights(network: Network, float_nodes: Sequence[str]) -> list[tuple[Layer, str, np.ndarray]]:
    """Each weight to store, with the first layer that reads it.

    A weight that any of `float_nodes` reads is left out.
    """
    from onnx import numpy_helper

    values = constants(network.model)
    excluded = _weights_of(network, float_nodes)
    first_layers: dict[str, Layer] = {}
    for layer in network.layers:
        for name in layer.weights:
            first_layers.setdefault(name, layer)
    weights = []
    for name, layer in first_layers.items():
        array = numpy_helper.to_array(values[name])
        if name not in excluded and array.size >= MIN_VALUES:
            weights.append((layer, name, array))
    return weights


def _channel_axes(layer: Layer, ndim: int) -> tuple[int, ...]:
    """The axes of a weight along which scales differ.

    They are output channels, rows of an embedding, or direction and gates of a recurrent layer.
    """
    if layer.op_type == "ConvTranspose":
        return (1,)
    if layer.op_type == "MatMul":
        return (ndim - 1,)
    if layer.op_type == "Gemm":
        return (0,) if "transB" in layer.flags else (1,)
    return (0, 1) if layer.op_type in ("LSTM", "GRU", "RNN") else (0,)


def _int8_weight(name: str, array: np.ndarray, channel_axes: tuple[int, ...]) -> _Stored:
    from onnx import helper, numpy_helper

    other_axes = tuple(axis for axis in range(array.ndim) if axis not in channel_axes)
    scale = np.abs(array).max(axis=other_axes, keepdims=True) / 127
    scale = np.where(scale > 0, scale, 1).astype(np.float32)
    integers = np.clip(np.round(array / scale), -127, 127).astype(np.int8)
    stored = [
        numpy_helper.from_array(integers, f"{name}_int8"),
        numpy_helper.from_array(scale, f"{name}_scale"),
    ]
    nodes = [
        _cast(f"{name}_int8", f"{name}_float"),
        helper.make_node("Mul", [f"{name}_float", f"{name}_scale"], [name]),
    ]
    return _Stored(stored, nodes)


def _half_constant(name: str, array: np.ndarray, data_type: str) -> _Stored:
    from onnx import TensorProto, helper

    if data_type == "float16":
        raw, onnx_type = array.astype(np.float16).tobytes(), TensorProto.FLOAT16
    else:
        raw, onnx_type = _bfloat16(array).tobytes(), TensorProto.BFLOAT16
    constant = helper.make_tensor(f"{name}_half", onnx_type, array.shape, raw, raw=True)
    return _Stored([constant], [_cast(f"{name}_half", name)])


def _cast(source: str, target: str) -> NodeProto:
    from onnx import TensorProto, helper

    return helper.make_node("Cast", [source], [target], to=TensorProto.FLOAT)


def _bfloat16(array: np.ndarray) -> np.ndarray:
    """The upper 16 bits of float32 `(...)` as uint16, rounded to nearest even."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32).astype(np.uint64)
    last_kept_bit = (bits >> 16) & 1
    return ((bits + 0x7FFF + last_kept_bit) >> 16).astype(np.uint16)


def _replace(model: ModelProto, stored: dict[str, _Stored]) -> None:
    """Replace constants by their small form; its nodes go before all others."""
    for value in list(model.graph.initializer):
        if value.name in stored:
            model.graph.initializer.remove(value)
    nodes = list(model.graph.node)
    del model.graph.node[:]
    for form in stored.values():
        model.graph.initializer.extend(form.constants)
        model.graph.node.extend(form.nodes)
    model.graph.node.extend(nodes)
