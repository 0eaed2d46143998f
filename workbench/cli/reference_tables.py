"""Tables of the reference: every setting, run option, runtime, metric and column of the ledger."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from workbench.settings import Knob, RunOptions, Settings, knobs

__all__ = ["Table", "settings_tables"]

_HEADS = ("setting", "type", "default", "values", "has an effect when", "meaning")


@dataclass(frozen=True)
class Table:
    """One table of the reference.

    A row holds a text for each of the `heads`; the first one is the name. Further lines of a text
    are shown smaller. A `group` is a heading, a text and the rows below them.
    """

    name: str
    title: str
    text: str
    heads: tuple[str, ...]
    groups: tuple[tuple[str, str, tuple[tuple[str, ...], ...]], ...]

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """The rows of all groups."""
        return tuple(row for _, _, rows in self.groups for row in rows)


def settings_tables() -> tuple[Table, ...]:
    """All tables of settings.html: options of a run, techniques, runtimes, metrics, columns."""
    from workbench.metrics import METRICS
    from workbench.runtimes import RUNTIMES

    tables = [
        _settings_table(
            "run",
            "Every run",
            "Options of `workbench run`, of a recipe and of each technique's command.",
            RunOptions,
        ),
        *_technique_tables(),
        _declared_table(
            "runtimes",
            "Runtimes",
            "Engines that run a model.",
            RUNTIMES,
            ("title", "forms", "devices"),
        ),
        _declared_table("metrics", "Metrics", "Scores that a task can name.", METRICS),
    ]
    if find_spec("workbench.ledger.columns") is not None:
        columns = importlib.import_module("workbench.ledger.columns").COLUMNS
        text = "Columns of a run's table, one row a step."
        fields = ("title", "table", "unit", "direction", "sentence")
        tables.append(_declared_table("ledger", "Columns of the ledger", text, columns, fields))
    return tuple(tables)


def _technique_tables() -> Iterator[Table]:
    from workbench.techniques import get_technique, technique_names

    for name in technique_names():
        declared = get_technique(name)
        some = {form: f" ({models} only)" for form, models in declared.partly.items()}
        forms = " or ".join(_plain(form) + some.get(form, "") for form in declared.accepts)
        gives = "the same form" if declared.gives == "same" else _plain(declared.gives)
        lines = [declared.summary, f"Takes {forms}; gives {gives}."]
        if declared.actions:
            commands = (f"`workbench {name} {action}`" for action in sorted(declared.actions))
            lines.append(f"Analyses: {', '.join(commands)}.")
        yield _settings_table(name, declared.title, " ".join(lines), declared.settings)


def _settings_table(name: str, title: str, text: str, settings: type[Settings]) -> Table:
    """The settings of one class, those of a nested class as a group; without empty columns."""
    inside: dict[str, list[tuple[str, ...]]] = {}
    for k in knobs(settings):
        inside.setdefault(k.path[0] if len(k.path) > 1 else "", []).append(_knob_row(k))
    used = [
        number
        for number in range(len(_HEADS))
        if any(row[number] for rows in inside.values() for row in rows)
    ]
    groups = tuple(
        (group, _help_of(settings, group), tuple(tuple(row[n] for n in used) for row in rows))
        for group, rows in inside.items()
    )
    return Table(name, title, text, tuple(_HEADS[n] for n in used), groups)


def _help_of(settings: type[Settings], field: str) -> str:
    return " ".join((settings.model_fields[field].description or "").split()) if field else ""


def _knob_row(k: Knob) -> tuple[str, ...]:
    label = ", ".join(filter(None, (k.title, "expert" if k.expert else "")))
    return (
        f"{k.name}\n{label}" if label else k.name,
        f"{k.kind} or None" if k.optional else k.kind,
        _default_text(k),
        _values_text(k),
        k.condition,
        k.help,
    )


def _default_text(k: Knob) -> str:
    if k.by_budget is None:
        return "empty" if k.default == "" else _plain(k.default)
    usual = {_plain(value) for value in k.by_budget.values()}
    if len(usual) == 1:
        return f"None\n{usual.pop()} unless the model brings its own"
    return "None\n" + ", ".join(f"{b} {_plain(v)}" for b, v in k.by_budget.items())


def _values_text(k: Knob) -> str:
    """The choices or the range, and the unit below."""
    if k.choices:
        values = ", ".join(_plain(choice) for choice in k.choices)
    elif k.low is None and k.high is None:
        values = ""
    elif k.low is None:
        values = f"at most {_plain(k.high)}"
    elif k.high is None:
        values = f"at least {_plain(k.low)}"
    else:
        values = f"{_plain(k.low)} to {_plain(k.high)}"
    return "\n".join(filter(None, (values, k.unit)))


def _declared_table(
    name: str, title: str, text: str, things: Any, fields: tuple[str, ...] = ()
) -> Table:
    """A table of declared things (a registry, a mapping or a sequence), a column a plain field.

    `fields` chooses the columns and their order. Fields that hold functions are left out, and so
    are those that no thing fills.
    """
    if hasattr(things, "all"):
        things = things.all()
    by_name = things if isinstance(things, Mapping) else {thing.name: thing for thing in things}
    filled = {
        key: {"name": key, **_plain_fields(thing), **_plain_properties(thing, fields)}
        for key, thing in by_name.items()
    }
    columns = fields or tuple(head for row in filled.values() for head in row)
    heads = [
        head
        for head in dict.fromkeys(("name", *columns))
        if all(head in row for row in filled.values()) and any(row[head] for row in filled.values())
    ]
    rows = tuple(tuple(row[head] for head in heads) for row in filled.values())
    shown = tuple(head.replace("_", " ") for head in heads)
    return Table(name, title, text, shown, (("", "", rows),))


def _plain_fields(thing: Any) -> dict[str, str]:
    if not dataclasses.is_dataclass(thing):
        return {"forms": _plain(thing)}
    values = {field.name: getattr(thing, field.name) for field in dataclasses.fields(thing)}
    return {name: _plain(value) for name, value in values.items() if _is_plain(value)}


def _plain_properties(thing: Any, names: Sequence[str]) -> dict[str, str]:
    """The plain values of these names that are properties of a declaration, not fields."""
    has = {name for name in names if isinstance(getattr(type(thing), name, None), property)}
    return {name: _plain(getattr(thing, name)) for name in names if name in has}


def _is_plain(value: Any) -> bool:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return all(_is_plain(one) for one in value)
    return isinstance(value, (str, bool, int, float))


def _plain(value: Any) -> str:
    """A value as a reader types or reads it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple, set, frozenset)):
        return ", ".join(_plain(one) for one in value)
    if isinstance(value, float):
        return f"{value:g}"
    return str(getattr(value, "name", value))
