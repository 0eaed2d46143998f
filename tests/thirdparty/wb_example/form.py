"""The form of `LinearModel`."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from wb_example.model import LinearModel
from workbench.data.rows import AnyRows
from workbench.measure.cost import size_of
from workbench.model_form import Form, Outputs, Training
from workbench.runtimes.to_onnx import OPSET
from workbench.task import Candidate, Task

__all__ = ["NumpyLinearForm"]

FILE = "model.npz"


class NumpyLinearForm(Form):
    """A linear model of NumPy arrays."""

    name = "numpy_linear"
    noun = "a linear NumPy model"
    runtimes = ("numpy_matmul",)

    def is_mine(self, model: Any) -> bool:
        return isinstance(model, LinearModel)

    def copy(self, model: Any) -> LinearModel:
        return copy.deepcopy(model)

    def untrained(self, model: Any) -> Callable[[], LinearModel]:
        return partial(LinearModel.untrained, *model.weight.shape)

    def is_trained(self, model: Any) -> bool:
        return bool(model.weight.any())

    def fit(self, candidate: Candidate, task: Task, training: Training) -> Candidate:
        training.report.message(f"Fitting {candidate.name}.")
        rows: AnyRows = task.data.train.prepared(candidate.prepare)
        whole = rows.take(slice(None))
        return candidate.fitted(candidate.model.trained(_matrix(whole.inputs), whole.targets))

    def outputs(self, candidate: Candidate, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        return candidate.model.logits(_matrix(inputs))

    def size(self, model: Any) -> tuple[int, int]:
        return size_of(_file(model))

    def n_parameters(self, model: Any) -> int:
        return int(model.weight.size + model.bias.size)

    def macs(self, model: Any, inputs: Mapping[str, np.ndarray]) -> int:
        return int(model.weight.size)

    def keep(
        self, candidate: Candidate, folder: Path, inputs: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        (folder / FILE).write_bytes(_file(candidate.model))
        return {}

    def load(
        self,
        folder: Path,
        about: Mapping[str, Any],
        *,
        build: Callable[[], Any] | None = None,
        trusted: Sequence[Any] = (),
    ) -> LinearModel:
        with np.load(folder / FILE, allow_pickle=False) as arrays:
            return LinearModel(arrays["weight"], arrays["bias"])

    def to_onnx(
        self, candidate: Candidate, inputs: Mapping[str, np.ndarray]
    ) -> tuple[bytes, Outputs]:
        from onnx import TensorProto, helper, numpy_helper

        model = candidate.model
        n_features, n_classes = model.weight.shape
        graph = helper.make_graph(
            [helper.make_node("Gemm", ["x", "weight", "bias"], ["output"])],
            "linear",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, n_features])],
            [helper.make_tensor_value_info("output", TensorProto.FLOAT, [None, n_classes])],
            [
                numpy_helper.from_array(model.weight.astype(np.float32), "weight"),
                numpy_helper.from_array(model.bias.astype(np.float32), "bias"),
            ],
        )
        opset = [helper.make_opsetid("", OPSET)]
        made = helper.make_model(graph, opset_imports=opset, ir_version=10)
        return made.SerializeToString(), candidate.outputs


def _matrix(inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([a.reshape(len(a), -1) for a in inputs.values()], axis=1)


def _file(model: LinearModel) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, weight=model.weight, bias=model.bias)
    return buffer.getvalue()


FORM = NumpyLinearForm()
