"""Rewrite a recorded torch graph before quantization, so that more of it has an int8 form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.techniques.quantization.pt2e_operators import INT8_OPERATORS, WITH_WEIGHTS, operator

if TYPE_CHECKING:
    from torch import fx

__all__ = ["rewrite"]

EPSILON_POSITIONS = {"batch_norm": 7, "_native_batch_norm_legit_no_training": 6}
"""Batch norms in evaluation mode, and the position of epsilon among their arguments."""


def rewrite(model: fx.GraphModule) -> None:
    """Fold batch norms, write means over height and width as pooling, and remove dropout, in place.

    The scaling of dropout would widen the ranges of activations.
    """
    for node in list(model.graph.nodes):
        if operator(node) in ("dropout", "feature_dropout"):
            node.replace_all_uses_with(node.args[0])
        elif operator(node) in EPSILON_POSITIONS:
            _fold_batch_norm(model, node)
        elif operator(node) == "mean":
            _write_as_pooling(model, node)
    model.graph.eliminate_dead_code()
    model.recompile()


def _fold_batch_norm(model: fx.GraphModule, norm: fx.Node) -> None:
    """Fold a batch norm into the convolution or linear layer before it.

    It stays if that layer has other readers or other uses of its weight, or if its weight is
    computed.
    """
    import torch
    from torch.nn.utils.fusion import fuse_conv_bn_weights, fuse_linear_bn_weights

    layer = norm.args[0]
    if not _can_fold(norm):
        return

    def value(node: Any) -> Any:
        return None if node is None else _attribute(model, node.target).detach()

    is_linear = INT8_OPERATORS[operator(layer)] == "Gemm"
    fuse = fuse_linear_bn_weights if is_linear else fuse_conv_bn_weights
    weight = value(layer.args[1])
    bias = value(layer.args[2]) if len(layer.args) > 2 else None
    gain, shift, mean, variance = (value(node) for node in norm.args[1:5])
    epsilon = norm.args[EPSILON_POSITIONS[operator(norm)]]
    folded = fuse(weight, bias, mean, variance, epsilon, gain, shift)
    for position, parameter in zip((1, 2), folded, strict=True):
        name = f"{layer.name}_folded_{position}"
        model.register_parameter(name, torch.nn.Parameter(parameter.detach().clone()))
        with model.graph.inserting_before(layer):
            node = model.graph.get_attr(name)
        node.meta["val"] = parameter
        if len(layer.args) > position:
            layer.update_arg(position, node)
        else:
            layer.args = (*layer.args, node)
    # the second form of the operator returns a tuple, whose readers take one element
    outputs = [norm] if operator(norm) == "batch_norm" else list(norm.users)
    for output in outputs:
        output.replace_all_uses_with(layer)


def _can_fold(norm: fx.Node) -> bool:
    layer = norm.args[0]
    op_type = INT8_OPERATORS.get(operator(layer), "")
    if op_type not in WITH_WEIGHTS or len(layer.users) > 1:
        return False
    if op_type == "Gemm" and layer.meta["val"].ndim != 2:
        return False
    sources = [layer.args[1], *norm.args[1:5]]
    are_stored = all(getattr(source, "op", "get_attr") == "get_attr" for source in sources)
    return are_stored and len(layer.args[1].users) <= 1


def _write_as_pooling(model: fx.GraphModule, mean: fx.Node) -> None:
    """Write a mean over height and width as a pooling, which has an int8 kernel."""
    import torch

    arguments: list[Any] = [*mean.args, *mean.kwargs.values()]
    source, axes, *others = arguments
    value = source.meta.get("val")
    if getattr(value, "ndim", 0) != 4 or not isinstance(axes, (list, tuple)):
        return
    if {axis % 4 for axis in axes} != {2, 3}:
        return
    keepdim = bool(others and others[0])
    with model.graph.inserting_before(mean):
        pooled = model.graph.call_function(
            torch.ops.aten.adaptive_avg_pool2d.default, (source, [1, 1])
        )
        pooled.meta = {**mean.meta, "val": value[:, :, :1, :1]}
        output = pooled
        if not keepdim:
            output = model.graph.call_function(torch.ops.aten.flatten.using_ints, (pooled, 1))
            output.meta = dict(mean.meta)
    mean.replace_all_uses_with(output)


def _attribute(model: fx.GraphModule, path: str) -> Any:
    value: Any = model
    for part in path.split("."):
        value = getattr(value, part)
    return value
