"""Engines that can run a candidate: `predictor()` makes one ready, a file an engine."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np

from workbench.errors import CandidateError, UnknownName, unknown
from workbench.task import Candidate

__all__ = ["RUNTIMES", "Predictor", "installed_for", "predictor", "runtimes_for"]

RUNTIMES = {
    "torch": ("torch",),
    "torch-compiled": ("torch",),
    "onnxruntime": ("onnx",),
    "openvino": ("onnx",),
    "openvino-bf16": ("onnx",),
    "sklearn": ("sklearn",),
}


class Predictor(Protocol):
    """A candidate made ready to run: prepared named arrays `(batch, ...)` in, outputs `(batch,
    ...)` out.
    """

    runtime: str
    details: dict[str, Any]

    def predict(self, inputs: dict[str, np.ndarray]) -> np.ndarray: ...

    def close(self) -> None: ...


def runtimes_for(candidate: Candidate) -> tuple[str, ...]:
    """The engines that run this candidate's form, the preferred one first.

    `torch-compiled` is not among them: compiling takes longer than most measurements, so it is
    asked for by name.
    """
    return {"torch": ("torch",), "onnx": ("onnxruntime",), "sklearn": ("sklearn",)}[candidate.form]


def installed_for(candidate: Candidate) -> tuple[str, ...]:
    """All engines of this machine that run the candidate's form, those that need an extra or a
    compiler where they are there.
    """
    from workbench.runtimes.torch_runtime import compiler

    here = {"torch-compiled": compiler() is not None} | dict.fromkeys(
        ("openvino", "openvino-bf16"), find_spec("openvino") is not None
    )
    if here["openvino-bf16"]:
        from workbench.system.machine import host

        here["openvino-bf16"] = any("bf16" in i or "amx" in i for i in host().instructions)
    return tuple(
        name for name, forms in RUNTIMES.items() if candidate.form in forms and here.get(name, True)
    )


def predictor(
    candidate: Candidate, runtime: str = "auto", *, threads: int | None = None, device: str = "cpu"
) -> Predictor:
    """Make a candidate ready to run on an engine; `threads` None takes all cores that this process
    may use, or what OMP_NUM_THREADS says.

    Raises UnknownName for an engine that does not exist, CandidateError for one that cannot run
    this form.
    """
    name = runtimes_for(candidate)[0] if runtime == "auto" else runtime
    if name not in RUNTIMES:
        raise UnknownName(unknown("runtime", name, RUNTIMES))
    if candidate.form not in RUNTIMES[name]:
        raise CandidateError(
            f"`{name}` runs {' or '.join(RUNTIMES[name])} models, and `{candidate.name}` is in the "
            f"form {candidate.form}. Write it as ONNX first (`workbench.to_onnx`), or take another "
            "runtime."
        )
    if name == "onnxruntime":
        from workbench.runtimes.onnx_runtime import OnnxPredictor

        return OnnxPredictor(
            candidate.model, outputs=candidate.outputs, threads=threads, device=device
        )
    if name.startswith("openvino"):
        from workbench.runtimes.openvino_runtime import OpenvinoPredictor

        return OpenvinoPredictor(
            candidate.model, outputs=candidate.outputs, threads=threads, device=device, runtime=name
        )
    if name == "sklearn":
        from workbench.runtimes.sklearn_runtime import SklearnPredictor

        return SklearnPredictor(candidate.model, outputs=candidate.outputs)
    from workbench.runtimes.torch_runtime import TorchPredictor

    return TorchPredictor(
        candidate.model,
        outputs=candidate.outputs,
        threads=threads,
        device=device,
        compiled=name == "torch-compiled",
    )
