"""Verdicts in words: one sentence each, with the difference, its interval, and what the data could
have shown.
"""

from __future__ import annotations

from workbench.metrics import Metric

__all__ = ["percent", "quality_sentence", "speed_sentence"]

TIMES = 1.2  # from this ratio on people read "2.7 times" more easily than a percentage

Estimate = tuple[float, float, float]  # value, low, high


def percent(level: float) -> str:
    """A level as people read it: `95 %`, `98.3 %`."""
    return f"{round(100 * level, 1):g} %"


def quality_sentence(
    metric: Metric,
    decision: str,
    difference: Estimate,
    margin: float,
    smallest: float,
    n: int,
    alpha: float,
) -> str:
    """`accuracy: equivalent within 0.5 points (-0.12, 95 % interval -0.30 to +0.06)`, or what else
    was decided.
    """
    points = metric.unit == "points"
    scale, unit = (100.0, " points") if points else (1.0, "")
    value, low, high = (f"{scale * v:+.2f}" if points else f"{v:+.3g}" for v in difference)
    plain = f"{scale * abs(difference[0]):.2f}" if points else f"{abs(difference[0]):.3g}"
    interval = f"{percent(1 - alpha)} interval {low} to {high}"
    if decision == "equivalent":
        return f"{metric.name}: equivalent within {scale * margin:.2g}{unit} ({value}, {interval})"
    if decision == "undecided":
        start = f"{metric.name}: undecided ({value}{unit}, {interval})"
        return (
            f"{start}; these {n:,} samples could only show differences from "
            f"{scale * smallest:.2g}{unit} on"
        )
    return f"{metric.name}: {decision} by {plain}{unit} ({interval})"


def speed_sentence(
    metric: str,
    decision: str,
    ratio: Estimate,
    margin: float,
    smallest: float,
    n: int,
    alpha: float,
) -> str:
    """`batch-1 latency: better, 2.7 times lower (95 % interval 2.6 to 2.8)`, or what else was
    decided.
    """
    name = metric.removesuffix("_ms").replace("_", " ")
    if decision in ("equivalent", "undecided"):
        seen = (
            f"ratio {ratio[0]:.3f}, {percent(1 - alpha)} interval {ratio[1]:.3f} to {ratio[2]:.3f}"
        )
        if decision == "equivalent":
            return f"{name}: equivalent within {percent(margin)} ({seen})"
        return (
            f"{name}: undecided ({seen}); these {n} rounds could only show differences from "
            f"{percent(smallest)} on"
        )
    lower = ratio[0] < 1
    value, low, high = (1 / ratio[0], 1 / ratio[2], 1 / ratio[1]) if lower else ratio
    direction = "lower" if lower else "higher"
    if value >= TIMES:
        value_, low_, high_ = _times(value, low, high)
        shown = f"{value_} times {direction} ({percent(1 - alpha)} interval {low_} to {high_})"
    else:
        changes = [100 * abs(1 - r) for r in ratio]
        near, far = sorted(changes[1:])
        shown = (
            f"{changes[0]:.1f} % {direction} ({percent(1 - alpha)} interval {near:.1f} to "
            f"{far:.1f} %)"
        )
    return f"{name}: {decision}, {shown}"


def _times(*values: float) -> tuple[str, ...]:
    """Ratios with as many digits as tell the bounds apart."""
    digits = 0 if values[-1] >= 100 else 1 if values[-1] - values[1] >= 0.15 else 2
    return tuple(f"{value:.{digits}f}" for value in values)
