"""Plain values: numbers of NumPy as Python's, numbers that YAML reads as text, and equality."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from workbench.errors import shown

__all__ = [
    "MOST_WHOLE",
    "looks_like_number",
    "plain",
    "plain_number",
    "read_number",
    "same",
    "unwrapped",
]

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_MISREAD = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)[eE][+-]?\d+\s*", re.ASCII)
MOST_LEVELS = 20
MOST_WHOLE = 2**53  # beyond it, a float holds some whole numbers only


def looks_like_number(value: Any) -> bool:
    """Whether a value is text such as 1e-4, a number that YAML 1.1 reads as text."""
    return isinstance(value, str) and bool(_MISREAD.fullmatch(value))


def read_number(value: Any) -> float:
    """A number, from text such as 1e-4 too.

    Raises ValueError, as `plain_number` does.
    """
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        text = value.strip()
        value = int(text) if re.fullmatch(r"[+-]?\d{1,20}", text) else float(text)
    return plain_number(value)


def plain_number(value: Any) -> float:
    """A finite number as Python's int or float.

    Raises ValueError with the rule, to stand after a name: "must be a finite number, got nan".
    """
    number = unwrapped(value)
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise ValueError(f"must be a number, got {shown(value)}")
    if isinstance(number, float) and not math.isfinite(number):
        raise ValueError(f"must be a finite number, got {shown(value)}")
    if isinstance(number, int) and abs(number) > MOST_WHOLE:
        raise ValueError(f"must be a whole number between -2**53 and 2**53, got {shown(value)}")
    return number


def plain(value: Any, level: int = 0) -> Any:
    """A value as JSON holds it: None, true, false, numbers, text, lists, mappings by text.

    Raises ValueError with the rule for anything else.
    """
    value = unwrapped(value)
    if level > MOST_LEVELS:
        raise ValueError(f"must have at most {MOST_LEVELS} levels of lists and mappings")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (int, float)):
        return plain_number(value)
    if isinstance(value, (list, tuple, range)):
        return [plain(item, level + 1) for item in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {str(key): plain(item, level + 1) for key, item in value.items()}
    raise ValueError(
        f"must be a number, text, true, false, null, or a list or mapping of them, got "
        f"{shown(value)}"
    )


def same(one: Any, other: Any) -> bool:
    """Whether two plain values are equal; true and 1 are not."""
    one, other = unwrapped(one), unwrapped(other)
    if isinstance(one, bool) or isinstance(other, bool):
        return isinstance(one, bool) and isinstance(other, bool) and one == other
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return (type(one) is type(other) and one == other) or _are_equal_numbers(one, other)


def _are_equal_numbers(one: Any, other: Any) -> bool:
    return isinstance(one, (int, float)) and isinstance(other, (int, float)) and one == other


def unwrapped(value: Any) -> Any:
    """A scalar or an array of NumPy as Python's values; int, float and text of subclasses too."""
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, str):
        return str.__str__(value)
    for kind in (int, float):
        if isinstance(value, kind) and type(value) not in (kind, bool):
            return kind(value)
    return value
