"""Quantization-aware training: the network rehearses int8 while it trains, and leaves as an ONNX file that computes in it.

    module --torch.export--> graph --torchao--> graph with fake quantizers --fit--> int8 weights --torch.onnx--> QDQ ONNX
                                    (OrtQuantizer)   rounding in the forward pass,      biases on the grid of
                                                     gradients pass straight through    input times weight (int32)

Ranges of activations are read from calibration rows first, then move with training, and hold still in its last part; those of
weights follow the weights. Batch norms are folded and dropout is left out: this is fine-tuning, with a learning rate of about a
tenth of the one that trained the network (`DEFAULT_LR`).

Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", 2018;
gradients: Bengio et al., "Estimating or Propagating Gradients Through Stochastic Neurons", 2013; folding and the learning
rate: Nagel et al., "A White Paper on Neural Network Quantization", 2021.
"""

from __future__ import annotations

import copy
import io
import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.cache import fingerprint
from workbench.errors import CandidateError, ExportError
from workbench.metrics import like_targets
from workbench.runtimes import predictor
from workbench.runtimes.to_onnx import OPSET, free_dims, quiet
from workbench.task import Candidate, call_model, first_tensor
from workbench.technique import Job
from workbench.techniques.quantization.network import small
from workbench.techniques.quantization.pt2e_quantizer import AVERAGING, WEIGHT_LOW, OrtQuantizer, layer_of, operator
from workbench.techniques.quantization.tidy import tidy
from workbench.tensors import TensorRows, tensor
from workbench.training import FitSettings, fit, predict_batches

if TYPE_CHECKING:
    import torch
    from torch import fx, nn

__all__ = ["DEFAULT_LR", "Aware", "train_aware"]

DEFAULT_LR = 2e-4
CALIBRATION_ROWS = 512
BATCH = 64
FREEZE_AT = 0.8  # share of the steps after which ranges hold still, so that the weights settle on a fixed grid
DISAGREES = 0.2  # of the largest output: kernels round otherwise here and there, a graph put together wrongly is further off
RECURRENT = {"lstm": "LSTM", "gru": "GRU", "rnn_tanh": "RNN", "rnn_relu": "RNN"}
HOLDING_WEIGHTS = {"conv1d", "conv2d", "conv3d", "linear", "conv_transpose1d", "conv_transpose2d", "embedding", *RECURRENT}


@dataclass(frozen=True)
class Aware:
    """The QDQ ONNX file, how training went (a row an epoch), and what was chosen on the way.

    `choices`: `precision` and `memory_format` of the training, `activation_type`, `valid_score_calibrated` (calibrated only,
    before training), `trained` (whether training did not lose against that, and was kept), and `int8` and `float`: the
    operators that compute in int8, and the layers with weights that do not.
    """

    content: bytes
    history: list[dict[str, float]]
    choices: dict[str, Any]


def train_aware(job: Job, settings: Any) -> Aware:
    """Fine-tune a copy of the job's torch network under int8 rounding and write it as QDQ ONNX with a dynamic batch.

    Of `settings` it reads `fit` (FitSettings), `per_channel`, `activation_type`, `keep_float`, and, if there, `symmetric` and
    `calibration_rows`. Raises CandidateError for a network that torch.export cannot follow, that has recurrent layers not named in
    `keep_float`, or nothing to quantize; SettingsError for a name in `keep_float` that nothing has; Cancelled on request.
    """
    job.report.message("Recording the network for quantization-aware training.")
    _check_form(job)
    inputs = {name: tensor(np.concatenate([a[:2], a[:1]]), "cpu") for name, a in job.example(2).items()}
    with _silent():
        rehearsal, found = _prepared(_recorded(job.start, inputs), job.start.name, settings)
    left = ", ".join(found["float"]) or "none"
    job.report.message(f"{len(found['int8'])} operators will compute in int8; layers that stay in float: {left}.")
    _calibrate(rehearsal, job, getattr(settings, "calibration_rows", None) or CALIBRATION_ROWS)
    before = _score(rehearsal, job)
    fitted = fit(
        rehearsal, job.task, _plain(settings.fit), prepare=job.start.prepare, report=job.report, seed=job.seed,
        device=job.device, checkpoint=job.folder / f"qat-{_key(settings)}.pt", step_hook=_freezing(job, settings.fit),
    )  # fmt: skip
    sign = 1 if job.task.metric.higher_is_better else -1
    kept = max((sign * row["valid_score"] for row in fitted.history), default=-math.inf) >= sign * before
    job.report.message("Writing the trained network as ONNX.")
    with _silent():
        content = _written(fitted.model if kept else rehearsal, inputs, job.start)
    choices = {
        "precision": "fp32", "memory_format": "contiguous", "activation_type": _grid(settings)[0],
        "valid_score_calibrated": before, "trained": kept, **found,
    }  # fmt: skip
    return Aware(content, fitted.history, choices)


def _check_form(job: Job) -> None:
    if job.start.form != "torch":
        raise CandidateError(
            f"Quantization-aware training trains, so it takes a torch network; `{job.start.name}` is in the form {job.start.form}. "
            "Take the method static, or put this step before the one that changes the form."
        )


def _plain(settings: FitSettings) -> FitSettings:
    """Fake quantizers round in fp32; in bf16 the rounding of the number format would drown theirs."""
    return settings.model_copy(update={"precision": "fp32", "memory_format": "contiguous"})


def _grid(settings: Any) -> tuple[str, bool]:
    """Type of activations, auto being uint8 (the one that ONNX Runtime fuses fully), and whether zero is in its middle."""
    kind = "int8" if settings.activation_type == "int8" else "uint8"
    wanted = getattr(settings, "symmetric", None)
    return kind, kind == "int8" if wanted is None else wanted


def _key(settings: Any) -> str:
    """What shapes the recorded graph: a checkpoint of another one must not be continued."""
    return fingerprint(*map(str, _grid(settings)), str(settings.per_channel), ",".join(settings.keep_float or ()))[:12]


def _recorded(start: Candidate, inputs: dict[str, torch.Tensor]) -> fx.GraphModule:
    """The network in evaluation mode as a graph of operators, with its parameters; refuses what torch.export cannot follow."""
    import torch

    net = copy.deepcopy(start.model).to("cpu").eval()
    _check_finite(net, start.name)
    function, arrays = _answering(net, tuple(inputs)), tuple(inputs.values())
    shapes = {"arrays": tuple(free_dims(t) for t in inputs.values())}
    failed: Exception | None = None
    for strict in (False, True):  # strict reads the source instead of running it: slower, and `len(x)` stays free
        try:
            program = torch.export.export(function, arrays, dynamic_shapes=shapes, strict=strict)
            if any(getattr(getattr(n.target, "_schema", None), "is_mutable", False) for n in program.graph.nodes):
                program = program.run_decompositions({})  # in-place operators would write over values that are still needed
            return program.module(check_guards=False)
        except Exception as error:
            failed = failed or error
    raise CandidateError(
        f"`{start.name}` cannot be trained for int8: torch.export cannot follow {_where(failed, net)}: {_line(failed)} Rewrite that "
        "part without decisions that depend on values or on the number of rows, or take the method static or dynamic."
    ) from failed


def _check_finite(net: nn.Module, name: str) -> None:
    """NaN makes nonsense of every scale."""
    for path, value in net.named_parameters():
        if not bool(value.isfinite().all()):
            n = int((~value.isfinite()).sum())
            raise CandidateError(
                f"`{name}` holds {n} values that are not finite in `{path}`: no scale can be found for them. Train the model anew, "
                "or take an earlier checkpoint."
            )


def _where(error: BaseException | None, net: nn.Module) -> str:
    """The innermost module of the network that was at work when the error came."""
    names = {id(m): n for n, m in net.named_modules()}
    found, at = "", error.__traceback__ if error else None
    while at is not None:
        module = at.tb_frame.f_locals.get("self")
        if id(module) in names and at.tb_frame.f_code.co_name == "forward":
            found = (
                f"the layer `{names[id(module)]}` ({type(module).__name__})" if names[id(module)] else f"`{type(net).__name__}`"
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


def _prepared(graph: fx.GraphModule, name: str, settings: Any) -> tuple[nn.Module, dict[str, list[str]]]:
    """The graph with fake quantizers, and the layers that compute in int8 and in float; refuses one without any."""
    from torchao.quantization.pt2e.quantize_pt2e import prepare_qat_pt2e

    keep = tuple(settings.keep_float or ())
    _refuse_recurrent(graph, name, keep)
    kind, symmetric = _grid(settings)
    quantizer = OrtQuantizer(activation_type=kind, symmetric=symmetric, per_channel=settings.per_channel, keep_float=keep)
    weighted = [(layer_of(n), n) for n in graph.graph.nodes if operator(n) in HOLDING_WEIGHTS]
    prepared = prepare_qat_pt2e(graph, quantizer)
    int8 = [f"{layer} ({kind})" if layer else kind for layer, kind in quantizer.annotated]
    if not any(kind in ("Conv", "Gemm") for _, kind in quantizer.annotated):
        kinds = ", ".join(sorted({operator(n) for n in graph.graph.nodes} - {""}))
        raise CandidateError(
            f"`{name}` has nothing that can be trained for int8: convolutions and linear layers can, and with "
            f"`keep_float`={list(keep)} none is left among its operators ({kinds}). Shorten `keep_float`, or take the method float16."
        )
    ours = {layer for layer, _ in quantizer.annotated}
    return _rehearsing(prepared), {"int8": int8, "float": sorted({layer for layer, _ in weighted} - ours)}


def _refuse_recurrent(graph: fx.GraphModule, name: str, keep: tuple[str, ...]) -> None:
    for node in graph.graph.nodes:
        kind, layer = RECURRENT.get(operator(node)), layer_of(node)
        if kind and not any(k in (kind, layer) or layer.startswith(f"{k}.") for k in keep):
            raise CandidateError(
                f"`{name}` has the recurrent layer `{layer}` ({kind}), for which ONNX Runtime has no trained int8 form. "
                f"Name it in `keep_float` to train the rest (`keep_float: [{layer}]`), or take the method dynamic or weight_only."
            )


def _rehearsing(program: fx.GraphModule) -> nn.Module:
    """The prepared graph as a module that `fit` can train: arrays in order, ranges of activations move in training only."""
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
            for quantizer in _quantizers(self, of_weights=False):
                quantizer.observer_enabled[0] = int(mode and not bool(self.frozen))
            return self

    return Rehearsing().eval()


def _quantizers(model: nn.Module, *, of_weights: bool) -> list[Any]:
    """The fake quantizers of weights (which follow at once) or of activations (which average)."""
    found = [m for m in model.modules() if hasattr(m, "fake_quant_enabled")]
    return [q for q in found if (q.activation_post_process.quant_min == WEIGHT_LOW) is of_weights]


def _calibrate(rehearsal: nn.Module, job: Job, n_rows: int) -> None:
    """Read the ranges of activations from calibration rows, without rounding: the mean over batches of their extremes."""
    import torch

    rows = TensorRows(job.task.data.calibration.take(slice(0, n_rows)), job.start.prepare, "cpu")
    every = [*_quantizers(rehearsal, of_weights=True), *_quantizers(rehearsal, of_weights=False)]
    rehearsal.train()
    for quantizer in every:
        quantizer.fake_quant_enabled[0] = 0
    for done, (inputs, _) in enumerate(rows.batches(BATCH)):
        job.report.progress(done * BATCH, len(rows), f"reading ranges from {len(rows)} rows")
        for quantizer in _quantizers(rehearsal, of_weights=False):
            quantizer.activation_post_process.averaging_constant = 1 / (done + 1)
        with torch.no_grad():
            rehearsal(*inputs.values())
    for quantizer in _quantizers(rehearsal, of_weights=False):
        quantizer.activation_post_process.averaging_constant = AVERAGING
    for quantizer in every:
        quantizer.fake_quant_enabled[0] = 1
    rehearsal.eval()


def _score(rehearsal: nn.Module, job: Job) -> float:
    """Score on valid of what was calibrated and not yet trained."""
    targets = np.asarray(job.task.data.valid.targets)
    rows = TensorRows(job.task.data.valid, job.start.prepare, "cpu")
    outputs = np.concatenate(list(predict_batches(rehearsal, rows, "cpu", {}, job.report)))
    return job.task.metric(like_targets(outputs, targets), targets)


def _freezing(job: Job, settings: FitSettings) -> Callable[[nn.Module, int], None]:
    """A step hook that holds the ranges of activations still in the last part of training."""
    n_steps = math.ceil(len(job.task.data.train) / settings.batch_size) * (settings.epochs or 0)
    last = FREEZE_AT * min(n_steps, settings.max_steps or n_steps)

    def freeze(model: nn.Module, step: int) -> None:
        if step >= last and not bool(model.frozen):
            model.frozen.fill_(True)
            model.train()

    return freeze


def _written(rehearsal: nn.Module, inputs: dict[str, torch.Tensor], start: Candidate) -> bytes:
    """The trained program as QDQ ONNX that ONNX Runtime fuses; raises ExportError when it answers differently."""
    import onnx
    import torch
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e

    with torch.no_grad():
        rehearsal.eval()(*inputs.values())  # the grids of the weights as they are now
        program = convert_pt2e(copy.deepcopy(rehearsal.program))
        wanted = program(*inputs.values()).numpy()
    buffer = io.BytesIO()
    try:
        exported = torch.onnx.export(
            torch.export.export(program, tuple(inputs.values()), dynamic_shapes=tuple(free_dims(t) for t in inputs.values())),
            dynamo=True, opset_version=OPSET, input_names=list(inputs), output_names=["output"], verbose=False,
        )  # fmt: skip
        exported.optimize()
        exported.save(buffer)
    except Exception as error:
        raise ExportError(
            f"`{start.name}` was trained for int8, and cannot be written as ONNX by torch.onnx.export: {_line(error)} Rewrite that "
            "part, or take the method static."
        ) from error
    model = onnx.load_from_string(buffer.getvalue())
    tidy(model)
    content = small(model)
    made = start.child(start.name, "quantization", form="onnx", model=content)
    got = predictor(made, threads=1).predict({n: t.numpy() for n, t in inputs.items()}).reshape(wanted.shape)
    gap, scale = float(np.abs(got - wanted).max()), float(np.abs(wanted).max())
    if not gap <= DISAGREES * max(scale, 1.0):
        raise ExportError(
            f"The int8 file of `{start.name}` answers differently: off by {gap:.3g} where outputs reach {scale:.3g}."
        )
    return content


def _line(error: Exception | None) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = (lines[0] if lines else type(error).__name__)[:300]
    return text if text.endswith((".", "!", "?")) else f"{text}."


@contextmanager
def _silent() -> Iterator[None]:
    """torchao warns of GPU kernels that it does not find and of torch's own future; none of it helps a user."""
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
