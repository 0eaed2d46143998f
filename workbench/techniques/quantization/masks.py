"""Tensors that no int8 scale can hold, as masks are, and the operators that stay in float for them.

An int8 tensor has one scale for all of its values. Two kinds of tensors have no useful scale:

    infinite     a mask of minus infinity: the scale would be infinite, the outputs NaN
    two sizes    scores of +-20 plus a mask of -10000: a step would be 40, and the scores would
                 all become 0

A tensor has two sizes if no absolute value lies between 5 % and 50 % of the largest one, and some
values lie below. The operators that read or write such a tensor stay in float. The tensors that
bring in the large values, such as the mask that an Add reads, count too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workbench.techniques.quantization.naming import FLOAT, constants

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

    from workbench.techniques.quantization.network import Network

__all__ = [
    "Magnitude",
    "constant_masks",
    "joined",
    "magnitude",
    "note_on_masks",
    "probed",
    "unscalable_nodes",
]

LARGE = 0.5  # share of the largest absolute value, above which a value is large
SMALL = 0.05  # share of it, below which all other values are too small for the scale
SMALLEST_MASK = 1e3  # absolute value of a constant mask of zeros and large negative values
PASSING = ("Add", "Sub", "Where", "Mul", "Concat")  # they hand on the large values of an input
MOVING = (
    "Reshape",
    "Transpose",
    "Squeeze",
    "Unsqueeze",
    "Flatten",
    "Expand",
    "Slice",
    "Gather",
    "Cast",
    "Identity",
)
PRODUCTS = ("Conv", "Gemm", "MatMul")  # they can output floats after int8 inputs
MAX_NAMES = 6  # in a note


@dataclass(frozen=True)
class Magnitude:
    """Largest absolute value of a tensor, and the largest one of at most half of it.

    `largest` is infinite or NaN if one of the values is.
    """

    largest: float
    rest: float

    @property
    def has_scale(self) -> bool:
        """Whether one scale can hold the values: they are finite, and not of two sizes."""
        if not np.isfinite(self.largest):
            return False
        return self.rest == 0 or self.rest >= self.largest * SMALL


def magnitude(values: np.ndarray) -> Magnitude:
    """The magnitude of an array `(...)`."""
    absolute = np.abs(np.asarray(values, np.float64))
    if not absolute.size:
        return Magnitude(0.0, 0.0)
    largest = float(absolute.max())
    below = absolute[absolute <= LARGE * largest] if np.isfinite(largest) else absolute[:0]
    return Magnitude(largest, float(below.max()) if below.size else 0.0)


def joined(first: Magnitude, second: Magnitude) -> Magnitude:
    """The magnitude of the values of two batches."""
    largest = max(first.largest, second.largest, key=_nan_first)
    parts = [value for each in (first, second) for value in (each.largest, each.rest)]
    return Magnitude(largest, max((p for p in parts if p <= LARGE * largest), default=0.0))


def _nan_first(value: float) -> float:
    return float("inf") if np.isnan(value) else value


def probed(model: ModelProto, tensors: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Add outputs to a graph, in place, that give the magnitude of each of its tensors.

    Returns the names of two scalar outputs for each tensor: the largest absolute value, and the
    largest one of at most half of it.
    """
    from onnx import helper, numpy_helper

    graph = model.graph
    for name, value in (("magnitude share", LARGE), ("magnitude zero", 0.0), ("magnitude nan", 1)):
        constant = np.array(np.nan if name.endswith("nan") else value, np.float32)
        graph.initializer.append(numpy_helper.from_array(constant, name))
    outputs = {}
    for tensor in tensors:
        parts = {
            part: f"{tensor} {part}"
            for part in ("float", "abs", "max", "nans", "nan", "largest", "limit", "high", "below")
        }
        rest = f"{tensor} rest"
        graph.node.extend(
            [
                helper.make_node("Cast", [tensor], [parts["float"]], to=FLOAT),
                helper.make_node("Abs", [parts["float"]], [parts["abs"]]),
                helper.make_node("ReduceMax", [parts["abs"]], [parts["max"]], keepdims=0),
                helper.make_node("IsNaN", [parts["float"]], [parts["nans"]]),
                helper.make_node("Cast", [parts["nans"]], [f"{tensor} nans 1"], to=FLOAT),
                helper.make_node("ReduceMax", [f"{tensor} nans 1"], [f"{tensor} n"], keepdims=0),
                helper.make_node("Cast", [f"{tensor} n"], [parts["nan"]], to=9),
                helper.make_node(
                    "Where", [parts["nan"], "magnitude nan", parts["max"]], [parts["largest"]]
                ),
                helper.make_node("Mul", [parts["largest"], "magnitude share"], [parts["limit"]]),
                helper.make_node("Greater", [parts["abs"], parts["limit"]], [parts["high"]]),
                helper.make_node(
                    "Where", [parts["high"], "magnitude zero", parts["abs"]], [parts["below"]]
                ),
                helper.make_node("ReduceMax", [parts["below"]], [rest], keepdims=0),
            ]
        )
        for name in (parts["largest"], rest):
            graph.output.append(helper.make_tensor_value_info(name, FLOAT, []))
        outputs[tensor] = (parts["largest"], rest)
    return outputs


def unscalable_nodes(
    network: Network, magnitudes: Mapping[str, Magnitude], op_types: Collection[str]
) -> tuple[str, ...]:
    """Names of the nodes of `op_types` that read or write a tensor without a useful scale."""
    graph = network.model.graph
    infinite = {name for name, array in _float_constants(network.model) if not _is_finite(array)}
    unscalable = infinite | {name for name, each in magnitudes.items() if not each.has_scale}
    unscalable = _with_sources(graph.node, unscalable, magnitudes)
    outputs = {value.name for value in graph.output}
    nodes = []
    for node in graph.node:
        if node.op_type not in op_types:
            continue
        written = [name for name in node.output if name in unscalable]
        if node.op_type in PRODUCTS:
            written = [name for name in written if name not in outputs]
        if written or any(name in unscalable for name in node.input):
            nodes.append(node.name)
    return tuple(nodes)


def _with_sources(
    nodes: Iterable[NodeProto], unscalable: set[str], magnitudes: Mapping[str, Magnitude]
) -> set[str]:
    """The tensors, and those from which their large values come."""
    producers = {output: node for node in nodes for output in node.output}
    with_sources = set(unscalable)
    waiting = sorted(unscalable)
    while waiting:
        name = waiting.pop()
        producer = producers.get(name)
        if producer is None or producer.op_type not in PASSING + MOVING:
            continue
        largest = magnitudes[name].largest if name in magnitudes else 0.0
        for source in producer.input:
            if source in with_sources or source not in magnitudes:
                continue
            if producer.op_type in MOVING or _is_as_large(magnitudes[source].largest, largest):
                with_sources.add(source)
                waiting.append(source)
    return with_sources


def _is_as_large(value: float, largest: float) -> bool:
    return value >= LARGE * largest if np.isfinite(largest) else not np.isfinite(value)


def constant_masks(model: ModelProto) -> set[str]:
    """Names of float constants that are masks: minus infinity, or zeros and large negative values.

    They are no weights, even where an operator such as Gather reads them as one.
    """
    return {name for name, array in _float_constants(model) if _is_mask(array)}


def _float_constants(model: ModelProto) -> Iterator[tuple[str, np.ndarray]]:
    for name, value in constants(model).items():
        if value.data_type == FLOAT:
            yield name, _array(value)


def _array(value: TensorProto) -> np.ndarray:
    from onnx import numpy_helper

    return numpy_helper.to_array(value)


def _is_finite(array: np.ndarray) -> bool:
    return bool(np.isfinite(array).all())


def _is_mask(array: np.ndarray) -> bool:
    if not array.size or not array.max() <= 0 or array.min() > -SMALLEST_MASK:
        return False
    return bool(np.isneginf(array).any() or ((array == 0) | (array <= -SMALLEST_MASK)).all())


def note_on_masks(network: Network, nodes: Collection[str]) -> tuple[str, ...]:
    """A note on the operators that stay in float for these tensors; none without operators."""
    if not nodes:
        return ()
    op_types = [node.op_type for node in network.model.graph.node if node.name in nodes]
    counts = ", ".join(
        f"{op_types.count(op_type)} {op_type}" for op_type in dict.fromkeys(op_types)
    )
    names = ", ".join(f"`{name}`" for name in list(nodes)[:MAX_NAMES])
    more = f" and {len(nodes) - MAX_NAMES} more" if len(nodes) > MAX_NAMES else ""
    return (
        f"{counts} stayed in float ({names}{more}): a mask passes through, or other values that "
        "are infinite or more than 10 times as large as all others. No int8 scale holds both.",
    )
