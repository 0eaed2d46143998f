"""What a settings class says when it refuses: the name, the rule, the value got and the way out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from workbench.errors import SettingsError, SettingsTypeError, shown, unknown
from workbench.settings.knobs import Knob

__all__ = ["problems_of", "without_effect"]


def problems_of(
    names: Mapping[str, tuple[Any, ...]], error: ValidationError
) -> tuple[list[tuple[str, str]], bool]:
    """Sentences for everything that pydantic refused, as (name, sentence).

    The second value says whether every problem is a wrong type.

    `names` holds the valid names, each with the choices of that setting where it has some.
    """
    problems: list[tuple[str, str]] = []
    wrong_kind = True
    for item in error.errors(include_url=False):
        inner = (item.get("ctx") or {}).get("error")
        where = tuple(str(p) for p in item["loc"])
        if isinstance(inner, SettingsError):  # a nested class has already said it
            problems += [
                (f"{where[0]}_{name}", text.replace("`", f"`{where[0]}_", 1))
                for name, text in inner.problems
            ]
            wrong_kind &= isinstance(inner, SettingsTypeError)
            continue
        name = "_".join(where)
        text, is_kind = _sentence(names, name, item)
        problems.append((name, text))
        wrong_kind &= is_kind
    return problems, wrong_kind


def _sentence(
    names: Mapping[str, tuple[Any, ...]], name: str, item: Mapping[str, Any]
) -> tuple[str, bool]:
    kind, got, ctx = item["type"], item["input"], item.get("ctx") or {}
    rules = {
        "greater_than_equal": ("at least", "ge"),
        "less_than_equal": ("at most", "le"),
        "greater_than": ("more than", "gt"),
        "less_than": ("less than", "lt"),
    }
    if kind == "extra_forbidden":
        return unknown("setting", name, names), False
    if kind in rules:
        words, key = rules[kind]
        number = shown(got)[1:-1] if isinstance(got, str) else shown(got)  # of a command line
        return f"`{name}` must be {words} {ctx[key]:g}, got {number}.", False
    if kind == "literal_error":
        valid = names.get(str(item["loc"][0]), ())
        return f"`{name}` got {shown(got)}. " + unknown("value", got, map(str, valid)), False
    if kind == "finite_number":
        return f"`{name}` must be a finite number, got {shown(got)}.", False
    if kind in ("value_error", "assertion_error"):
        return f"`{name}` {ctx.get('error', item['msg'])}", False
    kinds = {
        "int": "a whole number",
        "float": "a number",
        "bool": "true or false",
        "string": "text",
        "dict": "a mapping",
        "list": "a list",
        "model": "a mapping",
    }
    start = kind.split("_")[0]
    wanted = kinds.get(start, item["msg"])
    return f"`{name}` must be {wanted}, got {shown(got)} ({type(got).__name__}).", True


def without_effect(knobs: Sequence[Knob], values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Values that differ from their default beside others that leave them without an effect.

    Each is told as (name, sentence); `values` are flat.
    """
    problems = []
    for k in knobs:
        if values[k.name] == k.default or k.applies(values):
            continue
        others = ", ".join(f"`{name}` is {values[name]!r}" for name, _ in k.only_if)
        problems.append(
            (
                k.name,
                f"`{k.name}` has an effect only if {k.condition}; here {others}. Leave it out, or "
                f"change {' and '.join(f'`{name}`' for name, _ in k.only_if)}.",
            )
        )
    return problems
