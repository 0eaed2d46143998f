"""Rewrite attention and GELU, as torch writes them in ONNX, into the short forms that engines fuse.

    exported                                             rewritten
    q, k  -> Mul by sqrt(scale), each                    q -> Mul by scale
    k     -> Shape, Slice, Reshape, Transpose, Reshape   k -> Transpose
    heads -> Reshape to a shape computed from inputs     heads -> Reshape to (0, 0, heads, size)
    Softmax -> IsNaN, Where                              Softmax
    x * (0.5 * (1 + erf(x / sqrt(2))))                   (x * (1 + erf(x / sqrt(2)))) * 0.5

ONNX Runtime fuses the scale into the product, the Transpose away and the five operators of GELU
into one, in this form only. All operators are standard ones: OpenVINO reads the file too. The
operators `MultiHeadAttention` of ONNX Runtime and `Attention` of ONNX 23 were measured: they were
no faster than this form on one thread, and other engines, or older ones, do not read them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.runtimes.graphs import drop_unread

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

__all__ = ["with_short_attention"]

HEADS_FIRST = [0, 2, 1, 3]  # (batch, words, heads, size) to (batch, heads, words, size) and back


def with_short_attention(content: bytes) -> tuple[bytes, int]:
    """The file with attention and GELU in their short forms, and the number of attentions.

    Returns the content unchanged where there is neither. A NaN among the scores gives NaN, where
    the exported form gives 0; the guard against it stays where a mask of minus infinity needs it.
    """
    if b"Softmax" not in content and b"Erf" not in content:
        return content, 0
    import onnx

    model = onnx.load_from_string(content)
    graph = _Graph(model)
    n_gelus = sum(_shorten_gelu(graph, node) for node in list(model.graph.node))
    attentions = [each for node in list(model.graph.node) for each in _attentions(graph, node)]
    for attention in attentions:
        _shorten(graph, attention)
    if not attentions and not n_gelus:
        return content, 0
    drop_unread(model)
    del model.graph.value_info[:]
    return model.SerializeToString(), len(attentions)


@dataclass(frozen=True)
class _Attention:
    """The nodes of one attention: the product of `q` and `k`, `softmax`, the product with v.

    `q` and `k` are the 4-D tensors before scaling, `k` before it is transposed. `guard` is the
    Where after the softmax, None if it is absent or needed.
    """

    scores: NodeProto
    q: str
    k: str
    scale: float
    softmax: NodeProto
    guard: NodeProto | None
    product: NodeProto


class _Graph:
    """A graph with the nodes that write and read each tensor."""

    def __init__(self, model: ModelProto) -> None:
        from onnx import numpy_helper

        self.model = model
        self.numbers = {
            value.name: numpy_helper.to_array(value)
            for value in model.graph.initializer
            if int(np.prod(value.dims)) <= 8
        }
        self.producers = {name: node for node in model.graph.node for name in node.output}
        self.readers: dict[str, list[NodeProto]] = {}
        for node in model.graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self.outputs = {value.name for value in model.graph.output}

    def number(self, name: str) -> float | None:
        """The value of a constant of one element; None for any other tensor."""
        value = self.numbers.get(name)
        return float(value.reshape(-1)[0]) if value is not None and value.size == 1 else None

    def written_by(self, name: str, op_type: str) -> NodeProto | None:
        node = self.producers.get(name)
        return node if node is not None and node.op_type == op_type else None

    def only_reader(self, name: str) -> NodeProto | None:
        readers = self.readers.get(name, [])
        return readers[0] if len(readers) == 1 and name not in self.outputs else None

    def store(self, array: np.ndarray, name: str) -> str:
        """Store a constant, unless one of this name is there."""
        from onnx import numpy_helper

        if name not in self.numbers:
            self.numbers[name] = array
            self.model.graph.initializer.append(numpy_helper.from_array(array, name))
        return name

    def insert_before(self, node: NodeProto, new_node: NodeProto) -> None:
        nodes = self.model.graph.node
        index = next(i for i, other in enumerate(nodes) if other.output == node.output)
        nodes.insert(index, new_node)
        self.producers[new_node.output[0]] = nodes[index]


def _attribute(node: NodeProto, name: str) -> Any:
    from onnx import helper

    return next((helper.get_attribute_value(a) for a in node.attribute if a.name == name), None)


def _shorten_gelu(graph: _Graph, outer: NodeProto) -> bool:
    """Rewrite x * (0.5 * (1 + erf(x / sqrt(2)))), whose last node is `outer`."""
    if outer.op_type != "Mul":
        return False
    for x, name in (tuple(outer.input), tuple(reversed(outer.input))):
        inner = graph.written_by(name, "Mul")
        if inner is None or graph.only_reader(name) is None:
            continue
        half = next((each for each in inner.input if graph.number(each) == 0.5), None)
        total = next((each for each in inner.input if graph.written_by(each, "Add")), None)
        if half is None or total is None or not _is_one_plus_erf(graph, total, x):
            continue
        inner.input[:] = [x, total]
        outer.input[:] = [inner.output[0], half]
        return True
    return False


def _is_one_plus_erf(graph: _Graph, total: str, x: str) -> bool:
    add = graph.producers[total]
    if not any(graph.number(name) == 1.0 for name in add.input):
        return False
    erf = next((node for name in add.input if (node := graph.written_by(name, "Erf"))), None)
    scaled = graph.producers.get(erf.input[0]) if erf is not None else None
    return scaled is not None and scaled.op_type in ("Div", "Mul") and x in scaled.input


def _attentions(graph: _Graph, softmax: NodeProto) -> Iterator[_Attention]:
    """The attention around a softmax, if it has the exported form."""
    if softmax.op_type != "Softmax" or _attribute(softmax, "axis") not in (None, -1, 3):
        return
    bias = None
    scores = graph.written_by(softmax.input[0], "MatMul")
    add = graph.written_by(softmax.input[0], "Add")
    if add is not None:
        products = [graph.written_by(name, "MatMul") for name in add.input]
        scores = products[0] or products[1]
        bias = add.input[1] if products[0] is not None else add.input[0]
    if scores is None:
        return
    q, q_scale = _unscaled(graph, scores.input[0])
    turned, k_scale = _unscaled(graph, scores.input[1])
    k = _before_turning(graph, turned)
    if k is None:
        return
    guard, product = _after(graph, softmax)
    if product is None:
        return
    if bias is not None and not _is_finite_mask(graph, bias):
        guard = None
    yield _Attention(scores, q, k, q_scale * k_scale, softmax, guard, product)


def _unscaled(graph: _Graph, name: str) -> tuple[str, float]:
    """The tensor before it is multiplied by a constant number, and that number; else 1."""
    node = graph.written_by(name, "Mul")
    if node is not None:
        for tensor, factor in (tuple(node.input), tuple(reversed(node.input))):
            number = graph.number(factor)
            if number is not None:
                return tensor, number
    return name, 1.0


def _before_turning(graph: _Graph, name: str) -> str | None:
    """The 4-D tensor whose last two axes were exchanged through a 3-D form; None if none was."""
    last = graph.written_by(name, "Reshape")
    turn = graph.written_by(last.input[0], "Transpose") if last is not None else None
    first = graph.written_by(turn.input[0], "Reshape") if turn is not None else None
    if last is None or turn is None or first is None or _attribute(turn, "perm") != [0, 2, 1]:
        return None
    source = first.input[0]
    shapes = [_shape_sources(graph, node.input[1]) for node in (first, last)]
    return source if all(shape == {source} for shape in shapes) else None


def _shape_sources(graph: _Graph, name: str) -> set[str]:
    """The tensors from whose shapes a shape is computed, and "" if it is computed otherwise."""
    if name in graph.numbers:
        return set()
    node = graph.producers.get(name)
    if node is None:
        return {""}
    if node.op_type == "Shape":
        return {node.input[0]}
    if node.op_type in ("Slice", "Gather"):
        return _shape_sources(graph, node.input[0])
    if node.op_type == "Concat":
        return set().union(*(_shape_sources(graph, part) for part in node.input))
    return {""}


def _after(graph: _Graph, softmax: NodeProto) -> tuple[NodeProto | None, NodeProto | None]:
    """The Where that replaces NaN after a softmax, and the product that reads the shares."""
    name = softmax.output[0]
    readers = graph.readers.get(name, [])
    guard = next((node for node in readers if node.op_type == "Where"), None)
    if guard is not None:
        is_nan = graph.written_by(guard.input[0], "IsNaN")
        if is_nan is None or is_nan.input[0] != name or graph.number(guard.input[1]) != 0:
            return None, None
        name = guard.output[0]
    product = graph.only_reader(name)
    if product is None or product.op_type != "MatMul" or product.input[0] != name:
        return None, None
    return guard, product


def _is_finite_mask(graph: _Graph, bias: str) -> bool:
    """Whether a mask is chosen from two finite numbers, so that no softmax of it is NaN."""
    where = graph.written_by(bias, "Where")
    if where is None:
        return False
    numbers = [graph.number(name) for name in where.input[1:]]
    return all(number is not None and np.isfinite(number) for number in numbers)


def _shorten(graph: _Graph, attention: _Attention) -> None:
    from onnx import helper

    output = attention.scores.output[0]
    k, order = attention.k, [0, 1, 3, 2]
    heads = graph.written_by(k, "Transpose")
    if heads is not None and _attribute(heads, "perm") == HEADS_FIRST:
        k, order = heads.input[0], [0, 2, 3, 1]
    turned, scaled = f"{output}_k", f"{output}_q"
    graph.insert_before(attention.scores, helper.make_node("Transpose", [k], [turned], perm=order))
    q = attention.q
    if attention.scale != 1:
        scale = np.array(attention.scale, np.float32)
        name = graph.store(scale, f"attention scale {attention.scale:.9g}")
        graph.insert_before(attention.scores, helper.make_node("Mul", [q, name], [scaled]))
        q = scaled
    _shorten_heads(graph, attention)
    attention.scores.input[:] = [q, turned]
    if attention.guard is not None:
        attention.product.input[0] = attention.softmax.output[0]


def _shorten_heads(graph: _Graph, attention: _Attention) -> None:
    """Write constant shapes where the heads are split and joined."""
    for name in (attention.q, attention.k, attention.product.input[1]):
        turn = graph.written_by(name, "Transpose")
        if turn is not None and _attribute(turn, "perm") == HEADS_FIRST:
            _write_shape(graph, graph.written_by(turn.input[0], "Reshape"), 2)
    turn = graph.only_reader(attention.product.output[0])
    if turn is not None and turn.op_type == "Transpose":
        join = graph.only_reader(turn.output[0])
        if _attribute(turn, "perm") == HEADS_FIRST and join is not None:
            _write_shape(graph, join if join.op_type == "Reshape" else None, 1)


def _write_shape(graph: _Graph, reshape: NodeProto | None, n_constants: int) -> None:
    """Give a Reshape the constant shape (0, 0, ...), where 0 stands for the axis as it is.

    Its shape must be joined from two computed numbers and `n_constants` constants.
    """
    concat = graph.written_by(reshape.input[1], "Concat") if reshape is not None else None
    if reshape is None or concat is None or len(concat.input) != 2 + n_constants:
        return
    computed, constants = concat.input[:2], [graph.number(name) for name in concat.input[2:]]
    if any(graph.number(name) is not None for name in computed) or None in constants:
        return
    sizes = [int(number) for number in constants if number is not None]
    name = f"attention shape {' '.join(map(str, sizes))}"
    reshape.input[1] = graph.store(np.array([0, 0, *sizes], np.int64), name)
    del reshape.attribute[:]  # `allowzero`, by which 0 would stand for no values
