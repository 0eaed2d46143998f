"""A user's own model, in whatever shape it comes, turned into builders and the candidate to start
from.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from workbench.data.rows import AnyRows, Rows
from workbench.errors import TaskError
from workbench.models.estimators import as_features, is_estimator, is_fitted, unfitted
from workbench.models.networks import can_reset, reset
from workbench.runtimes.outputs import ENOUGH, are_probabilities, outputs_of
from workbench.system.references import resolve
from workbench.task import Candidate, Form, Task, usual_outputs

__all__ = ["Given", "columns_for", "model_of"]


@dataclass(frozen=True)
class Given:
    """What `model=` was: a trained `instance`, a way to `build` an untrained one, or both."""

    form: Form | None = None
    name: str = "model"
    instance: Any = None
    build: Callable[..., Any] | None = None
    trained: bool = False
    wants_n_in: bool = False

    def fill(self, task: Task, outputs: str | None) -> Task:
        """The task with builders and the candidate to start from."""
        build = self.build
        if self.wants_n_in:
            first = next(iter(task.example(2).values()))
            if first.ndim < 2:
                raise TaskError(
                    "`model` wants the number of inputs, and a row is one value: `prepare` must "
                    "make a matrix."
                )
            build = partial(self.build, int(first.shape[1]))
        fresh = "untrained" if self.trained else self.name
        task = replace(task, builders={fresh: build} if build else {})
        if not self.trained:
            return task
        prepare = None if self.form == "sklearn" else task.prepare
        usual = usual_outputs(task.kind, self.form, self.instance)
        start = Candidate(
            self.name, self.form, self.instance, prepare=prepare, outputs=outputs or usual
        )
        if outputs is None and self.form == "onnx" and _gives_probabilities(start, task):
            start = replace(start, outputs="probabilities")
        if task.kind == "multilabel" and (
            start.outputs == "probabilities" or usual == "label_probabilities"
        ):
            start = replace(start, outputs="label_probabilities")
        return replace(task, start=start)


def model_of(model: Any) -> Given:
    """What kind of thing `model` is; raises TaskError for one that is none of them."""
    if model is None:
        return Given()
    if isinstance(model, str) and ":" in model and not Path(model).exists():
        made = resolve(model)
        given = model_of(made)
        return replace(given, name=model.rpartition(":")[2].rpartition(".")[2])
    if isinstance(model, (str, Path, bytes)):
        return _onnx(model)
    if hasattr(model, "state_dict") and hasattr(model, "forward") and not isinstance(model, type):
        mine = copy.deepcopy(
            model
        ).cpu()  # what the user does with the original later must not change the task
        build = partial(reset, copy.deepcopy(mine)) if can_reset(mine) else None
        return Given("torch", type(model).__name__.lower(), mine, build, trained=True)
    if is_estimator(model):
        name, fitted = type(model).__name__.lower(), is_fitted(model)
        return Given(
            "sklearn", name, copy.deepcopy(model), partial(unfitted, model), trained=fitted
        )
    if callable(model):
        return _builder(model)
    raise TaskError(
        f"`model` is {type(model).__name__}: give a torch module, a function that makes one, an "
        "estimator with `fit` and `predict`, an ONNX file, or `package.module:function`."
    )


def _onnx(model: str | Path | bytes) -> Given:
    """The content of an ONNX file in one piece: weights kept in files beside it are taken in."""
    import onnx

    if isinstance(model, bytes):
        return Given("onnx", "onnx", model, trained=True)
    path = Path(model)
    if not path.is_file():
        raise TaskError(
            f"`model` names no file {path}, and a reference is written as package.module:function."
        )
    try:
        content = onnx.load(path).SerializeToString()
    except Exception as error:  # protobuf's own errors
        raise TaskError(f"{path} is no ONNX file: {error}") from error
    return Given("onnx", path.stem, content, trained=True)


def _builder(function: Callable[..., Any]) -> Given:
    """A function that makes an untrained model; it is called once to see which form it makes,
    unless it wants `n_in`.
    """
    inner = function.func if isinstance(function, partial) else function
    name = getattr(inner, "__name__", type(inner).__name__)
    name = "model" if name == "<lambda>" else name
    needed = _needed(function)
    if len(needed) > 1:
        raise TaskError(
            f"`{name}` needs {', '.join(needed)}: wrap it, as in `model=lambda: {name}(...)`."
        )
    if needed:
        return Given("torch", name, build=function, wants_n_in=True)
    try:
        made = function()
    except Exception as error:  # the user's code
        raise TaskError(
            f"`{name}` raised {type(error).__name__} when it was called to build the model: {error}"
        ) from error
    if not is_estimator(made) and not hasattr(made, "state_dict"):
        kind = type(made).__name__
        raise TaskError(
            f"`{name}` made {kind}; it must make a torch module, or an estimator with `fit` and "
            "`predict`."
        )
    form: Form = "sklearn" if is_estimator(made) else "torch"
    return Given(form, name, build=function)


def _needed(function: Callable[..., Any]) -> list[str]:
    """Names of the positional parameters without a default."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # a builtin without a signature
        return []
    return [
        p.name
        for p in parameters
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]


def columns_for(given: Given, rows: AnyRows) -> AnyRows:
    """The columns that a fitted estimator knows, in its order; one matrix where it, or an ONNX
    graph, takes one.
    """
    if given.form in (None, "torch") or not isinstance(rows, Rows):
        return rows
    if any(
        np.ndim(a) != 1 for a in rows.inputs.values()
    ):  # images, or several arrays: the matrix that estimators take
        return (
            replace(rows, inputs={"x": as_features(rows.inputs)})
            if given.form == "sklearn"
            else rows
        )
    if not given.trained:
        return rows
    names = getattr(given.instance, "feature_names_in_", None)
    if names is not None:
        missing = [n for n in names if n not in rows.inputs]
        if missing:
            raise TaskError(
                f"`{given.name}` was fitted on columns that the data lack: "
                f"{', '.join(missing[:8])}."
            )
        return replace(rows, inputs={n: rows.inputs[n] for n in names})
    numbers = all(a.dtype.kind in "biuf" for a in rows.inputs.values())
    matrix = (
        len(_graph_inputs(given.instance)) == 1
        if given.form == "onnx"
        else hasattr(given.instance, "n_features_in_")
    )
    if not (numbers and matrix and len(rows.inputs) > 1):
        return rows
    dtype = np.float32 if given.form == "onnx" else np.float64
    return replace(rows, inputs={"x": np.column_stack(list(rows.inputs.values())).astype(dtype)})


def _graph_inputs(content: bytes) -> list[str]:
    import onnx

    graph = onnx.load_from_string(content).graph
    weights = {w.name for w in graph.initializer}
    return [i.name for i in graph.input if i.name not in weights]


def _gives_probabilities(candidate: Candidate, task: Task) -> bool:
    """Whether an ONNX classifier gives probabilities on real rows."""
    try:
        return are_probabilities(
            task, outputs_of(candidate, task.example(ENOUGH, candidate.prepare))
        )
    except Exception:  # it does not run, or not as it should: check_task says why
        return False
