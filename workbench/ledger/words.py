"""Scores and changes of the ledger in words."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.measure.statistics.verdict import Verdict
from workbench.system.wording import difference_text, interval_text, value_text

__all__ = ["SYMBOLS", "change_text", "quality_text", "quality_verdict"]

SYMBOLS = {"better": "▲", "worse": "▼", "equivalent": "≈", "undecided": "?"}


def quality_text(interval: tuple[float, float, float], unit: str) -> tuple[str, str]:
    """A score and its interval: "92.50 %" and "91.20 to 93.80"."""
    value, low, high = interval
    return value_text(value, unit), interval_text(low, high, unit)


def change_text(verdicts: Sequence[Verdict], metric: str) -> str:
    """The change of a metric with its verdict and interval; empty where there is none."""
    verdict = quality_verdict(verdicts, metric)
    if verdict is None:
        return ""
    difference = difference_text(verdict.difference, verdict.unit)
    interval = interval_text(verdict.low, verdict.high, verdict.unit, signed=True)
    return f"{SYMBOLS[verdict.decision]} {difference} ({interval})"


def quality_verdict(verdicts: Sequence[Verdict], metric: str) -> Verdict | None:
    """The verdict on a metric among several; None where there is none."""
    return next((v for v in verdicts if v.metric == metric), None)
