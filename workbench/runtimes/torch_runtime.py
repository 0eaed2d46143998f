"""PyTorch: eager, or compiled if the machine has a C++ compiler."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.data.tensors import tensor
from workbench.errors import RunError, sentence_of
from workbench.models.networks import call_model, copied, first_tensor
from workbench.runtimes.runtime import Runtime
from workbench.runtimes.scores import as_scores
from workbench.system.machine import n_threads
from workbench.task import Candidate

if TYPE_CHECKING:
    from torch import nn

__all__ = ["TorchPredictor", "compiler"]


def compiler() -> str | None:
    """The C++ compiler that torch.compile would use, if there is one."""
    paths = (shutil.which(name) for name in ("c++", "g++", "clang++", "cl"))
    return next((path for path in paths if path), None)


class TorchPredictor:
    """A copy of a network in evaluation mode.

    torch sets `threads` for the whole process. Raises RunError without a compiler for `compiled`.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        outputs: str = "logits",
        threads: int | None = None,
        device: str = "cpu",
        compiled: bool = False,
    ) -> None:
        import torch

        if compiled and compiler() is None:
            raise RunError(
                "torch.compile needs a C++ compiler, and none is on the PATH: install g++, or use "
                "the runtime `torch`."
            )
        if torch.get_num_threads() != (threads or n_threads()):
            torch.set_num_threads(threads or n_threads())
        self.runtime = "torch-compiled" if compiled else "torch"
        self._model = copied(model).to(device).eval()
        if compiled:
            self._model = torch.compile(self._model, dynamic=False)
        self._device, self._outputs = device, outputs
        self.details: dict[str, Any] = {
            "device": device,
            "threads": torch.get_num_threads(),
            "precision": "fp32",
            "version": torch.__version__,
        }

    def predict(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """Scores `(batch, ...)` as float32; on a GPU it waits until they are computed."""
        import torch

        with torch.inference_mode():
            tensors = {name: tensor(a, self._device) for name, a in inputs.items()}
            outputs = first_tensor(self._called(tensors))
            return as_scores(outputs.float().cpu().numpy(), self._outputs)

    def _called(self, tensors: dict[str, Any]) -> Any:
        if self.runtime == "torch":
            return call_model(self._model, tensors)
        from torch._dynamo.exc import TorchDynamoException

        try:
            return call_model(self._model, tensors)
        except TorchDynamoException as error:  # compiled at the first call of a shape
            raise RunError(
                f"torch.compile failed here: {sentence_of(error)} Use the runtime `torch`."
            ) from error

    def close(self) -> None:
        self._model = None


def _lacks_compiler() -> str:
    if compiler() is not None:
        return ""
    return "torch.compile needs a C++ compiler, and none is on the PATH: install g++."


def _declared(name: str, title: str, *, compiled: bool) -> Runtime:
    def make(candidate: Candidate, threads: int | None, device: str) -> TorchPredictor:
        return TorchPredictor(
            candidate.model,
            outputs=candidate.outputs,
            threads=threads,
            device=device,
            compiled=compiled,
        )

    return Runtime(
        name,
        ("torch",),
        make,
        title=title,
        lacks=_lacks_compiler if compiled else lambda: "",
        libraries=("torch",),
        devices=("cpu", "cuda", "mps"),
    )


TORCH = _declared("torch", "PyTorch", compiled=False)
COMPILED = _declared("torch-compiled", "PyTorch, compiled", compiled=True)
