"""exported(): a scikit-learn estimator as the content of an ONNX file, by skl2onnx.

LightGBM and XGBoost are written by the converters of onnxmltools, which skl2onnx calls.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from workbench.errors import ExportError, line_of
from workbench.models.estimators import as_features
from workbench.runtimes.boosted_converters import opsets_for
from workbench.runtimes.feeding import graph_names
from workbench.runtimes.graphs import (
    with_column,
    with_columns,
    with_input_names,
    with_output,
)
from workbench.runtimes.to_onnx import quiet

__all__ = ["exported"]

Options = tuple[dict[str, bool], ...]

CONVERTED_TYPES = {"f": "Float", "i": "Int64", "u": "Int64", "b": "Int64"}  # else String
# Options of the last step: one array in place of a list of mappings, and scores as scikit-learn
# gives them (without `raw_scores`, those of a binary SVC have the other sign). Converters know
# none, one or both of them.
OPTIONS_OF_SCORES: Options = ({"zipmap": False, "raw_scores": True}, {"raw_scores": True})
OPTIONS_OF_CLASSIFIER: Options = ({"zipmap": False}, {})


def exported(model: Any, inputs: Mapping[str, np.ndarray], name: str) -> bytes:
    """A graph with the inputs of the data, and the outputs that the estimator gives, in order.

    `inputs` are raw rows `(rows, ...)` by column. Raises ExportError with the step that cannot be
    written.
    """
    model = _with_plain_encoders(model, name)
    has_probabilities = hasattr(model, "predict_proba")
    is_classifier = has_probabilities or hasattr(model, "classes_")
    tries: Sequence[Mapping[str, Any]] = OPTIONS_OF_CLASSIFIER if is_classifier else ({},)
    if is_classifier and not has_probabilities:
        tries = (*OPTIONS_OF_SCORES, *tries)
    content = _converted(model, inputs, name, tries)
    if has_probabilities or not is_classifier:
        return content
    content = with_output(content, 1)
    return with_column(content, 1) if _n_columns(content, inputs) == 2 else content


def _with_plain_encoders(model: Any, name: str) -> Any:
    """The estimator, in a copy where an encoder has a setting that skl2onnx passes over.

    It writes encoders with infrequent categories as if they had none, so the graph would have other
    columns: they are refused. Where no category is infrequent, `infrequent_if_exist` is `ignore`.
    """
    found = [getattr(part, "infrequent_categories_", ()) for part in _parts(model)]
    if any(of_column is not None for of_columns in found for of_column in of_columns):
        raise ExportError(
            f"`{name}` cannot be written as ONNX: skl2onnx cannot write infrequent categories. Set "
            "`max_categories` and `min_frequency` of the encoder to None, or keep the model in "
            "scikit-learn."
        )
    if not any(map(_puts_unknown_together, _parts(model))):
        return model
    changed = copy.deepcopy(model)
    for part in filter(_puts_unknown_together, _parts(changed)):
        part.handle_unknown = "ignore"
    return changed


def _puts_unknown_together(part: Any) -> bool:
    return getattr(part, "handle_unknown", "") == "infrequent_if_exist"


def _parts(model: Any) -> Iterator[Any]:
    """An estimator with all estimators inside it, fitted ones included."""
    seen, waiting = set(), [model]
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, (list, tuple)):
            waiting.extend(part)
        elif isinstance(part, dict):
            waiting.extend(part.values())
        elif hasattr(part, "get_params") and not isinstance(part, type):
            yield part
            waiting.extend(vars(part).values())


def _converted(
    model: Any, inputs: Mapping[str, np.ndarray], name: str, tries: Sequence[Mapping[str, Any]]
) -> bytes:
    """The graph by the first options that the converter of the last step knows."""
    from skl2onnx import to_onnx

    types, opsets = _types(inputs), opsets_for(_parts(model), name)
    are_numbers = all(a.dtype.kind in "biuf" and a.ndim == 1 for a in inputs.values())
    first: Exception | None = None
    for as_matrix in (False, True) if len(types) > 1 and are_numbers else (False,):
        chosen = _matrix(len(types)) if as_matrix else types
        for options in tries:
            try:
                with quiet(), _whole_numbers():
                    graph = to_onnx(
                        model,
                        initial_types=chosen,
                        options=_options(model, inputs, options) or None,
                        target_opset=opsets,
                    )
            except Exception as error:  # of skl2onnx, onnx and the converters of other packages
                first = first if first is not None and not _is_about_options(first) else error
                continue
            names = list(graph_names(inputs).values())
            return with_columns(graph, names) if as_matrix else with_input_names(graph, names)
    raise ExportError(_reason(name, model, first or ValueError("no way"))) from first


def _types(inputs: Mapping[str, np.ndarray]) -> list[tuple[str, Any]]:
    """Names and types of the graph's inputs, as skl2onnx takes them."""
    from skl2onnx.common import data_types

    features = as_features(inputs)
    names = graph_names(inputs)
    if isinstance(features, np.ndarray):
        if features.ndim == 1:
            return [("x", data_types.StringTensorType([None, 1]))]
        return _matrix(features.shape[1])
    return [
        (
            names[name],
            getattr(data_types, CONVERTED_TYPES.get(a.dtype.kind, "String") + "TensorType")(
                [None, 1]
            ),
        )
        for name, a in inputs.items()
    ]


def _matrix(n_columns: int) -> list[tuple[str, Any]]:
    from skl2onnx.common import data_types

    return [("x", data_types.FloatTensorType([None, n_columns]))]


def _options(
    model: Any, inputs: Mapping[str, np.ndarray], options: Mapping[str, Any]
) -> dict[Any, Any]:
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

    last = model.steps[-1][1] if "raw_scores" in options and hasattr(model, "steps") else model
    chosen: dict[Any, Any] = {id(last): dict(options)} if options else {}
    steps = [model, *(step for _, step in getattr(model, "steps", []))]
    vectorizers = [
        k for k in (TfidfVectorizer, CountVectorizer) if any(isinstance(s, k) for s in steps)
    ]
    return chosen | {kind: {"locale": "C"} for kind in vectorizers}


@contextmanager
def _whole_numbers() -> Iterator[None]:
    """Let skl2onnx write truth values among whole numbers.

    Its converter of histogram boosting does so, and onnx refuses them since version 1.21.
    """
    from skl2onnx.common import _container

    make_node = _container.make_node

    def with_whole_numbers(*args: Any, **attributes: Any) -> Any:
        return make_node(*args, **{name: _whole(value) for name, value in attributes.items()})

    _container.make_node = with_whole_numbers
    try:
        yield
    finally:
        _container.make_node = make_node


def _whole(value: Any) -> Any:
    if isinstance(value, (list, tuple)) and any(isinstance(v, (bool, np.bool_)) for v in value):
        return [int(v) if isinstance(v, (bool, np.bool_)) else v for v in value]
    return value


def _n_columns(content: bytes, inputs: Mapping[str, np.ndarray]) -> int:
    """Columns of the only output; 1 where a row has one number."""
    from workbench.runtimes.onnx_runtime import OnnxPredictor

    outputs = OnnxPredictor(content, outputs="values", threads=1).predict(
        {n: a[:2] for n, a in inputs.items()}
    )
    return int(outputs.shape[1]) if outputs.ndim > 1 else 1


def _is_about_options(error: Exception) -> bool:
    return "Option " in str(error)


def _reason(name: str, model: Any, error: Exception) -> str:
    """Why an estimator could not be converted: no converter, or what the converter said."""
    from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator

    missing = isinstance(error, (MissingShapeCalculator, MissingConverter))
    step = _failing_step(model, str(error))
    cause = f"skl2onnx has no converter for {step}" if missing else f"skl2onnx failed at {step}"
    told = error.__cause__ or error
    return (
        f"`{name}` cannot be written as ONNX: {cause}. Replace that step, or keep the model in "
        f"scikit-learn. ({line_of(told, 0)})"
    )


def _failing_step(model: Any, message: str) -> str:
    """The step of a pipeline that an error is about, by the class that it names."""
    names = [type(model).__name__]
    stack = [model]
    while stack:
        step = stack.pop()
        parts = getattr(step, "steps", []) or getattr(step, "transformers", [])
        inner = [part[1] for part in parts if not isinstance(part[1], str)]
        stack += inner
        names += [type(part).__name__ for part in inner]
    return next((f"`{n}`" for n in reversed(names) if n in message), f"`{names[0]}`")
