"""ONNX Runtime: ONNX files on the CPU or on CUDA, without a silent change of device."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import CandidateError, RunError
from workbench.runtimes.feeding import fed, in_batches
from workbench.runtimes.onnx_coverage import coverage_of
from workbench.runtimes.runtime import Runtime
from workbench.runtimes.scores import as_scores
from workbench.system.machine import n_threads
from workbench.task import Candidate

__all__ = ["OnnxPredictor", "onnx_predictor"]

DTYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(float16)": np.float16,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.object_,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
}
FLOATS = ("tensor(float)", "tensor(double)", "tensor(float16)")


class OnnxPredictor:
    """One session; `content` is the bytes or the path of an ONNX file.

    Threads do not spin while idle. Raises CandidateError when the file does not load, RunError when
    the installed ONNX Runtime does not run on `device`.
    """

    runtime = "onnxruntime"

    def __init__(
        self,
        content: bytes | Path | str,
        *,
        outputs: str = "logits",
        threads: int | None = None,
        device: str = "cpu",
    ) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = threads or n_threads()
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        provider = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}.get(device)
        if provider is None or provider not in ort.get_available_providers():
            raise RunError(
                f"This build of ONNX Runtime has no provider for `{device}`; it has "
                f"{ort.get_available_providers()}. Use another device, or install a build with it."
            )
        source = content if isinstance(content, bytes) else str(content)
        try:
            self._session = ort.InferenceSession(source, options, providers=[provider])
        except Exception as error:
            raise CandidateError(f"ONNX Runtime cannot load the model: {error}") from error
        if provider not in self._session.get_providers():
            raise RunError(
                f"ONNX Runtime fell back from {provider} to {self._session.get_providers()}: the "
                "libraries or the driver of the device are missing."
            )
        self._inputs = {
            i.name: (DTYPES.get(i.type, np.float32), len(i.shape))
            for i in self._session.get_inputs()
        }
        firsts = [i.shape[0] for i in self._session.get_inputs() if i.shape]
        self._fixed = next((n for n in firsts if isinstance(n, int)), 0)
        self._output = _main_output(self._session.get_outputs())
        self._kind = outputs
        self.details: dict[str, Any] = {
            "provider": provider,
            "threads": options.intra_op_num_threads,
            "version": ort.__version__,
        }

    def predict(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """Scores `(batch, ...)`: logits, or log-probabilities of a model that gives shares.

        A graph of a fixed batch size is run as often as it takes.
        """
        return in_batches(partial(self._named, self._output), inputs, self._fixed)

    def every_output(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """All outputs that are arrays of floats, by name; the first holds scores as `predict`."""
        names = [o.name for o in self._session.get_outputs() if o.type in FLOATS]
        names.sort(key=lambda name: name != self._output)
        return {name: in_batches(partial(self._named, name), inputs, self._fixed) for name in names}

    def _named(self, name: str, inputs: dict[str, np.ndarray]) -> np.ndarray:
        out = self._session.run([name], self.feed(inputs))[0]
        return as_scores(out, self._kind) if name == self._output else out

    def feed(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The arrays with the names and types of the graph's inputs.

        Raises CandidateError when an input is missing.
        """
        return fed(self._inputs, inputs)

    def close(self) -> None:
        self._session = None


def _main_output(outputs: list[Any]) -> str:
    """The output that holds scores: `logits`, else the first one of a floating type."""
    floats = [o.name for o in outputs if o.type in FLOATS]
    if "logits" in floats:
        return "logits"
    return floats[0] if floats else outputs[0].name


def onnx_predictor(
    candidate: Candidate, threads: int | None = None, device: str = "cpu"
) -> OnnxPredictor:
    """The predictor of an ONNX candidate on ONNX Runtime; `threads` None takes all cores."""
    return OnnxPredictor(candidate.model, outputs=candidate.outputs, threads=threads, device=device)


RUNTIME = Runtime(
    "onnxruntime",
    ("onnx",),
    onnx_predictor,
    title="ONNX Runtime",
    libraries=("onnxruntime",),
    coverage=coverage_of,
    devices=("cpu", "cuda"),
)
