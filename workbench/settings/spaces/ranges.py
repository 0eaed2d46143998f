"""The range of a parameter, read from `low`, `high`, `step`, `log` and `type`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal, DecimalException
from typing import Any

from workbench.errors import shown
from workbench.settings.spaces.parameters import Range
from workbench.settings.spaces.targets import Target
from workbench.settings.spaces.values import MOST_WHOLE, read_number, unwrapped

__all__ = ["read_range"]

MOST_STEPS = 10**9


def read_range(
    name: str, declared: Mapping[str, Any], target: Target, texts: list[str]
) -> Range | None:
    """The range that a mapping declares; None, and sentences in `texts`, if it is refused."""
    refusal = _other_kind(target)
    if refusal:
        texts.append(refusal)
        return None
    missing = [key for key in ("low", "high") if declared.get(key) is None]
    if missing:
        texts.append(f"is a range and lacks `{'` and `'.join(missing)}`.")
    log = unwrapped(declared.get("log", False))
    if not isinstance(log, bool):
        texts.append(f"must have true or false as `log`, got {shown(log)}.")
    numbers: dict[str, float] = {}
    for key in ("low", "high", "step"):
        if declared.get(key) is not None:
            try:
                numbers[key] = read_number(declared[key])
            except ValueError as error:
                texts.append(f"has a wrong `{key}`: it {error}.")
    if texts:
        return None
    is_int = _is_int(numbers, declared.get("type"), target)
    texts += _not_whole(numbers, target) if is_int else []
    texts += [] if texts else _wrong_order(numbers, log, is_int)
    if texts:
        return None
    kind = int if is_int else float
    step = numbers.get("step")
    return Range(
        name=name,
        low=kind(numbers["low"]),
        high=kind(numbers["high"]),
        is_int=is_int,
        step=None if step is None or log else kind(step),
        log=log,
        typed="type" in declared,
    )


def _other_kind(target: Target) -> str:
    """Why a target takes no range; empty if it takes one."""
    if target.kind == "bool":
        return "is true or false and takes no range: write [true, false]."
    if target.kind == "choice":
        listed = ", ".join(map(str, target.choices))
        return f"is one of several values and takes no range: write a list of {listed}."
    if target.kind == "text" and target.strict:
        return "is text and takes no range: write a list."
    if target.kind == "estimator":
        return (
            "is an estimator and takes no range: name one of its parameters after two underscores."
        )
    return ""


def _is_int(numbers: Mapping[str, float], declared: Any, target: Target) -> bool:
    if target.strict and target.kind == "int":
        return True
    if declared in ("int", "float"):
        return bool(declared == "int")
    return target.kind != "float" and all(isinstance(n, int) for n in numbers.values())


def _not_whole(numbers: Mapping[str, float], target: Target) -> list[str]:
    large = [f"`{key}` {n}" for key, n in numbers.items() if abs(n) > MOST_WHOLE]
    if large:
        return [f"is a whole number between -2**53 and 2**53: change {' and '.join(large)}."]
    wrong = [f"`{key}` {n}" for key, n in numbers.items() if n != int(n)]
    if not wrong:
        return []
    advice = " Or annotate it as float." if target.from_default else ""
    return [f"is a whole number: change {' and '.join(wrong)}.{advice}"]


def _wrong_order(numbers: Mapping[str, float], log: bool, is_int: bool) -> list[str]:
    """Sentences about bounds, logarithm and step that do not fit each other."""
    low, high, step = numbers["low"], numbers["high"], numbers.get("step")
    if low >= high:
        advice = " For a fixed value write the value alone." if low == high else ""
        return [f"needs `low` below `high`, got {low} and {high}.{advice}"]
    texts = []
    if not math.isfinite(float(high) - float(low)):
        texts.append(f"spans more than a number can hold, from {low} to {high}: narrow it.")
    if log and low <= 0:
        texts.append(f"needs `low` above 0 for `log: true`, got {low}.")
    if step is None:
        return texts
    if step <= 0:
        texts.append(f"needs a `step` above 0, got {step}.")
    elif log and not (is_int and step == 1):
        texts.append("has `step` and `log: true`, which exclude each other: leave one out.")
    elif not texts and not log:
        texts += _step_that_does_not_fit(low, high, step, is_int)
    return texts


def _step_that_does_not_fit(low: float, high: float, step: float, is_int: bool) -> list[str]:
    kind = int if is_int else float
    first, last, size = (Decimal(repr(kind(n))) for n in (low, high, step))
    try:
        n_steps, rest = divmod(last - first, size)
    except DecimalException:  # more steps than a decimal number counts
        n_steps, rest = Decimal(MOST_STEPS + 1), Decimal(0)
    if n_steps > MOST_STEPS:
        return [f"has a `step` of {step}, which makes more than {MOST_STEPS:,} steps: enlarge it."]
    if n_steps == 0:
        return [f"has a `step` of {step}, larger than the range from {low} to {high}."]
    if rest:
        below, above = first + n_steps * size, first + (n_steps + 1) * size
        return [
            f"has a `step` of {step}, which does not divide the range from {low} to {high}: set "
            f"`high` to {below} or {above}."
        ]
    return []
