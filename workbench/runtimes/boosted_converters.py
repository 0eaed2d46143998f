"""Converters of LightGBM and XGBoost for skl2onnx: those of onnxmltools (extra `boosting`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from workbench.errors import ExportError, MissingExtra
from workbench.runtimes.to_onnx import OPSET

__all__ = ["opsets_for"]

ML_OPSET = 3  # of operators for trees: the newest that onnxmltools writes

OPTIONS = {"nocl": [True, False], "zipmap": [True, False, "columns"]}  # of classifiers


def opsets_for(parts: Iterable[Any], name: str) -> int | dict[str, int]:
    """The versions of operators that skl2onnx is to write a model with these `parts` in.

    It is told the converters of LightGBM and XGBoost where they are among the parts. Raises
    ExportError, with the `name` of the candidate, where onnxmltools is not installed.
    """
    opsets: int | dict[str, int] = OPSET
    for kind in {type(part) for part in parts}:
        converter = CONVERTERS.get(kind.__module__.partition(".")[0])
        if converter is None or not kind.__name__.endswith(("Classifier", "Regressor")):
            continue
        try:
            convert = converter()
        except ImportError as error:
            extra = MissingExtra(f"`{kind.__name__}` as ONNX", "boosting")
            raise ExportError(f"`{name}` cannot be written as ONNX: {extra}") from error
        _register(kind, convert)
        opsets = {"": OPSET, "ai.onnx.ml": ML_OPSET}
    return opsets


def _register(kind: type, convert: Callable[..., Any]) -> None:
    from skl2onnx import update_registered_converter
    from skl2onnx.common.shape_calculator import (
        calculate_linear_classifier_output_shapes,
        calculate_linear_regressor_output_shapes,
    )

    if kind.__name__.endswith("Classifier"):
        shapes, options = calculate_linear_classifier_output_shapes, OPTIONS
    else:
        shapes, options = calculate_linear_regressor_output_shapes, None
    update_registered_converter(kind, f"Boosted{kind.__name__}", shapes, convert, options=options)


def _of_lightgbm() -> Callable[..., Any]:
    from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm

    return convert_lightgbm


def _of_xgboost() -> Callable[..., Any]:
    from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost

    return convert_xgboost


CONVERTERS: dict[str, Callable[[], Callable[..., Any]]] = {
    "lightgbm": _of_lightgbm,
    "xgboost": _of_xgboost,
}
