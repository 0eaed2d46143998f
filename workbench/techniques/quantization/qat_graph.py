"""The network as a graph with fake quantizers, which `fit` can train.

torch.export records the network as a graph of operators; torchao inserts the fake quantizers.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from workbench.errors import CandidateError, sentence_of
from workbench.models.networks import call_model, copied, first_tensor
from workbench.runtimes.to_onnx import free_dims, quiet
from workbench.task import Candidate
from workbench.techniques.quantization.base import is_symmetric
from workbench.techniques.quantization.pt2e_operators import layer_of, operator
from workbench.techniques.quantization.pt2e_quantizer import WEIGHT_LOWS, OrtQuantizer

if TYPE_CHECKING:
    import torch
    from torch import fx, nn

    from workbench.techniques.quantization import QuantizationSettings

__all__ = [
    "activation_type_of",
    "fake_quantized",
    "fake_quantizers",
    "recorded",
    "without_library_warnings",
]

RECURRENT = {"lstm": "LSTM", "gru": "GRU", "rnn_tanh": "RNN", "rnn_relu": "RNN"}
OPERATORS_WITH_WEIGHTS = {
    "conv1d",
    "conv2d",
    "conv3d",
    "linear",
    "conv_transpose1d",
    "conv_transpose2d",
    "embedding",
    *RECURRENT,
}


def activation_type_of(settings: QuantizationSettings) -> str:
    """Integer type of activations; auto is uint8, the type that ONNX Runtime fuses fully."""
    return "int8" if settings.activation_type == "int8" else "uint8"


def recorded(start: Candidate, inputs: dict[str, torch.Tensor]) -> fx.GraphModule:
    """The network in evaluation mode as a graph of operators, with its parameters.

    Raises CandidateError for weights that are not finite, and for a network that torch.export
    cannot record.
    """
    network = copied(start.model).to("cpu").eval()
    _check_finite(network, start.name)
    function = _function_of_arrays(network, tuple(inputs))
    first_error: Exception | None = None
    # Strict mode reads the source code instead of running it. It is slower, but keeps the number of
    # rows free where the code calls `len(x)`.
    for strict in (False, True):
        try:
            return _export(function, tuple(inputs.values()), strict)
        except Exception as error:
            first_error = first_error or error
    raise CandidateError(
        f"`{start.name}` cannot be trained for int8: torch.export cannot record "
        f"{_failing_module(first_error, network)}: {sentence_of(first_error)} Rewrite that part "
        "without decisions that depend on values or on the number of rows, or use the method "
        "static or dynamic."
    ) from first_error


def _export(function: nn.Module, arrays: tuple[torch.Tensor, ...], strict: bool) -> fx.GraphModule:
    import torch

    shapes = {"arrays": tuple(free_dims(tensor) for tensor in arrays)}
    program = torch.export.export(function, arrays, dynamic_shapes=shapes, strict=strict)
    schemas = [getattr(node.target, "_schema", None) for node in program.graph.nodes]
    if any(getattr(schema, "is_mutable", False) for schema in schemas):
        # in-place operators would overwrite values that other operators still read
        program = program.run_decompositions({})
    return program.module(check_guards=False)


def _check_finite(network: nn.Module, name: str) -> None:
    """Refuse weights that are not finite."""
    for path, value in network.named_parameters():
        if not bool(value.isfinite().all()):
            n_values = int((~value.isfinite()).sum())
            raise CandidateError(
                f"`{name}` holds {n_values} values that are not finite in `{path}`: quantization "
                "cannot compute a scale for them. Train the model again, or use an earlier "
                "checkpoint."
            )


def _failing_module(error: BaseException | None, network: nn.Module) -> str:
    """The innermost module of the network whose `forward` raised the error, in words."""
    names = {id(module): name for name, module in network.named_modules()}
    innermost = network
    traceback = error.__traceback__ if error else None
    while traceback is not None:
        module = traceback.tb_frame.f_locals.get("self")
        if id(module) in names and traceback.tb_frame.f_code.co_name == "forward":
            innermost = module
        traceback = traceback.tb_next
    name, kind = names[id(innermost)], type(innermost).__name__
    return f"the layer `{name}` ({kind})" if name else f"`{kind}`"


def _function_of_arrays(network: nn.Module, names: tuple[str, ...]) -> nn.Module:
    """The network as a function of its inputs in order, which returns its first output."""
    from torch import nn

    class FunctionOfArrays(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = network

        def forward(self, *arrays: torch.Tensor) -> torch.Tensor:
            return first_tensor(call_model(self.net, dict(zip(names, arrays, strict=True))))

    return FunctionOfArrays()


def fake_quantized(
    graph: fx.GraphModule,
    name: str,
    settings: QuantizationSettings,
    rows: tuple[torch.Tensor, ...] = (),
) -> tuple[nn.Module, dict[str, list[str]]]:
    """The graph with fake quantizers, and the layers `int8`, `float` and `masked`.

    `masked` are operators that stay in float because on `rows`, inputs `(rows, ...)`, their values
    have no useful scale. They are given as layer and type of operator.
    Raises CandidateError for a network with recurrent layers not named in `keep_float`, or without
    an operator to quantize; SettingsError for a name in `keep_float` that the network does not
    have.
    """
    from torchao.quantization.pt2e.quantize_pt2e import prepare_qat_pt2e

    keep_float = tuple(settings.keep_float)
    _refuse_recurrent(graph, name, keep_float)
    activation_type = activation_type_of(settings)
    quantizer = OrtQuantizer(
        activation_type=activation_type,
        symmetric=is_symmetric(settings, activation_type),
        per_channel=settings.per_channel,
        reduce_range=bool(settings.reduce_range),
        keep_float=keep_float,
        rows=rows,
    )
    layers_with_weights = {
        layer_of(node) for node in graph.graph.nodes if operator(node) in OPERATORS_WITH_WEIGHTS
    }
    program = prepare_qat_pt2e(graph, quantizer)
    if not any(op_type in ("Conv", "Gemm") for _, op_type in quantizer.annotated):
        operators = ", ".join(sorted({operator(node) for node in graph.graph.nodes} - {""}))
        raise CandidateError(
            f"`{name}` has nothing that can be trained for int8. Convolutions and linear layers "
            f"can be; with `keep_float`={list(keep_float)} none is left among its operators "
            f"({operators}). Shorten `keep_float`, or use the method float16."
        )
    int8_layers = {layer for layer, _ in quantizer.annotated}
    return _trainable(program), {
        "int8": _in_words(quantizer.annotated),
        "masked": _in_words(quantizer.masked),
        "float": sorted(layers_with_weights - int8_layers),
    }


def _in_words(operators: list[tuple[str, str]]) -> list[str]:
    return [f"{layer} ({op})" if layer else op for layer, op in operators]


def _refuse_recurrent(graph: fx.GraphModule, name: str, keep_float: tuple[str, ...]) -> None:
    for node in graph.graph.nodes:
        op_type, layer = RECURRENT.get(operator(node)), layer_of(node)
        stays_float = any(
            entry in (op_type, layer) or layer.startswith(f"{entry}.") for entry in keep_float
        )
        if op_type and not stays_float:
            raise CandidateError(
                f"`{name}` has the recurrent layer `{layer}` ({op_type}), for which ONNX Runtime "
                "has no int8 form that can be trained. Name it in `keep_float` to train the rest "
                f"(`keep_float: [{layer}]`), or use the method dynamic or weight_only."
            )


def _trainable(program: fx.GraphModule) -> nn.Module:
    """The graph as a module for `fit`; ranges of activations change in training mode only.

    Once its buffer `frozen` is true, they do not change in training mode either.
    """
    import torch
    from torch import nn

    class FakeQuantized(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.program = program
            self.register_buffer("frozen", torch.tensor(False))

        def forward(self, *arrays: torch.Tensor) -> torch.Tensor:
            return self.program(*arrays)

        def __deepcopy__(self, memo: dict[int, Any]) -> nn.Module:
            with quiet():  # torch warns when a recorded graph is copied
                duplicate = _trainable(copy.deepcopy(self.program, memo))
            duplicate.frozen.copy_(self.frozen)
            return duplicate.train(self.training)

        def train(self, mode: bool = True) -> nn.Module:
            self.training = mode
            for quantizer in fake_quantizers(self, of_weights=False):
                quantizer.observer_enabled[0] = int(mode and not bool(self.frozen))
            return self

    return FakeQuantized().eval()


def fake_quantizers(model: nn.Module, *, of_weights: bool) -> list[Any]:
    """The fake quantizers of weights, or those of activations."""
    return [
        module
        for module in model.modules()
        if hasattr(module, "fake_quant_enabled")
        and (module.activation_post_process.quant_min in WEIGHT_LOWS) is of_weights
    ]


@contextmanager
def without_library_warnings() -> Iterator[None]:
    """Hide log messages of torch and torchao about missing GPU kernels and future versions."""
    loggers = [logging.getLogger(name) for name in ("torchao", "torch.utils._pytree", "torch.fx")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with quiet():
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
