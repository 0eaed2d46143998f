"""Checks of a space by the settings class: no trial may be refused later.

The class is made with the values at the ends of all ranges and with all choices, in all
combinations that the conditions allow, or in many of them where there are too many.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from workbench.errors import SettingsError
from workbench.settings.knobs import SET, Knob, knobs
from workbench.settings.spaces.parameters import Choice, Parameter
from workbench.settings.spaces.tree import count, mentioned, ordered, walk
from workbench.settings.spaces.values import same

if TYPE_CHECKING:
    from workbench.settings.base import Settings

__all__ = ["refused_by_settings"]

MOST_POINTS = 300
PREFIX = "fit."


def refused_by_settings(parameters: Sequence[Parameter], base: Settings) -> list[tuple[str, str]]:
    """Problems of trials that a settings class refuses, as (name of a parameter, sentence).

    The conditions of `parameters` name other ones of them only. `base` holds the values beside
    those of a trial.
    """
    corners = _corners(parameters)
    problems: dict[tuple[str, str], None] = {}
    names = {p.name for p in corners}
    for point in _points(corners):
        values = {n.removeprefix(PREFIX): v for n, v in point.items() if n.startswith(PREFIX)}
        try:
            base.replace(**values)
        except SettingsError as error:
            for name, text in error.problems:
                problems[_told(name, text, names, base)] = None
    return list(problems)


def _told(name: str, text: str, names: set[str], base: Settings) -> tuple[str, str]:
    """A problem of the settings class as one of the space."""
    full = f"{PREFIX}{name}"
    knob = next((k for k in knobs(type(base)) if k.name == name), None)
    if knob and full in names and text.startswith(f"`{name}` has an effect only if"):
        return full, (
            f"`{full}` has an effect only if {knob.condition}: {_advice(knob)}, or leave it out."
        )
    return full, text.replace(f"`{name}`", f"`{full}`", 1)


def _advice(knob: Knob) -> str:
    """The condition of a knob, to be added to its parameter."""
    parts = []
    for name, allowed in knob.only_if:
        if SET in allowed:
            return f"add an `if` on {' and '.join(f'`{PREFIX}{n}`' for n, _ in knob.only_if)}"
        values = allowed[0] if len(allowed) == 1 else f"[{', '.join(map(str, allowed))}]"
        parts.append(f"{PREFIX}{name}: {values}")
    return f"add `if: {{{', '.join(parts)}}}` to it"


def _corners(parameters: Sequence[Parameter]) -> list[Choice]:
    """The parameters of the settings, and those above them, each with its corners as choices."""
    by_name = {p.name: p for p in parameters}
    needed = {name for name in by_name if name.startswith(PREFIX)}
    for p in reversed(ordered(parameters)):
        if p.name in needed:
            needed |= {parent for parent, _ in p.conditions}
    named = mentioned(p for p in parameters if p.name in needed)
    corners = []
    for p in ordered([by_name[n] for n in by_name if n in needed]):
        values = p.corners()
        values += [v for v in named.get(p.name, ()) if not any(same(v, w) for w in values)]
        corners.append(Choice(name=p.name, choices=tuple(values), conditions=p.conditions))
    return corners


def _points(corners: Sequence[Choice]) -> Iterator[dict[str, Any]]:
    """All combinations; if there are too many, enough of them that each value occurs."""
    n = count(corners, lambda p: p.n_values)
    if n is not None and n <= MOST_POINTS:
        yield from walk(corners, lambda p: p.corners())
        return
    rng = random.Random(0)
    queues: dict[str, list[Any]] = {}

    def one(parameter: Parameter) -> list[Any]:
        queue = queues.setdefault(parameter.name, [])
        if not queue:
            queue += rng.sample(parameter.corners(), len(parameter.corners()))
        return [queue.pop()]

    for _ in range(max(MOST_POINTS, *(2 * len(p.choices) for p in corners))):
        yield from walk(corners, one)
