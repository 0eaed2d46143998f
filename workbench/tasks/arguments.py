"""check_arguments(): is every argument of `make_task` of its kind? It tells all problems."""

from __future__ import annotations

import numbers
import typing
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

from workbench.data.labels import Kind
from workbench.errors import TaskError, all_of, shown, unknown
from workbench.model_form import Outputs

__all__ = ["check_arguments"]

FUNCTIONS = ("loss", "train_step", "augment", "reword")


def check_arguments(arguments: Mapping[str, Any]) -> None:
    """Raise TaskError for arguments, by name, that are of a wrong kind.

    Data and `model` have checks of their own; None is an argument that was not given.
    """
    problems = [
        f"`{name}` {problem}"
        for name, check in _CHECKS.items()
        if arguments.get(name) is not None and (problem := check(arguments[name]))
    ]
    if not isinstance(arguments["name"], str):
        problems.append(f"`name` must be text, got {shown(arguments['name'])}.")
    if arguments["train"] is None:
        problems.append("`train` is missing: give the rows to learn from, such as `(x, y)`.")
    if problems:
        raise TaskError(all_of(problems, "The task was refused"))


def _one_of(noun: str, type_of_names: Any) -> Callable[[Any], str]:
    names = typing.get_args(type_of_names)

    def problem(value: Any) -> str:
        if isinstance(value, str) and value in names:
            return ""
        return f"is wrong. {unknown(noun, value, names)}"

    return problem


def _function(value: Any) -> str:
    return "" if callable(value) else f"must be a function, got {shown(value)}."


def _prepare(value: Any) -> str:
    if callable(value) or hasattr(value, "transform"):
        return ""
    return f"must be a function of named arrays, or a transformer, got {shown(value)}."


def _classes(value: Any) -> str:
    if isinstance(value, (str, bytes, Mapping, set, frozenset)) or not isinstance(value, Iterable):
        return f"must be a list of labels or names in order, got {shown(value)}."
    if getattr(value, "shape", None) == ():  # NumPy says that it can be iterated
        return f"must be a list of labels or names in order, got one value, {shown(value)}."
    labels = list(value)
    if not all(_is_label(label) for label in labels):
        return f"must hold texts or numbers, got {shown(value)}."
    twice = [label for i, label in enumerate(labels) if label in labels[:i]]
    return f"names {shown(twice[0])} twice: name each class once." if twice else ""


def _is_label(value: Any) -> bool:
    is_one = not isinstance(value, (tuple, list, Mapping)) and not getattr(value, "shape", ())
    return (
        is_one and isinstance(value, Hashable) and isinstance(value, (str, bytes, numbers.Number))
    )


def _metric(value: Any) -> str:
    is_empty = isinstance(value, (list, tuple)) and not value
    return "is an empty list: name one metric, or leave it out." if is_empty else ""


def _models(value: Any) -> str:
    is_mapping = isinstance(value, Mapping) and all(isinstance(name, str) for name in value)
    if is_mapping and all(callable(build) for build in value.values()):
        return ""
    return (
        "must map names to functions that make a model, as in {'small': make_small}, got "
        f"{shown(value)}."
    )


def _output(value: Any) -> str:
    is_place = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if isinstance(value, str) or is_place:
        return ""
    return f"must be the name of an output, or its place from 0 on, got {shown(value)}."


def _seed(value: Any) -> str:
    is_whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if is_whole and value >= 0:
        return ""
    return f"must be a whole number from 0 on, got {shown(value)}."


_CHECKS: dict[str, Callable[[Any], str]] = {
    "kind": _one_of("kind", Kind),
    "classes": _classes,
    "metric": _metric,
    "prepare": _prepare,
    "seed": _seed,
    "outputs": _one_of("meaning of outputs", Outputs),
    "output": _output,
    "models": _models,
    **dict.fromkeys(FUNCTIONS, _function),
}
