"""Targets: the names that a search may vary, with their kinds, for one model.

There are three namespaces: `fit.*`, the knobs of a settings class; `model.*`, the keyword
arguments of a builder; `estimator.*`, the parameters of a scikit-learn estimator.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from workbench.errors import SettingsError
from workbench.settings.knobs import Knob, knobs, strip_optional
from workbench.settings.spaces.values import plain

if TYPE_CHECKING:
    from workbench.settings.base import Settings

__all__ = ["NAMESPACES", "Target", "Targets"]

NAMESPACES = ("fit", "model", "estimator")
MEANINGS = {
    "fit": "a setting of training",
    "model": "an argument of the model's builder",
    "estimator": "a parameter of the estimator",
}
ABSENT = {
    "fit": "no settings of training take part here",
    "model": "this model has no builder with arguments",
    "estimator": "this model is no estimator",
}
TargetKind = Literal["float", "int", "bool", "text", "choice", "estimator", "any", "verbatim"]
_KINDS: Mapping[Any, TargetKind] = {
    bool: "bool",
    int: "int",
    float: "float",
    str: "text",
}


@dataclass(frozen=True)
class Target:
    """One name that a search may vary.

    A `strict` kind is declared by an annotation or a knob and refuses others; one that is read from
    a default is the kind that a range has where its bounds leave it open. `is_tuple` says that a
    list is passed as a tuple.
    """

    kind: TargetKind
    default: Any = None
    strict: bool = False
    allows_none: bool = True
    choices: tuple[Any, ...] = ()
    is_tuple: bool = False
    from_default: bool = False


@dataclass(frozen=True)
class Targets:
    """The names that a search may vary for one model, and the settings against which it is checked.

    `open` holds the namespaces in which every name is accepted, such as that of a builder with
    `**kwargs`; `fit` holds the settings to which the values of a trial are added.
    """

    names: Mapping[str, Target] = field(default_factory=dict)
    open: frozenset[str] = frozenset()
    fit: Settings | None = None

    @classmethod
    def of(
        cls,
        *,
        fit: Settings | type[Settings] | None = None,
        builder: Callable[..., Any] | None = None,
        estimator: Any = None,
    ) -> Targets:
        """The targets of a settings class, a builder and an estimator, each of which may be absent.

        `fit` is a class, or settings with the values that hold beside those of a trial.
        `estimator` is an object with `get_params`, or its parameters as a mapping. Raises
        SettingsError if the parameters of the estimator cannot be read.
        """
        base = fit() if isinstance(fit, type) else fit
        names: dict[str, Target] = {}
        is_open: set[str] = set()
        if base is not None:
            names |= {f"fit.{k.name}": _of_knob(k) for k in knobs(type(base))}
        if builder is not None:
            arguments, is_variable = _arguments(builder)
            names |= {f"model.{name}": target for name, target in arguments.items()}
            is_open |= {"model"} if is_variable else set()
        if estimator is not None:
            parameters = _parameters(estimator)
            names |= {f"estimator.{name}": _of_default(v) for name, v in parameters.items()}
        return cls(names, frozenset(is_open), base)

    def get(self, name: str) -> Target | None:
        """The target of a name; None for an unknown one."""
        if name in self.names:
            return self.names[name]
        return Target("any") if name.partition(".")[0] in self.open else None

    def within(self, namespace: str) -> list[str]:
        """All names of a namespace."""
        return [name for name in self.names if name.startswith(f"{namespace}.")]

    def has(self, namespace: str) -> bool:
        """Whether this model has the namespace at all."""
        return namespace in self.open or bool(self.within(namespace))


def _of_knob(k: Knob) -> Target:
    kinds: dict[str, TargetKind] = {"yaml": "any"}
    kind = kinds.get(k.kind, typing.cast(TargetKind, k.kind))
    return Target(kind, k.default, strict=True, allows_none=k.optional, choices=k.choices)


def _arguments(builder: Callable[..., Any]) -> tuple[dict[str, Target], bool]:
    """Keyword arguments of a builder, and whether it takes any name.

    A builder with the attributes `build` and `n_in` passes the number of inputs itself, so the
    first argument of `build` is left out.
    """
    is_sized = hasattr(builder, "n_in") and callable(getattr(builder, "build", None))
    function = builder.build if is_sized else builder  # type: ignore[attr-defined]
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # a builtin without a signature
        return {}, True
    if is_sized:
        parameters = parameters[1:]
    taken = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    arguments = {p.name: _of_argument(p, function) for p in parameters if p.kind in taken}
    return arguments, any(p.kind is p.VAR_KEYWORD for p in parameters)


def _annotation(parameter: inspect.Parameter, function: Any) -> Any:
    """The annotation of a parameter; text that cannot be evaluated stays text."""
    annotation = parameter.annotation
    if not isinstance(annotation, str):
        return annotation
    while isinstance(function, partial):
        function = function.func
    function = vars(function).get("__init__") if isinstance(function, type) else function
    function = inspect.unwrap(function) if callable(function) else None
    try:
        return eval(annotation, dict(getattr(function, "__globals__", {})))
    except Exception:  # a name that only type checkers import
        return annotation


def _of_argument(parameter: inspect.Parameter, function: Any) -> Target:
    default = None if parameter.default is parameter.empty else parameter.default
    by_default = _of_default(default)
    annotation = _annotation(parameter, function)
    if annotation is parameter.empty:
        is_strict = by_default.kind in ("int", "float", "bool")
        return replace(by_default, strict=is_strict, from_default=is_strict)
    inner, optional = strip_optional(annotation)
    may_be_none = optional or parameter.default is None
    if typing.get_origin(inner) is Literal:
        choices = typing.get_args(inner)
        return Target("choice", default, True, may_be_none, choices)
    if isinstance(inner, type) and inner in _KINDS:
        return Target(_KINDS[inner], default, True, may_be_none)
    is_tuple = tuple in (inner, typing.get_origin(inner)) or by_default.is_tuple
    return Target("any", default, is_tuple=is_tuple)


def _of_default(default: Any) -> Target:
    """The kind that a default suggests."""
    if hasattr(default, "get_params") or _holds_estimators(default):
        return Target("estimator", None)
    if isinstance(default, tuple):
        return Target("any", default, is_tuple=True)
    try:
        value = plain(default)
    except ValueError:
        return Target("any", None)
    return Target(_KINDS.get(type(value), "any"), value, allows_none=True)


def _holds_estimators(value: Any) -> bool:
    """Whether a value is the list of a pipeline's steps."""
    return isinstance(value, (list, tuple)) and any(
        hasattr(part, "get_params")
        for item in value
        if isinstance(item, (list, tuple))
        for part in item
    )


def _parameters(estimator: Any) -> Mapping[str, Any]:
    if isinstance(estimator, Mapping):
        return estimator
    try:
        return dict(estimator.get_params(deep=True))
    except Exception as error:  # of a class of the user's
        raise SettingsError(
            f"The parameters of {type(estimator).__name__} cannot be read by `get_params`: "
            f"{type(error).__name__}: {error}"
        ) from error
