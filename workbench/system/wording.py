"""Numbers as text: shares in percent, differences in points, intervals, sizes and times.

A metric has a unit. In `points`, its values are shares, shown in percent, and their differences
are shown in percentage points. With any other unit, values and differences are shown as they are.
"""

from __future__ import annotations

__all__ = [
    "GIB",
    "bytes_text",
    "difference_text",
    "duration_text",
    "gib_text",
    "interval_text",
    "ms_text",
    "percent",
    "points",
    "seconds_text",
    "threshold_text",
    "times_text",
    "value_text",
]

GIB = 2**30


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


def times_text(factor: float) -> str:
    """A factor: `2.7x`, `0.83x`."""
    return f"{factor:.1f}x" if factor >= 0.95 else f"{factor:.2f}x"


def bytes_text(n_bytes: float, decimals: int = 2) -> str:
    """A size in kB, MB or GB: `410 kB`, `1.02 MB`, `1.07 GB`; `decimals` are those of MB."""
    if n_bytes >= 1e9:
        return f"{n_bytes / 1e9:.2f} GB"
    return f"{n_bytes / 1e6:.{decimals}f} MB" if n_bytes >= 1e6 else f"{n_bytes / 1e3:.0f} kB"


def gib_text(n_bytes: float) -> str:
    """Memory or space on a disk: `1.5 GiB`."""
    return f"{n_bytes / GIB:.1f} GiB"


def ms_text(ms: float) -> str:
    """Milliseconds with about three digits: `0.357 ms`, `1.50 ms`, `60.0 ms`, `1,240 ms`."""
    if ms < 0.1:
        return f"{ms:.2g} ms"
    digits = 3 if ms < 1 else 2 if ms < 10 else 1 if ms < 1000 else 0
    return f"{ms:,.{digits}f} ms"


def seconds_text(seconds: float) -> str:
    """Seconds, from 100 on minutes: `3.0 s`, `2.5 min`."""
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.1f} min"


def duration_text(low: float, high: float) -> str:
    """An estimated time, roughly: `40 s`, `1 to 3 min`, `50 s to 2 min`, `1.5 h`."""
    shortest, longest = _rough(low), _rough(high)
    if shortest == longest:
        return longest
    number, _, unit = shortest.partition(" ")
    return f"{number if longest.endswith(f' {unit}') else shortest} to {longest}"


def _rough(seconds: float) -> str:
    """Seconds in steps that an estimate deserves, in s, min or h."""
    if seconds < 57.5:
        step = 1 if seconds < 9.5 else 5
        return f"{max(step * round(seconds / step), 1)} s"
    minutes = seconds / 60
    if minutes < 89.5:
        part = 0.5 if minutes < 9.75 else 1.0
        return f"{part * round(minutes / part):g} min"
    return f"{0.5 * round(minutes / 30):g} h"


def _hundredths(share: float, signed: bool) -> str:
    return f"{100 * share:+.2f}" if signed else f"{100 * share:.2f}"


def _significant(value: float, digits: int, signed: bool) -> str:
    return f"{value:+.{digits}g}" if signed else f"{value:.{digits}g}"
