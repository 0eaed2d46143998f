"""Numbers as text: shares in percent, differences in points, intervals.

A metric has a unit. In `points`, its values are shares, shown in percent, and their differences
are shown in percentage points. With any other unit, values and differences are shown as they are.
"""

from __future__ import annotations

__all__ = [
    "difference_text",
    "interval_text",
    "percent",
    "points",
    "threshold_text",
    "value_text",
]


def percent(share: float, decimals: int | None = 2) -> str:
    """A share in percent: `92.50 %`.

    `decimals=None` shows one decimal at most and no trailing zero: `95 %`, `98.3 %`.
    """
    if decimals is None:
        return f"{round(100 * share, 1):g} %"
    return f"{100 * share:.{decimals}f} %"


def points(difference: float, signed: bool = True) -> str:
    """A difference of two shares in percentage points: `+0.42 points`."""
    return f"{_hundredths(difference, signed)} points"


def value_text(value: float, unit: str) -> str:
    """A value of a metric: `92.50 %` in points, else four significant digits: `0.1235`."""
    return percent(value) if unit == "points" else f"{value:.4g}"


def difference_text(difference: float, unit: str, signed: bool = True) -> str:
    """A difference of a metric: `+0.42 points`, else three significant digits: `+0.0123`."""
    if unit == "points":
        return points(difference, signed)
    return _significant(difference, 3, signed)


def threshold_text(threshold: float, unit: str) -> str:
    """A margin or a smallest difference, to two significant digits: `0.5 points`, `0.01`."""
    return f"{100 * threshold:.2g} points" if unit == "points" else f"{threshold:.2g}"


def interval_text(low: float, high: float, unit: str = "points", *, signed: bool = False) -> str:
    """The bounds of an interval without their unit: `91.80 to 93.15`.

    `signed=True` is for the interval of a difference: `-0.30 to +0.06`.
    """
    if unit == "points":
        return f"{_hundredths(low, signed)} to {_hundredths(high, signed)}"
    digits = 3 if signed else 4
    return f"{_significant(low, digits, signed)} to {_significant(high, digits, signed)}"


def _hundredths(share: float, signed: bool) -> str:
    return f"{100 * share:+.2f}" if signed else f"{100 * share:.2f}"


def _significant(value: float, digits: int, signed: bool) -> str:
    return f"{value:+.{digits}g}" if signed else f"{value:.{digits}g}"
