"""OrtQuantizer: tells torchao which operators of a recorded network ONNX Runtime computes in int8,
so that training rehearses those.

torchao asks a quantizer to annotate the graph; where a note says "quantized", it puts a fake
quantizer that rounds to the grid and learns the range. Notes that do not match what the runtime
fuses later cost speed twice (the operator stays in float, and numbers are converted to and fro), so
the rules here are those of ONNX Runtime's QDQ selectors:

    conv  -> [relu]    weights int8; ONE grid, behind the relu: uint8 begins at zero, so the relu is the rounding itself
    linear             the same; its answer stays in float unless another int8 operator reads it
    add, mul, concat   int8 only where every input already is, and somebody reads the result in int8
    pooling, sigmoid   a grid before and one behind
    hardswish, gelu    no int8 kernel: behind a convolution they go to float and back
    max pool, reshape  move values: the grid behind is the one before

What follows Nagel et al., "A White Paper on Neural Network Quantization", 2021: batch norms are
folded into the layers before them first ("static folding", their table 8), weights symmetric,
activations asymmetric.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from workbench.errors import SettingsError, unknown

if TYPE_CHECKING:
    from torch import fx

__all__ = ["AVERAGING", "KINDS", "WEIGHT_LOW", "OrtQuantizer", "layer_of", "operator"]

KINDS = {
    "conv1d": "Conv",
    "conv2d": "Conv",
    "conv3d": "Conv",
    "linear": "Gemm",
    "add": "Add",
    "mul": "Mul",
    "cat": "Concat",
    "sigmoid": "Sigmoid",
    "leaky_relu": "LeakyRelu",
    "adaptive_avg_pool2d": "GlobalAveragePool",
    "avg_pool2d": "AveragePool",
    "max_pool2d": "MaxPool",
    "flatten": "Flatten",
    "view": "Reshape",
    "reshape": "Reshape",
    "permute": "Transpose",
    "transpose": "Transpose",
    "squeeze": "Squeeze",
    "unsqueeze": "Unsqueeze",
    "upsample_nearest2d": "Resize",
    **dict.fromkeys(
        ("hardswish", "silu", "gelu", "hardsigmoid", "tanh", "elu", "mish"), "Activation"
    ),
}
"""Operators with an int8 form: torch's name, and the kind that ONNX has. An Activation computes in
float between two grids, so that what follows it can be int8.
"""

WEIGHTED = {"Conv", "Gemm"}
MOVING = {"MaxPool", "Flatten", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Resize"}
CLAMPS = {
    "relu": (0.0, None),
    "relu6": (0.0, 6.0),
    "hardtanh": (-1.0, 1.0),
    "clamp": (None, None),
    "clamp_min": (None, None),
}
BATCH_NORMS = {
    "batch_norm": 7,
    "_native_batch_norm_legit_no_training": 6,
}  # and where epsilon stands
SMALLEST_SCALE = 2.0**-16  # below it, a bias on the grid of input times weight would leave 32 bits
WEIGHT_LOW = -127  # symmetric: as many steps below zero as above
AVERAGING = 0.01  # share of the newest batch in the range of an activation


def operator(node: fx.Node) -> str:
    """torch's name of what a node calls, in-place or not (`relu_` is `relu`); empty for a node that
    calls nothing.
    """
    return (
        str(node.target).split(".")[1].rstrip("_")
        if node.op == "call_function" and "." in str(node.target)
        else ""
    )


def layer_of(node: fx.Node) -> str:
    """The path of the module whose `forward` called this, as its author named it; empty for the
    network's own.
    """
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    return stack[-1][0].removeprefix("net").lstrip(".") if stack else ""


class OrtQuantizer:
    """Notes for `torchao.quantization.pt2e.prepare_qat_pt2e`, which asks for these four methods and
    no base class.

    `activation_type` is "uint8" or "int8", `symmetric` puts zero in its middle; `keep_float` names
    layers (`blocks.0.conv1`), parts (`blocks.0`) or kinds of operators (`Add`) that stay in float.
    `annotated` lists what was found: (layer, kind) pairs.
    """

    def __init__(
        self,
        *,
        activation_type: str = "uint8",
        symmetric: bool = False,
        per_channel: bool = True,
        keep_float: tuple[str, ...] = (),
    ) -> None:
        self.activation_type, self.symmetric, self.per_channel = (
            activation_type,
            symmetric,
            per_channel,
        )
        self.keep_float = tuple(keep_float)
        self.annotated: list[tuple[str, str]] = []

    def transform_for_annotation(self, model: fx.GraphModule) -> fx.GraphModule:
        """Batch norms folded, averages over height and width written as pooling, dropout left out."""
        for node in list(model.graph.nodes):
            if operator(node) in (
                "dropout",
                "feature_dropout",
            ):  # its scaling would widen the ranges that are learned
                node.replace_all_uses_with(node.args[0])
            elif operator(node) in BATCH_NORMS:
                _fold(model, node)
            elif operator(node) == "mean":
                _pool(model, node)
        model.graph.eliminate_dead_code()
        model.recompile()
        return model

    def annotate(self, model: fx.GraphModule) -> fx.GraphModule:
        from torchao.quantization.pt2e.quantizer import (
            QuantizationAnnotation,
            SharedQuantizationSpec,
        )

        self._check_names(model)
        plan = self._plan(model)
        for node, kind in plan.items():
            inputs = _inputs(node)
            specs = dict.fromkeys(inputs, self._activation)
            if kind in WEIGHTED:
                specs[node.args[1]] = self._weight
            behind = (
                SharedQuantizationSpec((inputs[0], node)) if kind in MOVING else self._activation
            )
            last = _last(node, kind)
            wanted = kind != "Gemm" or any(user in plan for user in last.users)
            output = behind if wanted else None
            node.meta["quantization_annotation"] = QuantizationAnnotation(
                specs, output if last is node else None, _annotated=True
            )
            if last is not node:
                last.meta["quantization_annotation"] = QuantizationAnnotation(
                    output_qspec=output, _annotated=True
                )
        self.annotated = [
            (layer_of(node), kind) for node, kind in plan.items() if kind != "Activation"
        ]
        return model

    def validate(self, model: fx.GraphModule) -> None:
        """Nothing to refuse: what has no int8 form was not annotated."""

    def prepare_obs_or_fq_callback(
        self, model: fx.GraphModule, edge_or_node_to_obs_or_fq: dict[Any, Any]
    ) -> None:
        """The fake quantizers are taken as they are."""

    def _plan(self, model: fx.GraphModule) -> dict[fx.Node, str]:
        """The nodes to compute in int8 and their kinds, in order; forward by what can be, backward
        by what is worth it.
        """
        plan: dict[fx.Node, str] = {}
        small: set[fx.Node] = set()  # values that are on a grid anyway
        for node in model.graph.nodes:
            kind = KINDS.get(operator(node), "")
            if kind and not self._kept(node, kind) and _can(node, kind, small):
                plan[node] = kind
                small.add(_last(node, kind))
        for node, kind in reversed(list(plan.items())):
            if kind not in WEIGHTED and not any(user in plan for user in _last(node, kind).users):
                del plan[node]
        return plan

    def _kept(self, node: fx.Node, kind: str) -> bool:
        layer = layer_of(node)
        return any(
            name in (layer, kind) or layer.startswith(f"{name}.") for name in self.keep_float
        )

    def _check_names(self, model: fx.GraphModule) -> None:
        paths = {layer_of(n) for n in model.graph.nodes if operator(n)}
        parts = {
            path.rsplit(".", depth)[0] for path in paths for depth in range(path.count(".") + 1)
        } - {""}
        valid = parts | {KINDS[operator(n)] for n in model.graph.nodes if operator(n) in KINDS}
        wrong = [name for name in self.keep_float if name not in valid]
        if wrong:
            raise SettingsError(
                "`keep_float`: "
                + " ".join(unknown("layer or operator", name, valid) for name in wrong)
            )

    @cached_property
    def _activation(self) -> Any:
        import torch
        from torchao.quantization.pt2e import (
            FusedMovingAvgObsFakeQuantize,
            MovingAverageMinMaxObserver,
        )
        from torchao.quantization.pt2e.quantizer import QuantizationSpec

        unsigned = self.activation_type == "uint8"
        return QuantizationSpec(
            dtype=torch.uint8 if unsigned else torch.int8,
            quant_min=0 if unsigned else -128,
            quant_max=255 if unsigned else 127,
            qscheme=torch.per_tensor_symmetric if self.symmetric else torch.per_tensor_affine,
            observer_or_fake_quant_ctr=FusedMovingAvgObsFakeQuantize.with_args(
                observer=MovingAverageMinMaxObserver,
                averaging_constant=AVERAGING,
                eps=SMALLEST_SCALE,
            ),
        )

    @cached_property
    def _weight(self) -> Any:
        import torch
        from torchao.quantization.pt2e import (
            FakeQuantize,
            MovingAverageMinMaxObserver,
            MovingAveragePerChannelMinMaxObserver,
        )
        from torchao.quantization.pt2e.quantizer import QuantizationSpec

        observer = (
            MovingAveragePerChannelMinMaxObserver
            if self.per_channel
            else MovingAverageMinMaxObserver
        )
        # Not the fused one: its kernel makes symmetric scales 0.4 % larger than those that the
        # observer hands to the file, so that the network would leave on another grid than it was
        # trained on.
        return QuantizationSpec(
            dtype=torch.int8,
            quant_min=WEIGHT_LOW,
            quant_max=127,
            ch_axis=0 if self.per_channel else None,
            qscheme=torch.per_channel_symmetric if self.per_channel else torch.per_tensor_symmetric,
            observer_or_fake_quant_ctr=FakeQuantize.with_args(
                observer=observer,
                averaging_constant=1.0,
                eps=SMALLEST_SCALE,  # weights are all there: their range now
            ),
        )


def _can(node: fx.Node, kind: str, small: set[fx.Node]) -> bool:
    inputs = _inputs(node)
    if not inputs or not all(_is_float(n) for n in (node, *inputs)):
        return False
    if kind in WEIGHTED:
        return getattr(node.args[1], "op", "") == "get_attr"
    if kind in ("Add", "Mul") and (len(inputs) != 2 or node.kwargs.get("alpha", 1) != 1):
        return False
    if operator(node) == "adaptive_avg_pool2d" and set(_listed(node.args[1])) != {1}:
        return False
    if kind == "Activation" and operator(inputs[0]) == "linear":
        return False  # a linear layer answers in float for free
    return all(n in small for n in inputs)


def _inputs(node: fx.Node) -> list[fx.Node]:
    """The activations that a node reads."""
    given = (
        _listed(node.args[0])
        if operator(node) == "cat"
        else node.args[: 2 if operator(node) in ("add", "mul") else 1]
    )
    return [a for a in given if hasattr(a, "users")]


def _last(node: fx.Node, kind: str) -> fx.Node:
    """The node itself, or the clamp behind it if nobody else reads it: they become one operator."""
    users = list(node.users)
    return users[0] if kind not in MOVING and len(users) == 1 and _is_clamp(users[0]) else node


def _is_clamp(node: fx.Node) -> bool:
    """Cuts at zero, so that the lower end of the grid is the cut."""
    if operator(node) not in CLAMPS:
        return False
    low = node.args[1] if len(node.args) > 1 else node.kwargs.get("min", CLAMPS[operator(node)][0])
    return low == 0


def _is_float(node: fx.Node) -> bool:
    value = node.meta.get("val")
    return value is not None and hasattr(value, "is_floating_point") and value.is_floating_point()


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _fold(model: fx.GraphModule, norm: fx.Node) -> None:
    """A batch norm in evaluation mode into the convolution or linear layer before it, where that
    serves it alone.
    """
    import torch
    from torch.nn.utils.fusion import fuse_conv_bn_weights, fuse_linear_bn_weights

    layer = norm.args[0]
    kind = KINDS.get(operator(layer), "")
    if (
        kind not in WEIGHTED
        or len(layer.users) > 1
        or (kind == "Gemm" and layer.meta["val"].ndim != 2)
    ):
        return
    sources = [layer.args[1], *norm.args[1:5]]
    if (
        any(getattr(s, "op", "get_attr") != "get_attr" for s in sources)
        or len(layer.args[1].users) > 1
    ):
        return  # a computed weight, or one that serves two layers

    def value(node: Any) -> Any:
        return None if node is None else _attribute(model, node.target).detach()

    fuse = fuse_conv_bn_weights if kind == "Conv" else fuse_linear_bn_weights
    weight, gain, shift, mean, var = (value(s) for s in sources)
    bias = value(layer.args[2]) if len(layer.args) > 2 else None
    made = fuse(weight, bias, mean, var, norm.args[BATCH_NORMS[operator(norm)]], gain, shift)
    for place, new in zip((1, 2), made, strict=True):
        name = f"{layer.name}_folded_{place}"
        model.register_parameter(name, torch.nn.Parameter(new.detach().clone()))
        with model.graph.inserting_before(layer):
            node = model.graph.get_attr(name)
        node.meta["val"] = new
        if len(layer.args) > place:
            layer.update_arg(place, node)
        else:
            layer.args = (*layer.args, node)
    for answer in (
        [norm] if operator(norm) == "batch_norm" else list(norm.users)
    ):  # the other form gives a tuple
        answer.replace_all_uses_with(layer)


def _pool(model: fx.GraphModule, mean: fx.Node) -> None:
    """The mean over height and width as a pooling, the form that has an int8 kernel."""
    import torch

    source, axes, *rest = (*mean.args, *mean.kwargs.values())
    value = source.meta.get("val")
    if (
        getattr(value, "ndim", 0) != 4
        or not isinstance(axes, (list, tuple))
        or {a % 4 for a in axes} != {2, 3}
    ):
        return
    with model.graph.inserting_before(mean):
        made = model.graph.call_function(
            torch.ops.aten.adaptive_avg_pool2d.default, (source, [1, 1])
        )
        made.meta = {**mean.meta, "val": value[:, :, :1, :1]}
        if not (rest and rest[0]):
            pooled = made
            made = model.graph.call_function(torch.ops.aten.flatten.using_ints, (pooled, 1))
            made.meta = dict(mean.meta)
    mean.replace_all_uses_with(made)


def _attribute(model: fx.GraphModule, path: str) -> Any:
    found: Any = model
    for part in path.split("."):
        found = getattr(found, part)
    return found
