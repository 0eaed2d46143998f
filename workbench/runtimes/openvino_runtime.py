"""OpenVINO: ONNX files on x86 and Arm processors, in the precision that its name says.

By default, OpenVINO runs an fp32 model in bf16 if the processor supports it. Here, `openvino`
computes fp32 models in fp32 and `openvino-bf16` in bf16; int8 graphs run in int8 in both. The
precision that really ran is read from the compiled graph, into `details`.
"""

from __future__ import annotations

import io
import sys
from collections import Counter
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from workbench.errors import CandidateError, MissingExtra, RunError, line_of
from workbench.runtimes.coverage import CONVERSIONS, MOVES, Coverage
from workbench.runtimes.feeding import fed, in_batches
from workbench.runtimes.openvino_chains import keep_layers_apart
from workbench.runtimes.openvino_sums import keep_sums_in_float
from workbench.runtimes.runtime import Runtime
from workbench.runtimes.scores import as_scores
from workbench.system.machine import host, n_threads
from workbench.task import Candidate

__all__ = ["OpenvinoPredictor", "executed", "library"]

HINTS = {"openvino": "f32", "openvino-bf16": "bf16"}
NAMES = {
    "f32": "fp32",
    "bf16": "bf16",
    "f16": "fp16",
    "i8": "int8",
    "u8": "int8",
    "i4": "int4",
    "u4": "int4",
}
MATRIX = (
    "Convolution",
    "FullyConnected",
    "MatMul",
    "Deconvolution",
    "GroupConvolution",
    "LSTMSequence",
    "GRUSequence",
    "RNNSeq",
)
# Number of input shapes that get a graph of their own. Further ones (texts of any length) share the
# graph of free shapes.
MOST_SHAPES = 4


class OpenvinoPredictor:
    """One compiled graph for each shape of inputs.

    Fixed shapes were measured to be 10 to 25 % faster than free ones. Raises CandidateError when
    the file does not load, MissingExtra without OpenVINO, RunError for a device other than the CPU.
    """

    def __init__(
        self,
        content: bytes,
        *,
        outputs: str = "logits",
        threads: int | None = None,
        device: str = "cpu",
        runtime: str = "openvino",
    ) -> None:
        openvino = library()
        if device != "cpu":
            raise RunError(f"`{runtime}` runs on the CPU only, got `{device}`. Use `device='cpu'`.")
        self.runtime = runtime
        self._kind = outputs
        self._core = openvino.Core()
        self._options = {
            "INFERENCE_NUM_THREADS": threads or n_threads(),
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": HINTS[runtime],
        }
        try:
            self._model = _read(self._core, content)
        except Exception as error:
            raise CandidateError(f"OpenVINO cannot read the model: {line_of(error)}") from error
        self._inputs = {
            i.any_name: (i.element_type.to_dtype(), len(i.partial_shape))
            for i in self._model.inputs
        }
        firsts = [i.partial_shape[0] for i in self._model.inputs if len(i.partial_shape)]
        self._fixed = next((int(n.get_length()) for n in firsts if n.is_static), 0)
        floats = [n for n, o in enumerate(self._model.outputs) if o.element_type.is_real()]
        logits = [n for n in floats if "logits" in self._model.outputs[n].names]
        self._output = next(iter([*logits, *floats]), 0)
        self._requests: dict[tuple[tuple[int, ...], ...], Any] = {}
        self._free: Any = None
        self.details: dict[str, Any] = {
            "provider": "CPU",
            "threads": self._options["INFERENCE_NUM_THREADS"],
            "version": openvino.__version__,
            "precision": "",
        }

    def predict(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """Scores `(batch, ...)`, in float32 unless the graph gives float64.

        They are logits, or log-probabilities of a model that gives probabilities. A graph of a
        fixed batch size is run as often as it takes.
        """
        return in_batches(self._once, inputs, self._fixed)

    def _once(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        arrays = [np.ascontiguousarray(a) for a in fed(self._inputs, inputs).values()]
        request = self._request(tuple(a.shape for a in arrays))
        request.infer(dict(enumerate(arrays)), share_inputs=True)
        outputs = request.get_output_tensor(self._output).data
        dtype = np.float64 if outputs.dtype == np.float64 else np.float32
        return as_scores(np.array(outputs, dtype), self._kind)

    def close(self) -> None:
        """Free the model; a closed predictor compiles no other one."""
        self._requests, self._free, self._model = {}, None, None

    def _request(self, shapes: tuple[tuple[int, ...], ...]) -> Any:
        if shapes in self._requests:
            return self._requests[shapes]
        if len(self._requests) < MOST_SHAPES:
            fixed = self._model.clone()
            try:
                fixed.reshape({n: list(shape) for n, shape in enumerate(shapes)})
                self._requests[shapes] = self._compiled(fixed)
                return self._requests[shapes]
            except RuntimeError as error:
                # With free dimensions, the graph of free shapes is tried; it reports a shape that
                # the model cannot take.
                is_free = any(i.partial_shape.is_dynamic for i in self._model.inputs)
                if self._free is None and not is_free:
                    raise CandidateError(
                        f"OpenVINO cannot run the model: {line_of(error)}"
                    ) from error
        if self._free is None:
            self._free = self._compiled(self._model)
        return self._free

    def _compiled(self, model: Any) -> Any:
        compiled = self._core.compile_model(model, "CPU", self._options)
        devices = list(compiled.get_property("EXECUTION_DEVICES"))
        if devices != ["CPU"]:
            raise RunError(f"OpenVINO fell back from CPU to {devices}.")
        if not self.details["precision"]:
            self.details["precision"] = precision_of(compiled)
        return compiled.create_infer_request()


def library() -> Any:
    """The module `openvino`, imported without its telemetry.

    With telemetry, the import looks up an analytics host. Raises MissingExtra without OpenVINO.
    """
    absent = object()
    before = sys.modules.get("openvino_telemetry", absent)
    if "openvino" not in sys.modules:
        # None makes its import fail; OpenVINO then uses its own stub. Typeshed allows modules only.
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    try:
        import openvino
    except ImportError as error:
        raise MissingExtra("The runtime `openvino`", "openvino") from error
    finally:
        if before is absent:
            sys.modules.pop("openvino_telemetry", None)
    return openvino


def _read(core: Any, content: bytes) -> Any:
    """The model of an ONNX file, changed where OpenVINO would give wrong outputs."""
    model = core.read_model(io.BytesIO(content))
    keep_sums_in_float(model)
    keep_layers_apart(model)
    return model


def executed(content: bytes, runtime: str = "openvino") -> list[dict[str, str]]:
    """The operators of a graph as OpenVINO runs them on this machine.

    Each has its `name`, `op_type`, `precision` and `layers`, the layers fused in it. Raises
    CandidateError when OpenVINO cannot run the graph.
    """
    core = library().Core()
    try:
        model = _read(core, content)
        compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": HINTS[runtime]})
    except RuntimeError as error:
        raise CandidateError(f"OpenVINO cannot run the model: {line_of(error)}") from error
    return _operators(compiled)


def precision_of(compiled: Any) -> str:
    """Precisions of the matrix operators with their counts, most frequent first: "int8 21, fp32 1".

    Of a graph without matrix operators, the precisions of all operators.
    """
    operators = _operators(compiled)
    matrix = [o for o in operators if o["op_type"] in MATRIX]
    counts = Counter(o["precision"] for o in matrix or operators)
    return ", ".join(f"{name} {n}" if len(counts) > 1 else name for name, n in counts.most_common())


def _operators(compiled: Any) -> list[dict[str, str]]:
    operators = []
    for node in compiled.get_runtime_model().get_ordered_ops():
        about = node.get_rt_info()
        kind = _text(about, "layerType")
        if kind in ("Input", "Output", "Const", "Parameter", "Result"):
            continue
        precision = _text(about, "runtimePrecision").lower()
        operators.append(
            {
                "name": node.get_friendly_name(),
                "op_type": kind,
                "precision": NAMES.get(precision, precision),
                "layers": _text(about, "originalLayersNames"),
            }
        )
    return operators


def _text(about: Any, key: str) -> str:
    if key not in about:
        return ""
    return str(getattr(about[key], "value", about[key]))


def coverage_of(content: bytes, runtime: str) -> Coverage:
    """The operators of an ONNX file as OpenVINO runs them; raises CandidateError."""
    rows, n_conversions = [], 0
    for op in executed(content, runtime):
        n_conversions += op["op_type"] in CONVERSIONS
        if op["op_type"] in MOVES | CONVERSIONS:
            continue
        is_low = op["precision"] in ("int8", "int4")
        why = (
            ""
            if is_low
            else "OpenVINO runs it in floating point: it has no quantized inputs, or no int8 kernel"
        )
        rows.append(
            {"name": op["name"], "op_type": op["op_type"], "precision": op["precision"], "why": why}
        )
    return Coverage(runtime, tuple(rows), n_conversions)


def _lacks(runtime: str) -> str:
    if find_spec("openvino") is None:
        return str(MissingExtra(f"The runtime `{runtime}`", "openvino"))
    if runtime == "openvino" or any("bf16" in i or "amx" in i for i in host().instructions):
        return ""
    return "The runtime `openvino-bf16` needs a processor with bf16; use `openvino`."


def _declared(name: str, title: str) -> Runtime:
    def make(candidate: Candidate, threads: int | None, device: str) -> OpenvinoPredictor:
        return OpenvinoPredictor(
            candidate.model,
            outputs=candidate.outputs,
            threads=threads,
            device=device,
            runtime=name,
        )

    return Runtime(
        name,
        ("onnx",),
        make,
        title=title,
        lacks=partial(_lacks, name),
        prepare_import=library,
        coverage=partial(coverage_of, runtime=name),
    )


OPENVINO = _declared("openvino", "OpenVINO")
OPENVINO_BF16 = _declared("openvino-bf16", "OpenVINO in bf16")
