"""Settings, the typed, frozen choices of a technique, declared once.

    class PruningSettings(TechniqueSettings):
        pruning_ratio: float = knob(0.5, low=0.0, high=0.95)
        \"\"\"Fraction of the channels to remove.\"\"\"
        fit: FitSettings = nested(FitSettings)
        \"\"\"Training after pruning.\"\"\"

`knobs()` reads the declaration. The form, the command line's options, the notebook's `parameters`
cell, the recipe's YAML and the reference table are all made from the result of `knobs()`; nothing
else reads the schema.

Nested settings flatten to `fit_lr`. A field made by `scaled()` or `inherited()` is None until
`resolved()` writes down the candidate's value, or that of the budget.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from workbench.errors import SettingsError, SettingsTypeError, all_of, shown, unknown
from workbench.settings.fields import USUAL_BUDGET
from workbench.settings.knobs import Knob, extra_of, flat_value, knobs, reach, strip_optional
from workbench.settings.refusals import problems_of, without_effect
from workbench.system.texts import UnreadableText, read_json_or_yaml, read_text

__all__ = ["Settings", "dropping_values_without_effect"]

_DROPPING: ContextVar[bool] = ContextVar("workbench_dropping", default=False)


@contextmanager
def dropping_values_without_effect() -> Iterator[None]:
    """Inside, a value without an effect goes back to its default instead of being refused.

    Recipes of older versions, which allowed such values, are read in this way.
    """
    token = _DROPPING.set(True)
    try:
        yield
    finally:
        _DROPPING.reset(token)


class Settings(BaseModel):
    """Root of all settings: frozen, and unknown names, wrong and vain values are refused."""

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
            raise self._refused(problems, kind) from None
        vain = without_effect(knobs(type(self)), self.flat())
        if _DROPPING.get():
            for name, _ in vain:
                self._restore_default(name)
            vain = []
        problems_of_values = [*vain, *self.conflicts()]
        if problems_of_values:
            raise self._refused(problems_of_values, SettingsError)

    def conflicts(self) -> list[tuple[str, str]]:
        """Values that exclude each other, as (flat name of a setting, sentence).

        A class overrides it for rules that bounds and `only_if` cannot express. It is called on
        construction, and a problem that it returns is refused.
        """
        return []

    def _refused(self, problems: list[tuple[str, str]], kind: type[SettingsError]) -> SettingsError:
        error = kind(all_of([text for _, text in problems], f"{type(self).__name__} refused"))
        error.problems = problems
        return error

    def _restore_default(self, name: str) -> None:
        """Put one flat name back to its default, while the settings are being made."""
        path = next(k.path for k in knobs(type(self)) if k.name == name)
        default = reach(type(self)(), path)
        owner = reach(self, path[:-1])
        owner.__dict__[path[-1]] = default

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        seen: dict[str, tuple[str, ...]] = {}
        names = {k.name for k in knobs(cls)}
        for k in knobs(cls):
            where = f"`{cls.__name__}.{k.name}`"
            other = seen.setdefault(k.name, k.path)
            if other != k.path:
                raise SettingsError(
                    f"`{cls.__name__}`: {'.'.join(other)} and {'.'.join(k.path)} both flatten to "
                    f"`{k.name}`."
                )
            if not k.help:
                raise SettingsError(
                    f"{where} needs a docstring line: it is its help on every face."
                )
            if "=" in k.help:
                raise SettingsError(
                    f"The docstring of {where} holds an equals sign, which hides a notebook's "
                    "parameter."
                )
            for name, _allowed in k.only_if:
                if name not in names:
                    raise SettingsError(
                        f"The condition of {where}: {unknown('setting', name, names)}"
                    )

    @field_validator("*", mode="before")
    @classmethod
    def _read_free_form(cls, value: Any, info: Any) -> Any:
        extra = extra_of(cls.model_fields[info.field_name])
        annotation = cls.model_fields[info.field_name].annotation
        _refuse_other_kinds(annotation, value, is_free=bool(extra.get("free_form")))
        if not isinstance(value, str):
            return value
        if extra.get("free_form"):
            return _parse_text(value, info.field_name)
        inner, _ = strip_optional(cls.model_fields[info.field_name].annotation)
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
            settings = cls(**tree)
        except SettingsError as error:
            problems += [p for _, p in error.problems]
            if len(problems) == len(error.problems):
                raise
        if problems:
            raise SettingsError(all_of(problems, f"{cls.__name__} refused"))
        return settings

    def flat(self) -> dict[str, Any]:
        """Every setting by its flat name; lists and mappings as YAML text."""
        return {k.name: flat_value(k, reach(self, k.path)) for k in knobs(type(self))}

    def tree(self, *, changed_only: bool = False) -> dict[str, Any]:
        """Nested plain values, as the YAML of a recipe holds them.

        `changed_only` leaves out values at their default.
        """
        whole = self.model_dump(mode="json")
        return _difference(whole, type(self)().model_dump(mode="json")) if changed_only else whole

    def replace(self, **changes: Any) -> typing.Self:
        """A copy with some flat names changed."""
        return type(self).from_flat({**self.flat(), **changes})

    def visible(self, *, expert: bool = False, model_form: str = "") -> tuple[Knob, ...]:
        """The choices that have an effect beside these values; `expert` adds the rarer ones.

        `model_form` leaves out those without an effect on models of this form.
        """
        values = self.flat()
        return tuple(
            k
            for k in knobs(type(self))
            if k.takes(model_form) and k.applies(values) and (expert or not k.expert)
        )

    def resolved(
        self, budget: str | None = None, own: Mapping[str, Mapping[str, Any]] | None = None
    ) -> typing.Self:
        """A copy in which every None that somebody else decides is written down.

        `own` holds values that the candidate brings, by the field of the nested class that they are
        for (`{"fit": {"lr": 0.01}}`); where it has none, `budget` decides. A choice without an
        effect stays None.
        """
        effort = str(budget or getattr(self, "budget", USUAL_BUDGET))
        values = self.flat()
        changed: Any = self
        for k in knobs(type(self)):
            if k.by_budget is None or values[k.name] is not None or not k.applies(values):
                continue
            value = _brought(own, k).get(k.path[-1], k.by_budget[effort])
            changed = _with(changed, k.path, value)
        return changed

    def origins(self, own: Mapping[str, Mapping[str, Any]] | None = None) -> dict[str, str]:
        """Who decides each setting that is left None, `candidate` or `budget`, by flat name."""
        values = self.flat()
        return {
            k.name: "candidate" if k.path[-1] in _brought(own, k) else "budget"
            for k in knobs(type(self))
            if k.by_budget is not None and values[k.name] is None and k.applies(values)
        }


def _refuse_other_kinds(annotation: Any, value: Any, *, is_free: bool) -> None:
    """Refuse values that pydantic makes numbers or text of: true for 1, bytes for text."""
    inner, _ = strip_optional(annotation)
    if isinstance(value, (bytes, bytearray)):
        kind = {int: "int", float: "float", bool: "bool", str: "string"}.get(inner, "list")
        raise PydanticCustomError(f"{kind}_type", "bytes are not read as text")
    strange = [k for k in value if not isinstance(k, str)] if isinstance(value, Mapping) else []
    if strange and isinstance(inner, type) and issubclass(inner, BaseModel):
        raise PydanticCustomError(
            "value_error", f"must have names as keys, got {shown(strange[0])}."
        )
    if inner in (int, float) and _is_flag(value):
        raise PydanticCustomError("int_type" if inner is int else "float_type", "true is no number")
    numbers = typing.get_args(inner)[-1:] if is_free else ()
    if numbers and numbers[0] in (int, float):
        held = value.values() if isinstance(value, Mapping) else value
        is_many = isinstance(value, (Mapping, list, tuple, set, frozenset))
        if is_many and any(map(_is_flag, held)):
            raise PydanticCustomError("value_error", f"holds true or false, got {shown(value)}.")


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool) or type(value).__name__ in ("bool_", "bool")


def _brought(own: Mapping[str, Mapping[str, Any]] | None, knob: Knob) -> Mapping[str, Any]:
    """The values that a candidate brings for the class that a knob belongs to."""
    return (own or {}).get(knob.path[0] if len(knob.path) > 1 else "", {})


def _with(settings: Any, path: tuple[str, ...], value: Any) -> Any:
    """A copy of nested settings with the value at one path."""
    name, *rest = path
    inner = _with(getattr(settings, name), tuple(rest), value) if rest else value
    return settings.model_copy(update={name: inner})


def _parse_text(text: str, name: str) -> Any:
    """YAML text, or the content of the YAML file that it names."""
    looks_like_path = text.endswith((".yml", ".yaml", ".json")) and "\n" not in text
    try:
        content = read_text(Path(text).expanduser()) if looks_like_path else text
        return read_json_or_yaml(content)
    except UnreadableText as error:
        raise ValueError(f"is neither YAML text nor the path of a YAML file. {error}") from None


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
