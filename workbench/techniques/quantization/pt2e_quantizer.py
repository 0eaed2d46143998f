"""OrtQuantizer: marks the operators of a recorded network that ONNX Runtime computes in int8.

torchao asks a quantizer to annotate the graph, and puts fake quantizers where an annotation says
so; training then rounds at the same places as the runtime. An annotation at a place where the
runtime does not fuse costs time: the operator stays in float, and its values are converted to
integers and back. So the rules are those of ONNX Runtime's QDQ selectors:

    conv -> [relu]     int8 weights; one fake quantizer, after the relu: uint8 starts at zero, so
                       rounding includes the relu
    linear             the same; its output stays in float unless another int8 operator reads it
    add, mul, concat   int8 only if all inputs are quantized, and an int8 operator reads the result
    pooling, sigmoid   a fake quantizer before and one after
    hardswish, gelu    no int8 kernel: after a convolution, computed in float between two
    max pool, reshape  move values: the scale after is the scale before

Source: Nagel et al., "A White Paper on Neural Network Quantization", 2021: batch norms are folded
first ("static folding", table 8), weights are symmetric, activations asymmetric.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from workbench.errors import SettingsError, unknown
from workbench.techniques.quantization.pt2e_operators import (
    INT8_OPERATORS,
    MOVING,
    WITH_WEIGHTS,
    activation_inputs,
    as_list,
    is_float,
    last_of_fused,
    layer_of,
    operator,
)
from workbench.techniques.quantization.pt2e_rewrite import rewrite
from workbench.techniques.quantization.pt2e_values import unscalable_values

if TYPE_CHECKING:
    import torch
    from torch import fx

__all__ = ["AVERAGING", "WEIGHT_LOWS", "OrtQuantizer"]

SMALLEST_SCALE = 2.0**-16  # with a smaller one, a bias would need more than 32 bits
WEIGHT_LOWS = (-127, -63)  # symmetric: as many steps below zero as above; activations have more
AVERAGING = 0.01  # share of the newest batch in the range of an activation


class OrtQuantizer:
    """A quantizer for `torchao.quantization.pt2e.prepare_qat_pt2e`.

    `activation_type` is "uint8" or "int8"; `symmetric` centres ranges of activations on zero.
    `keep_float` names layers (`blocks.0.conv1`), parts (`blocks.0`) or types of operators (`Add`)
    that stay in float. `rows` are inputs of the network `(rows, ...)`: operators that read or write
    values without a useful scale on them, as masks are, stay in float too. After `annotate`,
    `annotated` lists the quantized operators as pairs (layer, type of operator), and `masked` those
    that stay in float for their values. torchao calls the public methods; it asks for no base
    class.
    """

    def __init__(
        self,
        *,
        activation_type: str = "uint8",
        symmetric: bool = False,
        per_channel: bool = True,
        reduce_range: bool = False,
        keep_float: tuple[str, ...] = (),
        rows: tuple[torch.Tensor, ...] = (),
    ) -> None:
        self.activation_type = activation_type
        self.symmetric = symmetric
        self.per_channel = per_channel
        self.weight_high = 63 if reduce_range else 127
        self.keep_float = tuple(keep_float)
        self.rows = rows
        self.annotated: list[tuple[str, str]] = []
        self.masked: list[tuple[str, str]] = []

    def transform_for_annotation(self, model: fx.GraphModule) -> fx.GraphModule:
        """Fold batch norms, write means as pooling, and remove dropout."""
        rewrite(model)
        return model

    def annotate(self, model: fx.GraphModule) -> fx.GraphModule:
        """Annotate the operators to quantize.

        Raises SettingsError for a name in `keep_float` that the network does not have.
        """
        self._check_names(model)
        plan = self._plan(model)
        for node, op_type in plan.items():
            self._annotate(node, op_type, plan)
        self.annotated = [
            (layer_of(node), op_type) for node, op_type in plan.items() if op_type != "Activation"
        ]
        return model

    def validate(self, model: fx.GraphModule) -> None:
        """Refuse nothing: operators without an int8 form were not annotated."""

    def prepare_obs_or_fq_callback(
        self, model: fx.GraphModule, edge_or_node_to_obs_or_fq: dict[Any, Any]
    ) -> None:
        """Change none of the fake quantizers."""

    def _annotate(self, node: fx.Node, op_type: str, plan: dict[fx.Node, str]) -> None:
        from torchao.quantization.pt2e.quantizer import (
            QuantizationAnnotation,
            SharedQuantizationSpec,
        )

        inputs = activation_inputs(node)
        input_specs = dict.fromkeys(inputs, self._activation)
        if op_type in WITH_WEIGHTS:
            input_specs[node.args[1]] = self._weight
        output_spec = self._activation
        if op_type in MOVING:
            output_spec = SharedQuantizationSpec((inputs[0], node))
        last = last_of_fused(node, op_type)
        if op_type == "Gemm" and not any(user in plan for user in last.users):
            output_spec = None
        node.meta["quantization_annotation"] = QuantizationAnnotation(
            input_specs, output_spec if last is node else None, _annotated=True
        )
        if last is not node:
            last.meta["quantization_annotation"] = QuantizationAnnotation(
                output_qspec=output_spec, _annotated=True
            )

    def _plan(self, model: fx.GraphModule) -> dict[fx.Node, str]:
        """The nodes to compute in int8 and their types of operators, in order.

        A pass forward collects nodes that can be int8; a pass backward removes nodes whose result
        no int8 operator reads.
        """
        plan: dict[fx.Node, str] = {}
        quantized: set[fx.Node] = set()
        unscalable = unscalable_values(model, self.rows) if self.rows else set()
        for node in model.graph.nodes:
            op_type = INT8_OPERATORS.get(operator(node), "")
            if not op_type or self._stays_float(node, op_type):
                continue
            if not _can_be_int8(node, op_type, quantized):
                continue
            if _touches(node, op_type, unscalable):
                self.masked.append((layer_of(node), op_type))
            else:
                plan[node] = op_type
                quantized.add(last_of_fused(node, op_type))
        for node, op_type in reversed(list(plan.items())):
            users = last_of_fused(node, op_type).users
            if op_type not in WITH_WEIGHTS and not any(user in plan for user in users):
                del plan[node]
        return plan

    def _stays_float(self, node: fx.Node, op_type: str) -> bool:
        layer = layer_of(node)
        return any(
            entry in (layer, op_type) or layer.startswith(f"{entry}.") for entry in self.keep_float
        )

    def _check_names(self, model: fx.GraphModule) -> None:
        operators = [operator(node) for node in model.graph.nodes]
        op_types = {INT8_OPERATORS[name] for name in operators if name in INT8_OPERATORS}
        layers = {layer_of(node) for node in model.graph.nodes if operator(node)}
        names = op_types | {part for layer in layers for part in _parts(layer)}
        unmatched = [entry for entry in self.keep_float if entry not in names]
        if unmatched:
            problems = [unknown("layer or operator", entry, names) for entry in unmatched]
            raise SettingsError("`keep_float`: " + " ".join(problems))

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

        if self.per_channel:
            observer, scheme = MovingAveragePerChannelMinMaxObserver, torch.per_channel_symmetric
        else:
            observer, scheme = MovingAverageMinMaxObserver, torch.per_tensor_symmetric
        # FusedMovingAvgObsFakeQuantize is not used: its kernel makes symmetric scales 0.4 % larger
        # than those that the observer writes to the file, so the file would round differently from
        # the training.
        return QuantizationSpec(
            dtype=torch.int8,
            quant_min=-self.weight_high,
            quant_max=self.weight_high,
            ch_axis=0 if self.per_channel else None,
            qscheme=scheme,
            observer_or_fake_quant_ctr=FakeQuantize.with_args(
                observer=observer,
                averaging_constant=1.0,  # no average: the range of the weights as they are now
                eps=SMALLEST_SCALE,
            ),
        )


def _parts(layer: str) -> list[str]:
    """A layer and the parts that contain it: `a.b.c`, `a.b`, `a`; none for the network itself."""
    names = layer.split(".") if layer else []
    return [".".join(names[:n]) for n in range(len(names), 0, -1)]


def _touches(node: fx.Node, op_type: str, unscalable: set[fx.Node]) -> bool:
    """Whether an operator reads or writes one of these values; a linear layer can output floats."""
    if any(value in unscalable for value in activation_inputs(node)):
        return True
    return op_type != "Gemm" and last_of_fused(node, op_type) in unscalable


def _can_be_int8(node: fx.Node, op_type: str, quantized: set[fx.Node]) -> bool:
    inputs = activation_inputs(node)
    if not inputs or not all(is_float(value) for value in (node, *inputs)):
        return False
    if op_type in WITH_WEIGHTS:
        return getattr(node.args[1], "op", "") == "get_attr"
    if op_type in ("Add", "Mul") and (len(inputs) != 2 or node.kwargs.get("alpha", 1) != 1):
        return False
    if operator(node) == "adaptive_avg_pool2d" and set(as_list(node.args[1])) != {1}:
        return False
    if op_type == "Activation" and operator(inputs[0]) == "linear":
        return False  # a linear layer can output floats at no cost
    return all(value in quantized for value in inputs)
