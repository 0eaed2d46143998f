"""Conditions of parameters, read from `if` after all parameters are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from workbench.errors import shown, unknown
from workbench.settings.spaces.parameters import Conditions, Parameter
from workbench.settings.spaces.tree import cycle, excluding
from workbench.settings.spaces.values import read_number, same

__all__ = ["with_conditions"]

Problems = list[tuple[str, str]]


def with_conditions(
    by_name: Mapping[str, Parameter], tree: Mapping[str, Any], problems: Problems
) -> dict[str, Parameter]:
    """The parameters with their conditions; those whose conditions are wrong are left out."""
    raw = {
        name: declared["if"]
        for name, declared in tree.items()
        if isinstance(declared, Mapping) and "if" in declared
    }
    complete = {
        name: replace(parameter, conditions=_conditions(name, raw[name], by_name, tree, problems))
        if name in raw
        else parameter
        for name, parameter in by_name.items()
    }
    parents = {name: list(value) for name, value in raw.items() if isinstance(value, Mapping)}
    circle = cycle({n: [p for p in ps if p != n and p in parents] for n, ps in parents.items()})
    if circle:
        path = " -> ".join(f"`{name}`" for name in circle)
        problems.append((circle[0], f"{path}: these conditions form a circle; remove one."))
    wrong = {name for name, _ in problems} | set(circle)
    for _ in by_name:
        wrong |= {n for n, ps in parents.items() if any(p in wrong or p not in by_name for p in ps)}
    complete = {name: p for name, p in complete.items() if name not in wrong}
    for name in complete:
        parent = excluding(name, complete)
        if parent:
            problems.append(
                (
                    name,
                    f"`{name}` is never active: its conditions, and those above it, need "
                    f"different values of `{parent}`.",
                )
            )
    return complete


def _conditions(
    name: str,
    raw: Any,
    by_name: Mapping[str, Parameter],
    tree: Mapping[str, Any],
    problems: Problems,
) -> Conditions:
    """The conditions of one parameter, each with the values of the parameter that it names."""
    if not isinstance(raw, Mapping) or not raw:
        example = "such as {fit.optimizer: sgd}"
        problems.append(
            (name, f"`{name}` must have a mapping as `if`, {example}, got {shown(raw)}.")
        )
        return ()
    conditions: list[tuple[str, tuple[Any, ...]]] = []
    texts: list[str] = []
    for parent, wanted in raw.items():
        values = list(wanted) if isinstance(wanted, (list, tuple)) else [wanted]
        if parent == name:
            texts.append("it depends on itself; name another parameter.")
        elif parent not in tree:
            texts.append(unknown("parameter", parent, [n for n in tree if n != name]))
        elif parent in by_name:
            conditions.append((parent, _own_values(by_name[parent], values, texts)))
    problems += [(name, f"The condition of `{name}`: {text}") for text in texts]
    return tuple(conditions)


def _own_values(parent: Parameter, values: Sequence[Any], texts: list[str]) -> tuple[Any, ...]:
    """The values of a condition as the parameter that it names has them, each once."""
    if parent.n_values is None:
        texts.append(f"`{parent.name}` is a range of real numbers; give it a step or choices.")
        return ()
    if not values:
        texts.append(f"give at least one value of `{parent.name}`.")
    own: list[Any] = []
    for value in values:
        try:
            found = _own_value(parent, value)
        except ValueError:
            texts.append(
                f"`{parent.name}` cannot be {shown(value)}; its values: {parent.described}."
            )
            continue
        own += [] if any(same(found, known) for known in own) else [found]
    return tuple(own)


def _own_value(parent: Parameter, value: Any) -> Any:
    """The value as the parameter has it; text such as 1e-4 is a number if it has no such text."""
    try:
        return parent.own(value)
    except ValueError:
        return parent.own(read_number(value))
