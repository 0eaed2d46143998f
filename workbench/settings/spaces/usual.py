"""Usual spaces: those of a settings class's own ranges, and the space for one model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from workbench.errors import SettingsError, unknown
from workbench.settings.knobs import SET, Knob, knobs
from workbench.settings.spaces.space import Space
from workbench.settings.spaces.targets import Targets
from workbench.settings.spaces.text import refused

if TYPE_CHECKING:
    from workbench.settings.base import Settings

__all__ = ["space_for", "space_of_knobs"]


def space_for(
    data: Any = None,
    *,
    fit: Settings | type[Settings] | None = None,
    builder: Callable[..., Any] | None = None,
    estimator: Any = None,
) -> Space:
    """The space that `data` declares for one model; without data, that of the knobs of `fit`.

    `data` is as `Space.of` takes it, the other arguments are as `Targets.of` takes them. Raises
    SettingsError for data that are refused, and for a model without settings of training if there
    are no data.
    """
    targets = Targets.of(fit=fit, builder=builder, estimator=estimator)
    if data is not None and not (isinstance(data, (str, Mapping)) and not data):
        return Space.of(data, targets)
    if targets.fit is not None:
        return space_of_knobs(targets.fit)
    raise SettingsError(
        "This model has no usual search space: declare one, such as "
        f"`{_example(targets)}: {{low: 0.01, high: 100, log: true}}`."
    )


def _example(targets: Targets) -> str:
    """A name that takes numbers, if there is one."""
    numeric = [name for name, target in targets.names.items() if target.kind == "float"]
    return next(iter([*numeric, *targets.names]), "estimator.model__C")


def space_of_knobs(
    settings: Settings | type[Settings], names: Sequence[str] | None = None
) -> Space:
    """The space `fit.*` of the ranges that the knobs of a settings class declare with `search`.

    `names` chooses knobs by flat name; one without a range gives all its choices. Without names,
    all knobs with a range take part, except those that have no effect beside the others. Raises
    SettingsError for names that are unknown or have neither range nor choices.
    """
    base = settings() if isinstance(settings, type) else settings
    by_name = {k.name: k for k in knobs(type(base))}
    chosen = [k.name for k in by_name.values() if k.search] if names is None else list(names)
    problems = []
    for name in chosen:
        if name not in by_name:
            problems.append((name, unknown("setting", name, by_name)))
        elif not _values(by_name[name]):
            problems.append((name, _without_values(name)))
    if problems:
        raise refused(problems)
    if names is None:
        chosen = _with_effect(chosen, by_name, base.flat())
    data: dict[str, Any] = {}
    for name in chosen:
        own = _values(by_name[name])
        conditions = _conditions(by_name[name], by_name, chosen, base.flat())
        data[f"fit.{name}"] = {**own, "if": conditions} if conditions else own
    return Space.of(data, Targets.of(fit=base))


def _with_effect(
    chosen: list[str], by_name: Mapping[str, Knob], values: Mapping[str, Any]
) -> list[str]:
    """The names without those of knobs that have no effect beside the others of the space."""
    kept = [n for n in chosen if _conditions(by_name[n], by_name, chosen, values) is not None]
    return kept if kept == chosen else _with_effect(kept, by_name, values)


def _values(knob: Knob) -> dict[str, Any]:
    """The range or the choices of a knob as the data of a space; empty if it has neither."""
    if knob.search:
        low, high = knob.search
        shape = {"log": True} if knob.log else {"step": knob.step} if knob.step else {}
        return {"low": low, "high": high, **shape}
    choices = [False, True] if knob.kind == "bool" else list(knob.choices)
    return {"choices": choices} if choices else {}


def _without_values(name: str) -> str:
    return (
        f"`{name}` declares no range to search: declare one in a space, such as "
        f"`fit.{name}: {{low: 1, high: 10}}`."
    )


def _conditions(
    knob: Knob,
    by_name: Mapping[str, Knob],
    chosen: Sequence[str],
    values: Mapping[str, Any],
) -> dict[str, Any] | None:
    """The conditions of a knob as the data of a space; None if they cannot hold.

    A knob outside of the space has the value in `values`.
    """
    conditions: dict[str, Any] = {}
    for name, allowed in knob.only_if:
        alone = replace(knob, only_if=((name, allowed),))
        if name not in chosen:
            if not alone.applies(values):
                return None
            continue
        parent = by_name[name]
        choices = _values(parent).get("choices")
        if SET in allowed and parent.search and parent.search[0] > 0:
            continue  # every value of its range is one that counts as set
        if SET in allowed and not choices:
            return None
        wanted = [c for c in choices or allowed if alone.applies({name: c})]
        if not wanted:
            return None
        conditions[f"fit.{name}"] = wanted
    return conditions
