"""Knob and knobs(): the fields of a settings class as flat data, from which every face is drawn."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from annotated_types import Ge, Gt, Le, Lt

from workbench.errors import SettingsTypeError

if TYPE_CHECKING:
    from workbench.settings.base import Settings

__all__ = ["SET", "Knob", "extra_of", "flat_value", "knobs", "reach", "strip_optional"]

SET = "any value"  # in a condition: the other setting is neither empty, nor zero, nor off
Kind = Literal["bool", "int", "float", "choice", "text", "yaml"]
Conditions = tuple[tuple[str, tuple[Any, ...]], ...]


@dataclass(frozen=True)
class Knob:
    """One choice as data.

    It is enough to draw a control, an option, a line of a cell, a YAML key and a row of a table.
    """

    name: str
    path: tuple[str, ...]
    kind: Kind
    default: Any
    help: str
    optional: bool = False
    low: float | None = None
    high: float | None = None
    step: float | None = None
    log: bool = False
    unit: str = ""
    choices: tuple[Any, ...] = ()
    by_budget: Mapping[str, Any] | None = None
    title: str = ""
    expert: bool = False
    search: tuple[float, float] | None = None
    only_if: Conditions = ()
    not_if: Conditions = ()  # of the same settings, where they are choices: all other values
    forms: tuple[str, ...] = ()  # of models for which it has an effect; empty: all

    def applies(self, values: Mapping[str, Any]) -> bool:
        """Whether this choice has an effect beside the other choices, given by flat name."""
        return all(_fulfils(values.get(name), allowed) for name, allowed in self.only_if)

    def takes(self, model_form: str) -> bool:
        """Whether this choice has an effect for models of a form; an empty form stands for all."""
        return not self.forms or not model_form or model_form in self.forms

    @property
    def condition(self) -> str:
        """When this choice has an effect, in words; empty when it always has."""
        others = dict(self.not_if)
        return " and ".join(
            _condition_text(name, allowed, others.get(name, ())) for name, allowed in self.only_if
        )

    @property
    def cell_type(self) -> str:
        """The annotation in a `parameters` cell; papermill reads plain names only."""
        kinds = {type(c).__name__ for c in self.choices} or {self.kind}
        return kinds.pop() if kinds <= {"bool"} or kinds <= {"int"} or kinds <= {"float"} else "str"

    @property
    def described(self) -> str:
        """Help with the unit, the range or choices, who decides for None, and the condition."""
        condition = (f"only if {self.condition}",) if self.only_if else ()
        return self._help_with(*self._notes(), *condition)

    @property
    def described_alone(self) -> str:
        """The same without the condition, for a face that tells it in a heading of its own."""
        return self._help_with(*self._notes())

    def _help_with(self, *notes: str) -> str:
        return f"{self.help} ({'; '.join(notes)})" if notes else self.help

    def _notes(self) -> list[str]:
        notes = []
        if self.unit:
            notes.append(self.unit)
        if self.choices:
            notes.append(" or ".join(str(c) for c in self.choices))
        elif self.low is not None or self.high is not None:
            notes.append(_range_text(self.low, self.high))
        if self.by_budget is not None:
            notes.append(_deciding(self.by_budget))
        if self.forms:
            notes.append(f"only for {' or '.join(self.forms)} models")
        return notes


_PROPERTIES = frozenset(field.name for field in fields(Knob))


def extra_of(field: Any) -> Mapping[str, Any]:
    """What `knob` and its like wrote beside a field; empty for a plain one."""
    extra = field.json_schema_extra
    return extra if isinstance(extra, Mapping) else {}


@cache
def knobs(settings: type[Settings]) -> tuple[Knob, ...]:
    """The fields of a settings class as flat knobs, nested classes included, as declared."""
    flat: list[Knob] = []
    for name, field in settings.model_fields.items():
        inner, optional = strip_optional(field.annotation)
        extra = extra_of(field)
        if isinstance(inner, type) and hasattr(inner, "model_fields"):
            defaults = field.get_default(call_default_factory=True)
            flat += [_inside(k, name, defaults, extra) for k in knobs(inner)]
            continue
        kind, choices = _kind(inner, bool(extra.get("free_form")))
        low, high = _bounds(field.metadata)
        declared = Knob(
            name=name,
            path=(name,),
            kind=kind,
            default=None,
            optional=optional,
            help=" ".join((field.description or "").split()),
            low=low,
            high=high,
            choices=choices,
            **_properties(extra),
        )
        default = flat_value(declared, field.get_default(call_default_factory=True))
        flat.append(replace(declared, default=default))
    choices_of = {k.name: k.choices for k in flat}
    return tuple(replace(k, not_if=_others(k.only_if, choices_of)) for k in flat)


def _inside(knob: Knob, field: str, defaults: Any, extra: Mapping[str, Any]) -> Knob:
    """A knob of a nested class as its owner has it: name, default and conditions."""
    own = tuple((f"{field}_{name}", allowed) for name, allowed in knob.only_if)
    return replace(
        knob,
        name=f"{field}_{knob.name}",
        path=(field, *knob.path),
        default=flat_value(knob, reach(defaults, knob.path)),
        expert=knob.expert or bool(extra.get("expert")),
        only_if=_conditions(extra.get("only_if")) + own,
        forms=knob.forms or tuple(extra.get("forms", ())),
    )


def _properties(extra: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a knob that its field declares under the same names."""
    values = {name: value for name, value in extra.items() if name in _PROPERTIES}
    return {**values, "only_if": _conditions(extra.get("only_if"))}


def _conditions(only_if: Mapping[str, Any] | None) -> Conditions:
    return tuple(
        (name, tuple(allowed) if isinstance(allowed, (tuple, list, set)) else (allowed,))
        for name, allowed in (only_if or {}).items()
    )


def _others(only_if: Conditions, choices_of: Mapping[str, tuple[Any, ...]]) -> Conditions:
    """For each condition on a choice, the values for which it does not hold."""
    others = []
    for name, allowed in only_if:
        choices = choices_of.get(name, ())
        others.append((name, tuple(c for c in choices if not _fulfils(c, allowed))))
    return tuple(others)


def _fulfils(value: Any, allowed: tuple[Any, ...]) -> bool:
    is_set = value not in (None, "", False, 0, "[]", "{}", [], {})
    return value in allowed or (SET in allowed and is_set)


def _condition_text(name: str, allowed: tuple[Any, ...], others: tuple[Any, ...]) -> str:
    """The values that a condition allows, or the only one that it does not, if that is shorter."""
    if len(others) == 1 and len(allowed) > 2:
        return f"{name} is not {others[0]}"
    shown = ["set" if a == SET else str(a) for a in allowed]
    return f"{name} is {' or '.join(shown)}"


def _kind(annotation: Any, is_free_form: bool) -> tuple[Kind, tuple[Any, ...]]:
    if typing.get_origin(annotation) is Literal:
        return "choice", typing.get_args(annotation)
    if is_free_form or typing.get_origin(annotation) in (list, dict, tuple):
        return "yaml", ()
    kinds: dict[Any, Kind] = {bool: "bool", int: "int", float: "float", str: "text"}
    if annotation not in kinds:
        raise SettingsTypeError(
            f"A setting of type {annotation} has no control: use bool, int, float, str, Literal or "
            "free_form()."
        )
    return kinds[annotation], ()


def strip_optional(annotation: Any) -> tuple[Any, bool]:
    """The annotation without None, and whether it allowed None."""
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        rest = [a for a in typing.get_args(annotation) if a is not type(None)]
        if len(rest) == 1:
            return rest[0], True
    return annotation, False


def _bounds(metadata: list[Any]) -> tuple[float | None, float | None]:
    lows: list[Any] = [m.ge for m in metadata if isinstance(m, Ge)]
    lows += [m.gt for m in metadata if isinstance(m, Gt)]
    highs: list[Any] = [m.le for m in metadata if isinstance(m, Le)]
    highs += [m.lt for m in metadata if isinstance(m, Lt)]
    return (lows[0] if lows else None), (highs[0] if highs else None)


def _range_text(low: float | None, high: float | None) -> str:
    if low is None:
        return "" if high is None else f"at most {_bound_text(high)}"
    if high is None:
        return f"at least {_bound_text(low)}"
    return f"{_bound_text(low)} to {_bound_text(high)}"


def _bound_text(bound: float) -> str:
    return str(int(bound)) if float(bound).is_integer() else f"{bound:g}"


def _deciding(by_budget: Mapping[str, Any]) -> str:
    """Who decides where the value is None, with the value of each budget."""
    values = list(by_budget.values())
    if all(value == values[0] for value in values):
        return f"None takes the model's own value, else {values[0]}"
    shown = ", ".join(f"{budget} {value}" for budget, value in by_budget.items())
    return f"None lets the budget decide: {shown}"


def reach(settings: Any, path: tuple[str, ...]) -> Any:
    """The value at a path of nested settings."""
    for name in path:
        settings = getattr(settings, name)
    return settings


def flat_value(k: Knob, value: Any) -> Any:
    """A value as the flat faces hold it: lists and mappings as JSON text."""
    if k.kind == "yaml" and value is not None and not isinstance(value, str):
        return json.dumps(value)  # JSON is YAML on one line, which a cell and a shell can hold
    return value
