"""Weight-only: what is stored becomes small (int8, int4, half floats), what is computed stays
float.

The small weights are turned back by ordinary operators on constants, which both ONNX Runtime and
OpenVINO compute once, when the file is loaded, so that speed and memory at run time are those of
the float model:

    int8     q (int8)  -> Cast -> Mul by a scale for each output channel                          -> weight
    int4     q (int4)  -> Cast -> Mul by a scale for each block of 32 inputs -> Reshape           -> weight
    float16, bfloat16  -> Cast                                                                    -> weight

Why not DequantizeLinear, made for this: ONNX Runtime keeps it in the graph and runs it at every
call (1.6 times slower on a small convolution). Why not MatMulNBits, which keeps int4 in memory too:
it serves products only, was no faster for one row, and much slower than the float kernel for 16;
and only ONNX Runtime has it.

Blocks of one scale: Dettmers et al., "8-bit Optimizers via Block-wise Quantization", 2022; rounding
to nearest, with the scale of each block searched for the least squared error, as in Frantar et al.,
"GPTQ", 2023, table of RTN baselines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import CandidateError

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

    from workbench.techniques.quantization.network import Layer, Network

__all__ = ["BLOCK", "half", "rounded", "weights_only"]

BLOCK = 32
LEAST = 64  # values; smaller arrays cost more in scales and nodes than they save
OPSET_INT4 = 21
HALF_MAX = 65_504.0
SEARCHED = np.linspace(0.7, 1.0, 7)  # of the largest value of a block


@dataclass(frozen=True)
class _Stored:
    """What takes a weight's place in the file: constants, and the nodes that make the weight of
    them.
    """

    constants: list[TensorProto]
    nodes: list[NodeProto]


def weights_only(
    network: Network, *, bits: int, per_channel: bool, keep: list[str]
) -> tuple[ModelProto, tuple[str, ...]]:
    """The graph with weights of 8 or 4 bits, and notes. Raises CandidateError when there is no
    weight to store so.
    """
    model = _at_opset(network.copy(), OPSET_INT4) if bits == 4 else network.copy()
    stored: dict[str, _Stored] = {}
    for layer, name, value in _weights(network, keep):
        rows, order = _as_rows(layer, value)
        stored[name] = (
            _four(name, value, rows, order)
            if bits == 4
            else _eight(name, value, layer, per_channel)
        )
    if not stored:
        raise CandidateError(
            f"No weight of {LEAST} values or more is left to store in {bits} bits: take names out "
            "of `keep_float`, or another step."
        )
    _replace(model, stored)
    return model, (
        "Computing stays in float32: the file is smaller, speed and memory at run time are those "
        "of the float model.",
    )


def half(network: Network, *, kind: str, keep: list[str]) -> tuple[ModelProto, tuple[str, ...]]:
    """The graph with all float constants stored as float16 or bfloat16, and notes."""
    from onnx import TensorProto, helper, numpy_helper

    model = network.copy()
    kept = {w for layer in network.layers if layer.node in keep for w in layer.weights}
    stored: dict[str, _Stored] = {}
    too_large: list[str] = []
    for value in network.model.graph.initializer:
        array = numpy_helper.to_array(value)
        if value.data_type != TensorProto.FLOAT or array.size < BLOCK or value.name in kept:
            continue
        if kind == "float16" and np.abs(array).max() > HALF_MAX:
            too_large.append(value.name)
            continue
        name = f"{value.name}_half"
        raw, data_type = (
            (array.astype(np.float16).tobytes(), TensorProto.FLOAT16)
            if kind == "float16"
            else (_bfloat16(array).tobytes(), TensorProto.BFLOAT16)
        )
        constant = helper.make_tensor(name, data_type, array.shape, raw, raw=True)
        stored[value.name] = _Stored([constant], [_cast(name, value.name)])
    if not stored:
        raise CandidateError(f"No constant of {BLOCK} values or more is left to store as {kind}.")
    _replace(model, stored)
    notes = [
        f"Weights are stored as {kind}; on a processor ONNX Runtime computes in float32, OpenVINO "
        "may compute in bfloat16."
    ]
    if too_large:
        notes.append(
            f"{', '.join(f'`{n}`' for n in too_large)} hold values beyond float16's {HALF_MAX:g} "
            "and stayed float32."
        )
    return model, tuple(notes)


def rounded(rows: np.ndarray, block: int = BLOCK) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """4-bit integers `(rows, blocks, block)`, scales `(rows, blocks, 1)` as float16 shares of a
    common one `(1,)`, for `(rows, n)`.

    Blocks are evened out (144 values make 5 of 29, not 4 of 32 and one of 16), the last one padded
    with zeros.
    """
    n = rows.shape[1]
    n_blocks = -(-n // block)
    size = -(-n // n_blocks)
    padded = np.pad(rows.astype(np.float32), ((0, 0), (0, n_blocks * size - n))).reshape(
        len(rows), n_blocks, size
    )
    largest = np.abs(padded).max(axis=2, keepdims=True) / 7
    common = np.array([largest.max() or 1.0], np.float32)
    best = np.full(largest.shape, np.inf, np.float32)
    scales = np.zeros(largest.shape, np.float16)
    for share in SEARCHED:
        tried = (largest * share / common).astype(np.float16)
        step = np.maximum(tried.astype(np.float32) * common, 1e-30)
        error = ((np.clip(np.round(padded / step), -8, 7) * step - padded) ** 2).sum(
            axis=2, keepdims=True
        )
        better = error < best
        best, scales = np.where(better, error, best), np.where(better, tried, scales)
    steps = np.maximum(scales.astype(np.float32) * common, 1e-30)
    return np.clip(np.round(padded / steps), -8, 7).astype(np.int8), scales, common


def _weights(network: Network, keep: list[str]) -> list[tuple[Layer, str, np.ndarray]]:
    """Each weight once, with the first layer that reads it; those that any layer in `keep` reads
    are left out.
    """
    from onnx import numpy_helper

    from workbench.techniques.quantization.network import constants

    values = constants(network.model)
    kept = {w for layer in network.layers if layer.node in keep for w in layer.weights}
    first: dict[str, Layer] = {}
    for layer in network.layers:
        for name in layer.weights:
            first.setdefault(name, layer)
    arrays = {n: numpy_helper.to_array(values[n]) for n in first if n not in kept}
    return [(first[n], n, a) for n, a in arrays.items() if a.size >= LEAST]


def _channel_axes(layer: Layer, ndim: int) -> tuple[int, ...]:
    """The axes of a weight that have a scale of their own: output channels, rows of an embedding,
    gates of an LSTM.
    """
    if layer.op_type == "ConvTranspose":
        return (1,)
    if layer.op_type == "MatMul":
        return (ndim - 1,)
    if layer.op_type == "Gemm":
        return (0,) if "transB" in layer.flags else (1,)
    return (0, 1) if layer.op_type in ("LSTM", "GRU", "RNN") else (0,)


def _as_rows(layer: Layer, array: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
    """The weight as `(channels, inputs)`, and the order of axes that it was turned into."""
    channels = _channel_axes(layer, array.ndim)
    order = (*channels, *(a for a in range(array.ndim) if a not in channels))
    turned = array.transpose(order)
    return turned.reshape(int(np.prod([array.shape[a] for a in channels])), -1), order


def _eight(name: str, array: np.ndarray, layer: Layer, per_channel: bool) -> _Stored:
    from onnx import helper, numpy_helper

    channels = _channel_axes(layer, array.ndim) if per_channel else ()
    over = tuple(a for a in range(array.ndim) if a not in channels)
    scale = np.abs(array).max(axis=over, keepdims=True) / 127
    scale = np.where(scale > 0, scale, 1).astype(np.float32)
    q, s, c = f"{name}_int8", f"{name}_scale", f"{name}_float"
    small = np.clip(np.round(array / scale), -127, 127).astype(np.int8)
    return _Stored(
        [numpy_helper.from_array(small, q), numpy_helper.from_array(scale, s)],
        [_cast(q, c), helper.make_node("Mul", [c, s], [name])],
    )


def _four(name: str, array: np.ndarray, rows: np.ndarray, order: tuple[int, ...]) -> _Stored:
    from onnx import TensorProto, helper, numpy_helper

    small, scales, common = rounded(rows)
    n, padded = rows.shape[1], small.shape[1] * small.shape[2]
    flat = small.ravel()
    flat = np.pad(flat, (0, len(flat) % 2))
    packed = ((flat[0::2] & 15) | ((flat[1::2] & 15) << 4)).astype(np.uint8)
    given = [
        helper.make_tensor(
            f"{name}_int4", TensorProto.INT4, small.shape, packed.tobytes(), raw=True
        )
    ]
    nodes: list[NodeProto] = []
    last = f"{name}_int4"

    def then(op: str, *inputs: np.ndarray | str, **attributes: Any) -> None:
        nonlocal last
        names = []
        for value in inputs:
            if isinstance(value, str):
                names.append(value)
            else:
                names.append(f"{name}_{len(given)}")
                given.append(numpy_helper.from_array(np.asarray(value), names[-1]))
        nodes.append(
            helper.make_node(op, [last, *names], [f"{name}_step{len(nodes)}"], **attributes)
        )
        last = nodes[-1].output[0]

    nodes.append(_cast(last, f"{name}_q"))
    last = f"{name}_q"
    given.append(numpy_helper.from_array(scales, f"{name}_scales"))
    nodes.append(_cast(f"{name}_scales", f"{name}_s"))
    then("Mul", f"{name}_s")
    then("Mul", common)
    if padded != n:
        then("Reshape", np.array([len(rows), padded]))
        then("Slice", np.array([0]), np.array([n]), np.array([1]))
    turned = [array.shape[a] for a in order]
    then("Reshape", np.array(turned))
    back = np.argsort(order).tolist()
    if back != list(range(array.ndim)):
        then("Transpose", perm=back)
    nodes[-1].output[0] = name
    return _Stored(given, nodes)


def _cast(source: str, target: str) -> NodeProto:
    from onnx import TensorProto, helper

    return helper.make_node("Cast", [source], [target], to=TensorProto.FLOAT)


def _bfloat16(array: np.ndarray) -> np.ndarray:
    """The upper halves of float32 `(...)`, rounded to nearest even, as uint16."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def _replace(model: ModelProto, stored: dict[str, _Stored]) -> None:
    """Constants out, their small forms and the nodes that turn them back in, ahead of all that
    reads them.
    """
    for value in [w for w in model.graph.initializer if w.name in stored]:
        model.graph.initializer.remove(value)
    model.graph.initializer.extend(c for s in stored.values() for c in s.constants)
    nodes = [n for s in stored.values() for n in s.nodes] + list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _at_opset(model: ModelProto, opset: int) -> ModelProto:
    """The graph in the edition of ONNX that has 4-bit integers."""
    from onnx import version_converter

    now = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
    if now >= opset:
        return model
    try:
        made = version_converter.convert_version(model, opset)
    except Exception as error:
        raise CandidateError(
            f"4-bit weights need ONNX opset {opset}, and the graph of opset {now} cannot be "
            f"rewritten for it: {error} Take 8 bits, or export the model with the newer opset."
        ) from error
    made.ir_version = max(made.ir_version, 10)
    return made
