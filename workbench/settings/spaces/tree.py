"""The tree of a space's conditions: order, circles, and all combinations of values.

A parameter with conditions is a child of the parameters that they name:

    model.kind --- cnn ---> model.width --- 64, 128 ---> model.dropout
               --- mlp ---> model.hidden
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from workbench.settings.spaces.parameters import Parameter
from workbench.settings.spaces.values import same

__all__ = ["count", "cycle", "excluding", "mentioned", "ordered", "walk"]

_OTHER = object()  # stands for all values that no condition names


def cycle(parents: Mapping[str, Iterable[str]]) -> list[str]:
    """Names of a circle of conditions, the first one again at its end; empty if there is none."""
    done: set[str] = set()

    def follow(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for parent in parents.get(name, ()):
            circle = follow(parent, [*path, name])
            if circle:
                return circle
        done.add(name)
        return []

    return next(filter(None, (follow(name, []) for name in parents)), [])


def ordered(parameters: Sequence[Parameter]) -> list[Parameter]:
    """The parameters with each one after those that its conditions name, else as declared."""
    order: list[Parameter] = []
    placed: set[str] = set()
    waiting = list(parameters)
    while waiting:
        nearest = next(p for p in waiting if all(n in placed for n, _ in p.conditions))
        order.append(nearest)
        placed.add(nearest.name)
        waiting.remove(nearest)
    return order


def excluding(name: str, by_name: Mapping[str, Parameter]) -> str:
    """The parameter about which the conditions of `name`, and those above it, contradict.

    Empty if all of them can hold together, so that `name` is active at some point.
    """
    allowed: dict[str, list[Any]] = {}
    waiting, seen = [name], {name}
    while waiting:
        for parent, values in by_name[waiting.pop()].conditions:
            before = allowed.get(parent, values)
            allowed[parent] = [v for v in values if any(same(v, w) for w in before)]
            if not allowed[parent]:
                return parent
            if parent not in seen:
                seen.add(parent)
                waiting.append(parent)
    return ""


def mentioned(parameters: Iterable[Parameter]) -> dict[str, list[Any]]:
    """The values that conditions name, by the parameter that has them, each value once."""
    values: dict[str, list[Any]] = {}
    for parameter in parameters:
        for parent, allowed in parameter.conditions:
            known = values.setdefault(parent, [])
            known += [v for v in allowed if not any(same(v, w) for w in known)]
    return values


def walk(
    order: Sequence[Parameter], values_of: Callable[[Parameter], Sequence[Any]]
) -> Iterator[dict[str, Any]]:
    """All points, the last parameter varying fastest; `order` is that of `ordered`."""
    point: dict[str, Any] = {}

    def below(depth: int) -> Iterator[dict[str, Any]]:
        if depth == len(order):
            yield copy.deepcopy(point)
            return
        parameter = order[depth]
        if not parameter.is_active(point):
            yield from below(depth + 1)
            return
        for value in values_of(parameter):
            point[parameter.name] = value
            yield from below(depth + 1)
        point.pop(parameter.name, None)

    return below(0)


def count(order: Sequence[Parameter], n_of: Callable[[Parameter], int | None]) -> int | None:
    """Number of points that `walk` gives, without making them.

    None if a parameter has no number of values. Values that fulfil the same conditions are one
    case, and parameters that no condition joins are counted apart.
    """
    counts = [_count_joined(group, n_of) for group in _groups(order)]
    return None if None in counts else math.prod(n for n in counts if n is not None)


def _groups(order: Sequence[Parameter]) -> list[list[Parameter]]:
    """The parameters in groups that conditions join, each in the order given."""
    of: dict[str, set[str]] = {}
    for parameter in order:
        joined = {parameter.name}
        for parent, _ in parameter.conditions:
            joined |= of[parent]
        for name in joined:
            of[name] = joined
    groups = {id(names): names for names in of.values()}
    return [[p for p in order if p.name in names] for names in groups.values()]


def _count_joined(
    order: Sequence[Parameter], n_of: Callable[[Parameter], int | None]
) -> int | None:
    numbers = {p.name: n_of(p) for p in order}
    if None in numbers.values():
        return None
    named = mentioned(order)
    leaves = [p for p in order if p.name not in named]
    parents = [p for p in order if p.name in named]
    cases = {p.name: _cases(p.name, named[p.name], numbers[p.name] or 0, order) for p in parents}

    def below(depth: int, point: dict[str, Any]) -> int:
        if depth == len(parents):
            return math.prod(numbers[p.name] or 1 for p in leaves if p.is_active(point))
        name = parents[depth].name
        if not parents[depth].is_active(point):
            return below(depth + 1, point)
        return sum(n * below(depth + 1, {**point, name: value}) for value, n in cases[name])

    return below(0, {})


def _cases(
    name: str, values: Sequence[Any], n_values: int, order: Sequence[Parameter]
) -> list[tuple[Any, int]]:
    """Values of a parameter that fulfil different conditions, each with the number of its like."""
    conditions = [allowed for p in order for parent, allowed in p.conditions if parent == name]
    cases: dict[tuple[bool, ...], tuple[Any, int]] = {}
    for value in values:
        fulfilled = tuple(any(same(value, v) for v in allowed) for allowed in conditions)
        first, n = cases.get(fulfilled, (value, 0))
        cases[fulfilled] = first, n + 1
    others = (_OTHER, n_values - len(values))
    return [*cases.values(), others] if others[1] > 0 else list(cases.values())
