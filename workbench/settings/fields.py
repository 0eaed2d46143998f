"""Fields of a settings class: knob, scaled, inherited, free_form and nested.

A property of a field is declared once, in `FieldOptions` or `KnobOptions`, and as an attribute of
`workbench.settings.Knob`; all functions here take it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from pydantic import Field

from workbench.errors import SettingsTypeError, unknown

if TYPE_CHECKING:
    from workbench.settings.base import Settings

__all__ = [
    "BUDGETS",
    "USUAL_BUDGET",
    "FieldOptions",
    "KnobOptions",
    "free_form",
    "inherited",
    "knob",
    "nested",
    "scaled",
]

BUDGETS = ("smoke", "standard", "thorough")
USUAL_BUDGET = "standard"  # of shell, Python, recipes and wizard; a committed notebook sets smoke
_BOUNDS = {"low": "ge", "high": "le", "above": "gt"}  # as pydantic names them


class FieldOptions(TypedDict, total=False):
    """Options of every field.

    `only_if` names other settings of the class with the value, or the values, for which this one
    has an effect; `SET` stands for any value but an empty one. `forms` names the forms of models
    for which it has one, all by default. `expert=True` folds it away; `title` is its label.
    """

    only_if: Mapping[str, Any]
    forms: tuple[str, ...]
    expert: bool
    title: str


class KnobOptions(FieldOptions, total=False):
    """Options of a field with one value.

    `low` and `high` are inclusive bounds, `above` is an exclusive one; `step` and `log` shape its
    slider; `unit` stands in its help. `search` is the range that a search covers by default,
    narrower than the bounds.
    """

    low: float | None
    high: float | None
    above: float | None
    step: float | None
    log: bool
    unit: str
    search: tuple[float, float] | None


def knob(default: Any, **options: Unpack[KnobOptions]) -> Any:
    """A field of a settings class with one value; its options are those of `KnobOptions`.

    Raises SettingsTypeError for an option that does not exist.
    """
    return _field(default, options)


def scaled(*, smoke: Any, standard: Any, thorough: Any, **options: Unpack[KnobOptions]) -> Any:
    """A field whose default is None: the candidate's own training decides, else the budget.

    The other options are those of `knob`.
    """
    by_budget = {"smoke": smoke, "standard": standard, "thorough": thorough}
    return _field(None, options, by_budget=by_budget)


def inherited(usual: Any, **options: Unpack[KnobOptions]) -> Any:
    """A field whose default is None: the candidate's own training decides, else `usual`."""
    return scaled(smoke=usual, standard=usual, thorough=usual, **options)


def free_form(default: Any, **options: Unpack[FieldOptions]) -> Any:
    """A field with a list or a mapping: as such, as YAML text, or as the path of a YAML file."""
    _refuse_unknown(options, FieldOptions)
    extra: Any = {"free_form": True, **options}
    return Field(default, validate_default=False, json_schema_extra=extra)


def nested(
    settings: type[Settings],
    *,
    only_if: Mapping[str, Any] | None = None,
    forms: tuple[str, ...] = (),
    expert: bool = False,
    title: str = "",
    folded: bool = True,
    **defaults: Any,
) -> Any:
    """A field that is itself a settings class; its fields flatten to `<field>_<name>`.

    `only_if`, `forms` and `expert` hold for all of them, `title` heads their group in a form, which
    is open at first if not `folded`; `defaults` are values of the class that differ from its own
    defaults.
    """
    extra: Any = {
        "only_if": dict(only_if or {}),
        "forms": forms,
        "expert": expert,
        "title": title,
        "folded": folded,
    }
    return Field(default_factory=lambda: settings(**defaults), json_schema_extra=extra)


def _field(default: Any, options: KnobOptions, **more: Any) -> Any:
    """A pydantic field: the bounds are its own, all else stands beside it."""
    _refuse_unknown(options, KnobOptions)
    values: dict[str, Any] = {**options}
    bounds: dict[str, Any] = {ours: values.pop(name, None) for name, ours in _BOUNDS.items()}
    return Field(default, json_schema_extra={**values, **more}, **bounds)


def _refuse_unknown(options: Mapping[str, Any], declared: Any) -> None:
    """Raise SettingsTypeError for names that a shape of options does not declare."""
    names = declared.__optional_keys__
    for name in options:
        if name not in names:
            raise SettingsTypeError(unknown("option of a field", name, names))
