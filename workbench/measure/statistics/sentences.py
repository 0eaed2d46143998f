"""Verdicts in words: a sentence with the decision, the difference and its interval."""

from __future__ import annotations

from workbench.metrics import Metric
from workbench.system.wording import difference_text, interval_text, percent, threshold_text

__all__ = ["quality_sentence", "speed_sentence"]

LEAST_TIMES = 1.2  # from this ratio on, "2.7 times" is easier to read than a percentage

Estimate = tuple[float, float, float]  # value, low, high


def quality_sentence(
    metric: Metric,
    decision: str,
    difference: Estimate,
    margin: float,
    smallest: float,
    n: int,
    alpha: float,
) -> str:
    """The decision about a metric, with the difference and its interval.

    `accuracy: equivalent within 0.5 points (-0.12, 95 % interval -0.30 to +0.06)`. Of an undecided
    comparison it also gives the smallest difference that the data could show.
    """
    value, low, high = difference
    unit = metric.unit
    bounds = interval_text(low, high, unit, signed=True)
    interval = f"{_level(alpha)} interval {bounds}"
    if decision == "equivalent":
        plain = difference_text(value, unit).removesuffix(" points")
        within = threshold_text(margin, unit)
        return f"{metric.name}: equivalent within {within} ({plain}, {interval})"
    if decision == "undecided":
        return (
            f"{metric.name}: undecided ({difference_text(value, unit)}, {interval}); these {n:,} "
            f"samples could only show differences from {threshold_text(smallest, unit)} on"
        )
    size = difference_text(abs(value), unit, signed=False)
    return f"{metric.name}: {decision} by {size} ({interval})"


def speed_sentence(
    metric: str,
    decision: str,
    ratio: Estimate,
    margin: float,
    smallest: float,
    n: int,
    alpha: float,
) -> str:
    """The decision about a time, with the ratio after / before and its interval.

    `batch-1 latency: better, 2.7 times lower (95 % interval 2.6 to 2.8)`. Of an undecided
    comparison it also gives the smallest difference that the data could show.
    """
    name = metric.removesuffix("_ms").replace("_", " ")
    if decision in ("better", "worse"):
        return f"{name}: {decision}, {_change_text(ratio, alpha)}"
    value, low, high = ratio
    estimate = f"ratio {value:.3f}, {_level(alpha)} interval {low:.3f} to {high:.3f}"
    if decision == "equivalent":
        return f"{name}: equivalent within {percent(margin, None)} ({estimate})"
    return (
        f"{name}: undecided ({estimate}); these {n} rounds could only show differences from "
        f"{percent(smallest, None)} on"
    )


def _level(alpha: float) -> str:
    """The level of an interval: `95 %`, `98.3 %`."""
    return percent(1 - alpha, None)


def _change_text(ratio: Estimate, alpha: float) -> str:
    """`2.7 times lower (95 % interval 2.6 to 2.8)`; small changes in percent."""
    value, low, high = ratio
    is_lower = value < 1
    direction = "lower" if is_lower else "higher"
    factors = (1 / value, 1 / high, 1 / low) if is_lower else ratio
    if factors[0] >= LEAST_TIMES:
        times, low_times, high_times = _times(*factors)
        interval = f"{low_times} to {high_times}"
        return f"{times} times {direction} ({_level(alpha)} interval {interval})"
    change, *bounds = (abs(1 - r) for r in ratio)
    near, far = (percent(bound, 1) for bound in sorted(bounds))
    interval = f"{near.removesuffix(' %')} to {far}"
    return f"{percent(change, 1)} {direction} ({_level(alpha)} interval {interval})"


def _times(value: float, low: float, high: float) -> tuple[str, str, str]:
    """Ratios with enough digits to tell the bounds apart."""
    digits = 1 if high - low >= 0.15 else 2
    if high >= 100:
        digits = 0
    return f"{value:.{digits}f}", f"{low:.{digits}f}", f"{high:.{digits}f}"
