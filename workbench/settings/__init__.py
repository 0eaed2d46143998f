"""The typed, frozen choices of a technique, and the one reader that turns them into every face.

A settings class is declared once:

    class PruningSettings(TechniqueSettings):
        pruning_ratio: float = knob(0.5, low=0.0, high=0.95)
        \"\"\"Share of the channels to remove.\"\"\"
        fit: FitSettings = nested(FitSettings)
        \"\"\"How to train after pruning.\"\"\"

`knobs()` reads it. The form, the command line's options, the notebook's `parameters` cell, the
recipe's YAML and the reference table are all written from what `knobs()` returns; nothing else
reads the schema.

Nested settings flatten to `fit_lr`. A field made by `scaled()` is None until `resolved()` lets the
budget decide.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import yaml
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from workbench.errors import SettingsError, SettingsTypeError, all_of, unknown
from workbench.settings.refusals import problems_of

__all__ = [
    "BUDGETS",
    "Knob",
    "Settings",
    "TechniqueSettings",
    "free_form",
    "knob",
    "knobs",
    "nested",
    "scaled",
]

BUDGETS = ("smoke", "standard", "thorough")
RESERVED = frozenset(
    {"task", "start", "seed", "device", "store"}
)  # every notebook and command has these besides


@dataclass(frozen=True)
class Knob:
    """One choice, as data: enough to draw a control, an option, a cell line, a YAML key and a row
    of a table.
    """

    name: str
    path: tuple[str, ...]
    kind: Literal["bool", "int", "float", "choice", "text", "yaml"]
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

    @property
    def cell_type(self) -> str:
        """The annotation in a `parameters` cell; papermill reads plain names only."""
        kinds = {type(c).__name__ for c in self.choices} or {self.kind}
        return kinds.pop() if kinds <= {"bool"} or kinds <= {"int"} or kinds <= {"float"} else "str"

    @property
    def described(self) -> str:
        """Help with the unit, the range or choices, and what each budget takes for it."""
        notes = []
        if self.unit:
            notes.append(self.unit)
        if self.choices:
            notes.append(" or ".join(str(c) for c in self.choices))
        elif self.low is not None or self.high is not None:
            notes.append(_range_text(self.low, self.high))
        if self.by_budget is not None:
            notes.append(
                "None lets the budget decide: "
                + ", ".join(f"{b} {v}" for b, v in self.by_budget.items())
            )
        return f"{self.help} ({'; '.join(notes)})" if notes else self.help


def knob(
    default: Any,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    step: float | None = None,
    log: bool = False,
    unit: str = "",
) -> Any:
    """A field with bounds (`low` and `high` inclusive, `above` exclusive), the step of its control,
    and its unit.
    """
    return Field(
        default,
        ge=low,
        le=high,
        gt=above,
        json_schema_extra={"step": step, "log": log, "unit": unit},
    )


def scaled(
    *,
    smoke: Any,
    standard: Any,
    thorough: Any,
    low: float | None = None,
    high: float | None = None,
    unit: str = "",
) -> Any:
    """A field whose default is None: the budget decides, unless the user does."""
    by_budget = {"smoke": smoke, "standard": standard, "thorough": thorough}
    return Field(None, ge=low, le=high, json_schema_extra={"unit": unit, "by_budget": by_budget})


def free_form(default: Any) -> Any:
    """A field holding a list or a mapping, given as such, as YAML text, or as the path of a YAML
    file.
    """
    return Field(default, validate_default=False, json_schema_extra={"free_form": True})


def nested(settings: type[Settings], **defaults: Any) -> Any:
    """A field that is itself a settings class; its fields flatten to `<field>_<name>` on the flat
    faces.
    """
    return Field(default_factory=lambda: settings(**defaults))


class Settings(BaseModel):
    """Root of all settings: frozen, unknown names refused, all problems told at once, each with the
    way out.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        protected_namespaces=(),
    )

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            names = dict.fromkeys(type(self).model_fields, ()) | {
                k.name: k.choices for k in knobs(type(self))
            }
            problems, wrong_kind = problems_of(names, error)
            kind = SettingsTypeError if wrong_kind else SettingsError
            raised = kind(all_of([p for _, p in problems], f"{type(self).__name__} refused"))
            raised.problems = problems
            raise raised from None

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        seen: dict[str, tuple[str, ...]] = {}
        for k in knobs(cls):
            other = seen.setdefault(k.name, k.path)
            if other != k.path:
                raise SettingsError(
                    f"`{cls.__name__}`: {'.'.join(other)} and {'.'.join(k.path)} both flatten to "
                    f"`{k.name}`."
                )
            if k.name in RESERVED:
                raise SettingsError(
                    f"`{cls.__name__}.{k.name}` clashes with a parameter that every notebook has."
                )
            if not k.help:
                raise SettingsError(
                    f"`{cls.__name__}.{k.name}` needs a docstring line under it: it is the help of "
                    "every face."
                )
            if "=" in k.help:
                raise SettingsError(
                    f"The docstring of `{cls.__name__}.{k.name}` holds an equals sign, which hides "
                    "a notebook's parameter."
                )

    @field_validator("*", mode="before")
    @classmethod
    def _read_free_form(cls, value: Any, info: Any) -> Any:
        extra = cls.model_fields[info.field_name].json_schema_extra or {}
        if not isinstance(value, str):
            return value
        if extra.get("free_form"):
            return _parse_text(value, info.field_name)
        inner, _ = _strip_optional(cls.model_fields[info.field_name].annotation)
        choices = typing.get_args(inner) if typing.get_origin(inner) is Literal else ()
        return next(
            (c for c in choices if not isinstance(c, str) and str(c) == value), value
        )  # a shell's 4 is text

    @classmethod
    def from_flat(cls, values: Mapping[str, Any]) -> typing.Self:
        """Settings from flat names, as a form, a command line or a `parameters` cell gives them.

        Raises SettingsError that lists every unknown name and every wrong value.
        """
        by_name = {k.name: k for k in knobs(cls)}
        problems = [unknown("setting", name, by_name) for name in values if name not in by_name]
        tree: dict[str, Any] = {}
        for name, value in values.items():
            if name in by_name:
                *groups, leaf = by_name[name].path
                branch = tree
                for group in groups:
                    branch = branch.setdefault(group, {})
                branch[leaf] = value
        try:
            made = cls(**tree)
        except SettingsError as error:
            problems += [p for _, p in error.problems]
            if len(problems) == len(error.problems):
                raise
        if problems:
            raise SettingsError(all_of(problems, f"{cls.__name__} refused"))
        return made

    def flat(self) -> dict[str, Any]:
        """Every setting by its flat name; lists and mappings as YAML text."""
        return {k.name: _flat_value(k, _reach(self, k.path)) for k in knobs(type(self))}

    def tree(self, *, changed_only: bool = False) -> dict[str, Any]:
        """Nested plain values, as a recipe's YAML holds them; `changed_only` leaves out what is at
        its default.
        """
        whole = self.model_dump(mode="json")
        return _difference(whole, type(self)().model_dump(mode="json")) if changed_only else whole

    def replace(self, **changes: Any) -> typing.Self:
        """A copy with some flat names changed."""
        return type(self).from_flat({**self.flat(), **changes})

    def resolved(self, budget: str | None = None) -> typing.Self:
        """A copy in which every None that the budget decides is written down."""
        budget = budget or getattr(self, "budget", "standard")
        changes: dict[str, Any] = {}
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            by_budget = (field.json_schema_extra or {}).get("by_budget")
            if isinstance(value, Settings):
                changes[name] = value.resolved(budget)
            elif value is None and by_budget:
                changes[name] = by_budget[budget]
        return self.model_copy(update=changes)


def knobs(settings: type[Settings], _path: tuple[str, ...] = ()) -> tuple[Knob, ...]:
    """The fields of a settings class as flat knobs, nested classes included, in order of
    declaration.
    """
    found: list[Knob] = []
    for name, field in settings.model_fields.items():
        inner, optional = _strip_optional(field.annotation)
        if isinstance(inner, type) and issubclass(inner, Settings):
            defaults = field.get_default(call_default_factory=True)
            for k in knobs(inner, (*_path, name)):
                default = _flat_value(k, _reach(defaults, k.path[len(_path) + 1 :]))
                found.append(Knob(**{**k.__dict__, "default": default}))
            continue
        extra = field.json_schema_extra or {}
        kind, choices = _kind(inner, bool(extra.get("free_form")))
        low, high = _bounds(field.metadata)
        made = Knob(
            name="_".join((*_path, name)),
            path=(*_path, name),
            kind=kind,
            default=None,
            optional=optional,
            help=(field.description or "").strip().replace("\n", " "),
            low=low,
            high=high,
            step=extra.get("step"),
            log=bool(extra.get("log")),
            unit=extra.get("unit", ""),
            choices=choices,
            by_budget=extra.get("by_budget"),
        )
        found.append(
            Knob(
                **{
                    **made.__dict__,
                    "default": _flat_value(made, field.get_default(call_default_factory=True)),
                }
            )
        )
    return tuple(found)


def _kind(annotation: Any, is_free_form: bool) -> tuple[str, tuple[Any, ...]]:
    if typing.get_origin(annotation) is Literal:
        return "choice", typing.get_args(annotation)
    if is_free_form or typing.get_origin(annotation) in (list, dict, tuple):
        return "yaml", ()
    kinds = {bool: "bool", int: "int", float: "float", str: "text"}
    if annotation not in kinds:
        raise SettingsTypeError(
            f"A setting of type {annotation} has no control: use bool, int, float, str, Literal or "
            "free_form()."
        )
    return kinds[annotation], ()


def _strip_optional(annotation: Any) -> tuple[Any, bool]:
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        rest = [a for a in typing.get_args(annotation) if a is not type(None)]
        if len(rest) == 1:
            return rest[0], True
    return annotation, False


def _bounds(metadata: list[Any]) -> tuple[float | None, float | None]:
    low = next(
        (m.ge if isinstance(m, Ge) else m.gt for m in metadata if isinstance(m, (Ge, Gt))), None
    )
    high = next(
        (m.le if isinstance(m, Le) else m.lt for m in metadata if isinstance(m, (Le, Lt))), None
    )
    return low, high


def _range_text(low: float | None, high: float | None) -> str:
    if low is None:
        return f"at most {high:g}"
    return f"at least {low:g}" if high is None else f"{low:g} to {high:g}"


def _reach(settings: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        settings = getattr(settings, name)
    return settings


def _flat_value(k: Knob, value: Any) -> Any:
    if k.kind == "yaml" and value is not None and not isinstance(value, str):
        return json.dumps(value)  # JSON is YAML on one line, which a cell and a shell can hold
    return value


def _parse_text(text: str, name: str) -> Any:
    """YAML text, or the content of the YAML file that it names."""
    looks_like_path = text.endswith((".yml", ".yaml", ".json")) and "\n" not in text
    try:
        content = Path(text).read_text(encoding="utf-8") if looks_like_path else text
        try:
            return json.loads(
                content
            )  # what the flat faces hold; YAML 1.1 would read its 1e-05 as text
        except ValueError:
            return yaml.safe_load(content)
    except (OSError, yaml.YAMLError) as error:
        reason = getattr(error, "problem", None) or error
        raise ValueError(f"is neither YAML text nor the path of a YAML file ({reason})") from None


def _difference(whole: dict[str, Any], default: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in whole.items():
        if isinstance(value, dict) and isinstance(default.get(name), dict):
            inner = _difference(value, default[name])
            if inner or (value != default[name]):
                kept[name] = inner or value
        elif value != default.get(name):
            kept[name] = value
    return kept


class TechniqueSettings(Settings):
    """What every technique's settings share."""

    budget: Literal["smoke", "standard", "thorough"] = "standard"
    """How much work to put in; smoke only shows that everything runs."""
