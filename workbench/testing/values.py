"""Values of settings for the contract: away from the default, and points of the search space.

Only settings that have an effect beside the others are set, as all others are refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from workbench.settings import SET, Knob, TechniqueSettings, knobs

__all__ = ["other_value", "search_points", "walk"]

Flat = dict[str, Any]


def other_value(k: Knob) -> Any:
    """A valid value of one setting that is not its default."""
    if k.kind == "bool":
        return not k.default
    if k.kind == "choice":
        return next(c for c in k.choices if c != k.default)
    if k.kind == "int":
        if k.low is None or k.low == k.default:
            return int(k.default or 0) + 1
        return int(k.low)
    if k.kind == "float":
        low = k.low or 0.0
        return low + ((k.high or 1.0) - low) / 7
    if k.kind == "yaml":
        return "[a.b, c]" if k.default.startswith("[") else "{a.b: 0.25}"
    return "text"


def walk(
    settings: type[TechniqueSettings], other: Callable[[Knob], Any] = other_value
) -> Iterator[Flat]:
    """Flat values for every choice of every setting that conditions name.

    Beside each choice, all settings that have an effect hold `other(knob)`.
    """
    all_knobs = knobs(settings)
    by_name = {k.name: k for k in all_knobs}
    conditions = [condition for k in all_knobs for condition in k.only_if]
    named = {name for name, _ in conditions}
    yield _filled(all_knobs, {}, named, other)
    for name in sorted(named):
        is_emptied = any(SET in allowed for owner, allowed in conditions if owner == name)
        for value in _values_of(by_name[name], other, is_emptied):
            pinned = _pinned(by_name[name], value, by_name, other)
            yield _filled(all_knobs, pinned, named, other)


def _values_of(k: Knob, other: Callable[[Knob], Any], is_emptied: bool) -> Sequence[Any]:
    """All choices of a setting, or its default, its other value and, where asked, an empty one."""
    if k.choices:
        return k.choices
    values = (k.default, other(k))
    if is_emptied and k.kind in ("int", "float", "text"):
        empty = {"int": 0, "float": 0.0, "text": ""}[k.kind]
        return tuple(dict.fromkeys((*values, empty)))
    return values


def _pinned(k: Knob, value: Any, by_name: Mapping[str, Knob], other: Callable[[Knob], Any]) -> Flat:
    """A value of one setting, with the values of others that give it an effect."""
    pinned: Flat = {}
    for name, allowed in k.only_if:
        parent = by_name[name]
        fits = replace(k, only_if=((name, allowed),)).applies
        fitting = [v for v in (parent.default, *allowed) if v != SET and fits({name: v})]
        chosen = fitting[0] if fitting else other(parent)
        pinned |= _pinned(parent, chosen, by_name, other)
    return {**pinned, k.name: value}


def _filled(
    all_knobs: Sequence[Knob], pinned: Flat, named: set[str], other: Callable[[Knob], Any]
) -> Flat:
    """Every setting that has an effect beside the pinned ones at its other value."""
    values = {k.name: k.default for k in all_knobs} | pinned
    for k in sorted(all_knobs, key=lambda k: k.name not in named):
        if k.name not in pinned and k.applies(values):
            values[k.name] = other(k)
    return _settled(all_knobs, values)


def _settled(all_knobs: Sequence[Knob], values: Flat) -> Flat:
    """The values, with those that have no effect back at their default."""
    vain = [k for k in all_knobs if values[k.name] != k.default and not k.applies(values)]
    if not vain:
        return values
    return _settled(all_knobs, values | {k.name: k.default for k in vain})


def search_points(
    settings: type[TechniqueSettings], n: int, *, seed: int = 0, model_form: str = ""
) -> list[Flat]:
    """`n` points of the default search space in the smoke budget, as flat values.

    The choices of `method` take turns; every setting with a range `search` that has an effect is
    drawn from it, evenly or, where declared, evenly on a log scale. `model_form` leaves out those
    without an effect on models of this form.
    """
    all_knobs = knobs(settings)
    methods = next((k.choices for k in all_knobs if k.name == "method"), ())
    rng = np.random.default_rng(seed)
    points = []
    for number in range(n):
        values = {k.name: k.default for k in all_knobs} | {"budget": "smoke"}
        if methods:
            values["method"] = methods[number % len(methods)]
        for k in all_knobs:
            if k.search is not None and k.takes(model_form) and k.applies(values):
                values[k.name] = _drawn(k, rng)
        points.append(_settled(all_knobs, values))
    return points


def _drawn(k: Knob, rng: np.random.Generator) -> float | int:
    low, high = k.search or (0, 1)
    if k.log:
        value = math.exp(rng.uniform(math.log(low), math.log(high)))
    else:
        value = rng.uniform(low, high)
    value = min(max(value, low), high)
    return round(value) if k.kind == "int" else float(value)
