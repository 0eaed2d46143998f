"""Store a weight in 4-bit integers, with one scale per block of inputs.

Rounding is to nearest. Of several scales for each block, the one with the least squared error is
taken.

Sources: Dettmers et al., "8-bit Optimizers via Block-wise Quantization", 2022 (blocks); Frantar et
al., "GPTQ", 2023, the RTN baseline of its tables (rounding to nearest).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import CandidateError

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

__all__ = ["BLOCK", "OPSET_INT4", "at_opset", "int4_weight", "rounded"]

BLOCK = 32  # inputs at most that share a scale
OPSET_INT4 = 21  # the first with 4-bit integers
IR_VERSION_INT4 = 10
LARGEST_SHARES = np.linspace(0.7, 1.0, 7)  # of the largest value of a block: tried as its range
SMALLEST_STEP = 1e-30  # avoids a division by zero in blocks of zeros


def rounded(rows: np.ndarray, block: int = BLOCK) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """4-bit integers and scales of `(rows, n)`.

    Returns integers `(rows, blocks, size)`, scales `(rows, blocks, 1)` in float16 relative to a
    common scale, and that common scale `(1,)`. Blocks have nearly the same size (144 values make 5
    blocks of 29, not 4 of 32 and one of 16); zeros fill the last one.
    """
    n_rows, n_values = rows.shape
    n_blocks = math.ceil(n_values / block)
    size = math.ceil(n_values / n_blocks)
    filled = np.pad(rows.astype(np.float32), ((0, 0), (0, n_blocks * size - n_values)))
    blocks = filled.reshape(n_rows, n_blocks, size)
    largest_scales = np.abs(blocks).max(axis=2, keepdims=True) / 7
    common = np.array([largest_scales.max() or 1.0], np.float32)
    least_errors = np.full(largest_scales.shape, np.inf, np.float32)
    scales = np.zeros(largest_scales.shape, np.float16)
    for share in LARGEST_SHARES:
        candidates = (largest_scales * share / common).astype(np.float16)
        steps = _steps(candidates, common)
        errors = (_integers(blocks, steps) * steps - blocks) ** 2
        sums = errors.sum(axis=2, keepdims=True)
        scales = np.where(sums < least_errors, candidates, scales)
        least_errors = np.minimum(sums, least_errors)
    return _integers(blocks, _steps(scales, common)).astype(np.int8), scales, common


def _steps(scales: np.ndarray, common: np.ndarray) -> np.ndarray:
    return np.maximum(scales.astype(np.float32) * common, SMALLEST_STEP)


def _integers(blocks: np.ndarray, steps: np.ndarray) -> np.ndarray:
    return np.clip(np.round(blocks / steps), -8, 7)


def int4_weight(
    name: str, array: np.ndarray, channel_axes: tuple[int, ...]
) -> tuple[list[TensorProto], list[NodeProto]]:
    """Constants, and the nodes that compute the weight `name` from them."""
    other_axes = tuple(axis for axis in range(array.ndim) if axis not in channel_axes)
    order = (*channel_axes, *other_axes)
    transposed = array.transpose(order)
    n_channels = math.prod(array.shape[axis] for axis in channel_axes)
    integers, scales, common = rounded(transposed.reshape(n_channels, -1))
    n_inputs = array.size // n_channels
    n_filled = integers.shape[1] * integers.shape[2]
    chain = _Chain(name, integers, scales)
    chain.append("Mul", f"{name}_s")
    chain.append("Mul", common)
    if n_filled != n_inputs:
        chain.append("Reshape", np.array([n_channels, n_filled]))
        chain.append("Slice", np.array([0]), np.array([n_inputs]), np.array([1]))
    chain.append("Reshape", np.array(transposed.shape))
    inverse = np.argsort(order).tolist()
    if inverse != list(range(array.ndim)):
        chain.append("Transpose", perm=inverse)
    chain.nodes[-1].output[0] = name
    return chain.constants, chain.nodes


class _Chain:
    """A chain of operators, each reading the output of the one before it, and its constants."""

    def __init__(self, name: str, integers: np.ndarray, scales: np.ndarray) -> None:
        from onnx import TensorProto, helper, numpy_helper

        self.name = name
        self.constants = [
            helper.make_tensor(
                f"{name}_int4", TensorProto.INT4, integers.shape, _packed(integers), raw=True
            ),
            numpy_helper.from_array(scales, f"{name}_scales"),
        ]
        self.nodes = [
            helper.make_node("Cast", [f"{name}_int4"], [f"{name}_q"], to=TensorProto.FLOAT),
            helper.make_node("Cast", [f"{name}_scales"], [f"{name}_s"], to=TensorProto.FLOAT),
        ]
        self._last = f"{name}_q"

    def append(self, op_type: str, *inputs: np.ndarray | str, **attributes: Any) -> None:
        """Add an operator; further inputs are names of tensors, or arrays to store."""
        from onnx import helper

        names = [self._last]
        for value in inputs:
            names.append(value if isinstance(value, str) else self._store(value))
        output = f"{self.name}_step{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, names, [output], **attributes))
        self._last = output

    def _store(self, array: np.ndarray) -> str:
        from onnx import numpy_helper

        name = f"{self.name}_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name


def _packed(integers: np.ndarray) -> bytes:
    """Two 4-bit integers a byte, the first in the lower half."""
    flat = integers.ravel()
    even = np.pad(flat, (0, len(flat) % 2))
    return ((even[0::2] & 15) | ((even[1::2] & 15) << 4)).astype(np.uint8).tobytes()


def at_opset(model: ModelProto, opset: int) -> ModelProto:
    """The graph converted to an opset, or unchanged if it has that one or a newer one.

    Raises CandidateError when it cannot be converted.
    """
    from onnx import version_converter

    versions = [o.version for o in model.opset_import if o.domain in ("", "ai.onnx")]
    version = versions[0] if versions else 0
    if version >= opset:
        return model
    try:
        converted = version_converter.convert_version(model, opset)
    except Exception as error:
        raise CandidateError(
            f"4-bit weights need ONNX opset {opset}, and this graph of opset {version} cannot be "
            f"converted: {error} Use 8 bits, or export the model with opset {opset}."
        ) from error
    converted.ir_version = max(converted.ir_version, IR_VERSION_INT4)
    return converted
