"""Model files of peers as candidates that `time_side_by_side` takes, one for each engine that can
run them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from workbench.task import Candidate

__all__ = ["Compiled", "Entry", "entries", "size_bytes"]

Entry = tuple[
    str, Candidate, str
]  # the engine's name in the table, the candidate, the runtime that it is timed on


class Compiled:
    """OpenVINO's own form (IR), for one thread and in the precision of the file; a graph a shape,
    as the runtime `openvino` has.

    It is measured as an estimator, whose predictor hands arrays through: the runtimes of the
    workbench read ONNX only.
    """

    def __init__(
        self, model: bytes, weights: bytes, shape: tuple[int, ...], threads: int = 1
    ) -> None:
        self._files, self._shape, self._threads = (model, weights), shape, threads
        self._requests: dict[int, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_requests": {}}

    def predict(self, features: np.ndarray) -> np.ndarray:
        n = len(features)
        if n not in self._requests:
            self._requests[n] = self._request(n)
        self._requests[n].infer({0: features.reshape(n, *self._shape)}, share_inputs=True)
        return np.array(self._requests[n].get_output_tensor(0).data)

    def _request(self, n: int) -> Any:
        import openvino

        core = openvino.Core()
        model = core.read_model(*self._files)
        model.reshape({0: [n, *self._shape]})
        settings = {
            "INFERENCE_NUM_THREADS": self._threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        return core.compile_model(model, "CPU", settings).create_infer_request()


class Program(nn.Module):
    """An exported program, pickled as the path of its file; it refuses `eval()`, so it must not be
    a child of this module.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        import torchao.quantization.pt2e  # noqa: F401 (it brings the operators of the graph)

        object.__setattr__(self, "_graph", torch.export.load(path).module())
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Program, (self._path,)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._graph(x)


def entries(name: str, file: Path, start: Candidate, shape: tuple[int, ...]) -> Iterator[Entry]:
    """What a file can be measured as; `start` is the fp32 candidate, whose prepare and outputs it
    shares.
    """
    if file.suffix == ".pt2":
        yield (
            "torch.compile",
            replace(start, name=name, form="torch", model=Program(str(file.resolve()))),
            "torch-compiled",
        )
        return
    if file.suffix == ".xml":
        model = Compiled(file.read_bytes(), file.with_suffix(".bin").read_bytes(), shape)
        yield (
            "OpenVINO",
            replace(start, name=name, form="sklearn", model=model, outputs="values"),
            "sklearn",
        )
        return
    onnx = replace(start, name=name, form="onnx", model=file.read_bytes())
    yield "ONNX Runtime", onnx, "onnxruntime"
    yield "OpenVINO", onnx, "openvino"


def size_bytes(file: Path) -> int:
    """The size on disk, of all that belongs to the model."""
    beside = (
        [file.with_suffix(".bin")]
        if file.suffix == ".xml"
        else [file.with_name(file.name + ".data")]
    )
    return sum(path.stat().st_size for path in (file, *beside) if path.exists())
