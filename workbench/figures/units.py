"""Names, units and values of measured columns as text, from the column's name (`latency_ms`)."""

from __future__ import annotations

import math

__all__ = ["amount", "axis", "is_higher_better", "is_score", "times", "title_of"]

_BYTES = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("bytes", 1.0))
_COUNTS = (("G", 1e9), ("M", 1e6), ("k", 1e3), ("", 1.0))
_UNITS = ("ms", "us", "s", "mb")
_SCORES = ("quality", "accuracy", "score", "f1", "auc", "r2", "precision", "recall")
_HIGHER = (*_SCORES, "throughput", "speedup")


def is_score(column: str) -> bool:
    """Whether changes of a column are shown as differences, not as factors.

    They are for names with the word of a score, such as `balanced_accuracy` and `quality_valid`.
    From 0.99 to 0.98 a score loses 0.01; a factor of 1.01 says nothing.
    """
    return any(word in _SCORES for word in column.split("_"))


def is_higher_better(column: str) -> bool:
    """Whether more is better, by the words of the name; a name without a known word is a cost."""
    return any(word in _HIGHER for word in column.split("_"))


def title_of(column: str) -> str:
    """The name without its unit: `latency_p50_ms` is "latency p50"."""
    words = column.split("_")
    return " ".join(words[:-1] if len(words) > 1 and words[-1] in (*_UNITS, "bytes") else words)


def axis(column: str, largest: float) -> tuple[str, float]:
    """Title of an axis with its unit, and the divisor of its values: ("size (kB)", 1000.0)."""
    unit, scale = _unit(column, largest)
    return (f"{title_of(column)} ({unit})" if unit else title_of(column)), scale


def amount(value: float, column: str, *, signed: bool = False) -> str:
    """A value with its unit and three digits ("242 kB"); a `signed` change has two ("+0.003 ms").

    A score has four digits, a change of a score two, both without a unit.
    """
    unit, scale = _unit(column, abs(value))
    sign = _sign(value, signed=signed)
    if is_score(column):
        return f"{sign}{abs(value):.{2 if signed else 4}g}"
    return f"{sign}{_digits(abs(value) / scale, 2 if signed else 3)} {unit}".rstrip()


def _sign(value: float, *, signed: bool) -> str:
    """Minus for a negative value; plus or plus-minus for others if `signed`."""
    if value < 0:
        return "−"
    if not signed:
        return ""
    return "+" if value > 0 else "±"


def times(factor: float) -> str:
    """A factor with two digits: "2.7x", "31x", "130x", "0.83x"."""
    if factor >= 9.95:
        return f"{float(f'{factor:.2g}'):,.0f}x"
    return f"{factor:.1f}x" if factor >= 0.995 else f"{factor:.2g}x"


def _unit(column: str, size: float) -> tuple[str, float]:
    last = column.split("_")[-1]
    if last in _UNITS:
        return ("MB" if last == "mb" else last), 1.0
    if is_score(column):
        return "", 1.0
    steps = _BYTES if last == "bytes" else _COUNTS
    return next((step for step in steps if size >= step[1] * 0.9995), steps[-1])


def _digits(value: float, digits: int = 3) -> str:
    """Significant digits without an exponent: 1.37, 48.6, 242, 1,240."""
    if value == 0:
        return "0"
    if value < 1000:
        value = float(f"{value:.3g}")  # rounded first, so that 0.9999 becomes 1.00 and not 1.000
    decimals = min(max(0, digits - 1 - math.floor(math.log10(value))), 6)
    text = f"{value:,.{decimals}f}"
    # a measured 3.70 keeps its zero; a change has two digits and loses it
    return text.rstrip("0").rstrip(".") if digits < 3 and decimals else text
