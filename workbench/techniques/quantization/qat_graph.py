"""The network as a graph that rehearses int8: recorded by torch.export, given fake quantizers, and
trainable by `fit`.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from workbench.errors import CandidateError, sentence_of
from workbench.models.networks import call_model, first_tensor
from workbench.runtimes.to_onnx import free_dims, quiet
from workbench.task import Candidate
from workbench.techniques.quantization.pt2e_quantizer import (
    WEIGHT_LOW,
    OrtQuantizer,
    layer_of,
    operator,
)

if TYPE_CHECKING:
    import torch
    from torch import fx, nn

__all__ = ["grid_of", "prepared", "quantizers", "recorded", "silent"]

RECURRENT = {"lstm": "LSTM", "gru": "GRU", "rnn_tanh": "RNN", "rnn_relu": "RNN"}
HOLDING_WEIGHTS = {
    "conv1d",
    "conv2d",
    "conv3d",
    "linear",
    "conv_transpose1d",
    "conv_transpose2d",
    "embedding",
    *RECURRENT,
}


def grid_of(settings: Any) -> tuple[str, bool]:
    """Type of activations, auto being uint8 (the one that ONNX Runtime fuses fully), and whether
    zero is in its middle.
    """
    kind = "int8" if settings.activation_type == "int8" else "uint8"
    wanted = getattr(settings, "symmetric", None)
    return kind, kind == "int8" if wanted is None else wanted


def recorded(start: Candidate, inputs: dict[str, torch.Tensor]) -> fx.GraphModule:
    """The network in evaluation mode as a graph of operators, with its parameters; refuses what
    torch.export cannot follow.
    """
    import torch

    net = copy.deepcopy(start.model).to("cpu").eval()
    _check_finite(net, start.name)
    function, arrays = _answering(net, tuple(inputs)), tuple(inputs.values())
    shapes = {"arrays": tuple(free_dims(t) for t in inputs.values())}
    failed: Exception | None = None
    for strict in (
        False,
        True,
    ):  # strict reads the source instead of running it: slower, and `len(x)` stays free
        try:
            program = torch.export.export(function, arrays, dynamic_shapes=shapes, strict=strict)
            if any(
                getattr(getattr(n.target, "_schema", None), "is_mutable", False)
                for n in program.graph.nodes
            ):
                program = program.run_decompositions(
                    {}
                )  # in-place operators would write over values that are still needed
            return program.module(check_guards=False)
        except Exception as error:
            failed = failed or error
    raise CandidateError(
        f"`{start.name}` cannot be trained for int8: torch.export cannot follow "
        f"{_where(failed, net)}: {sentence_of(failed)} Rewrite that part without decisions that "
        "depend on values or on the number of rows, or take the method static or dynamic."
    ) from failed


def _check_finite(net: nn.Module, name: str) -> None:
    """NaN makes nonsense of every scale."""
    for path, value in net.named_parameters():
        if not bool(value.isfinite().all()):
            n = int((~value.isfinite()).sum())
            raise CandidateError(
                f"`{name}` holds {n} values that are not finite in `{path}`: no scale can be found "
                "for them. Train the model anew, or take an earlier checkpoint."
            )


def _where(error: BaseException | None, net: nn.Module) -> str:
    """The innermost module of the network that was at work when the error came."""
    names = {id(m): n for n, m in net.named_modules()}
    found, at = "", error.__traceback__ if error else None
    while at is not None:
        module = at.tb_frame.f_locals.get("self")
        if id(module) in names and at.tb_frame.f_code.co_name == "forward":
            found = (
                f"the layer `{names[id(module)]}` ({type(module).__name__})"
                if names[id(module)]
                else f"`{type(net).__name__}`"
            )
        at = at.tb_next
    return found or f"`{type(net).__name__}`"


def _answering(net: nn.Module, names: tuple[str, ...]) -> nn.Module:
    """The network as a function of arrays in order that returns the one tensor that counts."""
    from torch import nn

    class Answering(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, *arrays: torch.Tensor) -> torch.Tensor:
            return first_tensor(call_model(self.net, dict(zip(names, arrays, strict=True))))

    return Answering()


def prepared(
    graph: fx.GraphModule, name: str, settings: Any
) -> tuple[nn.Module, dict[str, list[str]]]:
    """The graph with fake quantizers, and the layers that compute in int8 and in float; refuses one
    without any.
    """
    from torchao.quantization.pt2e.quantize_pt2e import prepare_qat_pt2e

    keep = tuple(settings.keep_float or ())
    _refuse_recurrent(graph, name, keep)
    kind, symmetric = grid_of(settings)
    quantizer = OrtQuantizer(
        activation_type=kind, symmetric=symmetric, per_channel=settings.per_channel, keep_float=keep
    )
    weighted = [(layer_of(n), n) for n in graph.graph.nodes if operator(n) in HOLDING_WEIGHTS]
    made = prepare_qat_pt2e(graph, quantizer)
    int8 = [f"{layer} ({kind})" if layer else kind for layer, kind in quantizer.annotated]
    if not any(kind in ("Conv", "Gemm") for _, kind in quantizer.annotated):
        kinds = ", ".join(sorted({operator(n) for n in graph.graph.nodes} - {""}))
        raise CandidateError(
            f"`{name}` has nothing that can be trained for int8: convolutions and linear layers "
            f"can, and with `keep_float`={list(keep)} none is left among its operators ({kinds}). "
            "Shorten `keep_float`, or take the method float16."
        )
    ours = {layer for layer, _ in quantizer.annotated}
    return _rehearsing(made), {
        "int8": int8,
        "float": sorted({layer for layer, _ in weighted} - ours),
    }


def _refuse_recurrent(graph: fx.GraphModule, name: str, keep: tuple[str, ...]) -> None:
    for node in graph.graph.nodes:
        kind, layer = RECURRENT.get(operator(node)), layer_of(node)
        if kind and not any(k in (kind, layer) or layer.startswith(f"{k}.") for k in keep):
            raise CandidateError(
                f"`{name}` has the recurrent layer `{layer}` ({kind}), for which ONNX Runtime has "
                "no trained int8 form. Name it in `keep_float` to train the rest (`keep_float: "
                f"[{layer}]`), or take the method dynamic or weight_only."
            )


def _rehearsing(program: fx.GraphModule) -> nn.Module:
    """The prepared graph as a module that `fit` can train: arrays in order, ranges of activations
    move in training only.
    """
    import torch
    from torch import nn

    class Rehearsing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.program = program
            self.register_buffer("frozen", torch.tensor(False))

        def forward(self, *arrays: torch.Tensor) -> torch.Tensor:
            return self.program(*arrays)

        def __deepcopy__(self, memo: dict[int, Any]) -> nn.Module:
            with quiet():  # copying a recorded graph makes torch warn of itself
                twin = _rehearsing(copy.deepcopy(self.program, memo))
            twin.frozen.copy_(self.frozen)
            return twin.train(self.training)

        def train(self, mode: bool = True) -> nn.Module:
            self.training = mode
            for quantizer in quantizers(self, of_weights=False):
                quantizer.observer_enabled[0] = int(mode and not bool(self.frozen))
            return self

    return Rehearsing().eval()


def quantizers(model: nn.Module, *, of_weights: bool) -> list[Any]:
    """The fake quantizers of weights (which follow at once) or of activations (which average)."""
    found = [m for m in model.modules() if hasattr(m, "fake_quant_enabled")]
    return [q for q in found if (q.activation_post_process.quant_min == WEIGHT_LOW) is of_weights]


@contextmanager
def silent() -> Iterator[None]:
    """torchao warns of GPU kernels that it does not find and of torch's own future; none of it
    helps a user.
    """
    loggers = [logging.getLogger(n) for n in ("torchao", "torch.utils._pytree", "torch.fx")]
    before = [lg.level for lg in loggers]
    for lg in loggers:
        lg.setLevel(logging.ERROR)
    try:
        with quiet():
            yield
    finally:
        for lg, level in zip(loggers, before, strict=True):
            lg.setLevel(level)
