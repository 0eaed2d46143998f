"""Small tasks and trained candidates for the contracts, made from scikit-learn's digits.

Each is made once a process, in about a second. Do not change them; the contracts work on copies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.data.rows import Rows, Splits
from workbench.metrics import BY_KIND, METRICS
from workbench.model_form import Training, form_named
from workbench.runtimes.to_onnx import OPSET
from workbench.task import Candidate, Task

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "onnx_candidate",
    "ready_candidate",
    "ready_task",
    "sklearn_candidate",
    "sklearn_task",
    "torch_candidate",
    "torch_task",
]

SPLITS = {
    "train": (0, 900),
    "valid": (900, 1250),
    "calibration": (1250, 1400),
    "test": (1400, 1797),
}
IR_VERSION = 10  # of the ONNX file: the newest that all supported versions of ONNX Runtime read
FIT = {"max_steps": 200, "lr": 0.01, "precision": "fp32", "memory_format": "contiguous"}


def _network(width: int) -> nn.Module:
    from torch import nn

    return nn.Sequential(
        nn.Linear(64, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, 10),
    )


def _net() -> nn.Module:
    return _network(32)


def _small() -> nn.Module:
    return _network(8)


def _logistic() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))


@cache
def _splits() -> Splits:
    """Images as rows `(rows, 64)` of numbers from 0 to 1, in one fixed order."""
    from sklearn.datasets import load_digits

    raw = load_digits()
    order = np.random.default_rng(0).permutation(len(raw.target))
    x = (raw.data[order] / 16).astype(np.float32)
    rows = Rows({"x": x}, raw.target[order].astype(np.int64))
    return Splits(**{name: rows.take(slice(*cut)) for name, cut in SPLITS.items()})


def _task(name: str, **values: Any) -> Task:
    return Task(
        name,
        "classification",
        _splits(),
        tuple(METRICS[metric] for metric in BY_KIND["classification"]),
        classes=tuple("0123456789"),
        **values,
    )


@cache
def torch_task() -> Task:
    """Digits as rows of 64 numbers, with the networks `net` and `small`."""
    builders = {"net": _net, "small": _small}
    return _task("tiny_networks", builders=builders, fits={"net": FIT, "small": FIT})


@cache
def sklearn_task() -> Task:
    """The same rows, with the estimator `logistic`, a pipeline with a scaler."""
    return _task("tiny_estimators", builders={"logistic": _logistic})


def _trained(task: Task) -> Candidate:
    candidate, _ = task.candidate()
    return form_named(candidate.form).fit(candidate, task.without_test(), Training("smoke"))


@cache
def torch_candidate() -> Candidate:
    """The network `net` of `torch_task`, trained."""
    return _trained(torch_task())


@cache
def sklearn_candidate() -> Candidate:
    """The estimator of `sklearn_task`, fitted."""
    return _trained(sklearn_task())


@cache
def onnx_candidate() -> Candidate:
    """The network of `torch_candidate` as an ONNX file, written layer by layer."""
    source = torch_candidate()
    return replace(source, form="onnx", model=_graph(source.model))


def _graph(network: nn.Module) -> bytes:
    """The content of an ONNX file; torch's own exporter would take seconds to import."""
    from onnx import TensorProto, helper, numpy_helper
    from torch import nn

    nodes, weights, last = [], [], "x"
    for number, layer in enumerate(network.children()):
        output = f"value_{number}"
        if isinstance(layer, nn.Linear):
            names = [f"weight_{number}", f"bias_{number}"]
            for name, value in zip(names, (layer.weight, layer.bias), strict=True):
                weights.append(numpy_helper.from_array(value.detach().numpy(), name))
            nodes.append(helper.make_node("Gemm", [last, *names], [output], transB=1))
        else:
            nodes.append(helper.make_node("Relu", [last], [output]))
        last = output
    rows = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 64])
    logits = helper.make_tensor_value_info(last, TensorProto.FLOAT, [None, 10])
    graph = helper.make_graph(nodes, "net", [rows], [logits], weights)
    opset = helper.make_opsetid("", OPSET)
    graph_model = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)
    return bytes(graph_model.SerializeToString())


READY: dict[str, tuple[Callable[[], Task], Callable[[], Candidate]]] = {
    "torch": (torch_task, torch_candidate),
    "sklearn": (sklearn_task, sklearn_candidate),
    "onnx": (torch_task, onnx_candidate),
}


def ready_task(forms: Sequence[str]) -> Task:
    """The small task for models in the first of these forms that has one; else `torch_task`."""
    ready = [READY[form][0] for form in forms if form in READY]
    return (ready or [torch_task])[0]()


def ready_candidate(forms: Sequence[str]) -> Candidate:
    """A copy of the small trained candidate in the first of these forms that has one.

    Raises TypeError where none has one.
    """
    ready = [READY[form][1] for form in forms if form in READY]
    if not ready:
        raise TypeError(
            f"There is no ready candidate in the form {' or '.join(forms)}; there is one in "
            f"{', '.join(READY)}. Give the fixtures `task` and `candidate`."
        )
    candidate = ready[0]()
    return replace(candidate, model=form_named(candidate.form).copy(candidate.model))
