"""Numbers of the ledger in words."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.measure.statistics.verdict import Verdict

__all__ = [
    "SYMBOLS",
    "bytes_text",
    "change_text",
    "ms_text",
    "quality_text",
    "seconds_text",
    "times_text",
]

SYMBOLS = {"better": "▲", "worse": "▼", "equivalent": "≈", "undecided": "?"}


def quality_text(interval: tuple[float, float, float], unit: str) -> tuple[str, str]:
    """A score and its interval: "92.50 %" and "91.20 to 93.80"."""
    value, low, high = interval
    if unit == "points":
        return f"{100 * value:.2f} %", f"{100 * low:.2f} to {100 * high:.2f}"
    return f"{value:.4g}", f"{low:.4g} to {high:.4g}"


def change_text(verdicts: Sequence[Verdict], metric: str) -> str:
    """The change of a metric with its verdict and interval; empty where there is none."""
    verdict = next((v for v in verdicts if v.metric == metric), None)
    if verdict is None:
        return ""
    symbol = SYMBOLS[verdict.decision]
    change = verdict.difference, verdict.low, verdict.high
    if verdict.unit == "points":
        difference, low, high = (100 * value for value in change)
        return f"{symbol} {difference:+.2f} points ({low:+.2f} to {high:+.2f})"
    difference, low, high = change
    return f"{symbol} {difference:+.3g} ({low:+.2g} to {high:+.2g})"


def times_text(value: float) -> str:
    """A factor: "2.7x", "0.83x"."""
    return f"{value:.1f}x" if value >= 0.95 else f"{value:.2f}x"


def bytes_text(n: int) -> str:
    """A size in kB or MB."""
    return f"{n / 1e6:.2f} MB" if n >= 1e6 else f"{n / 1e3:.0f} kB"


def ms_text(value: float) -> str:
    """Milliseconds with three digits or so."""
    digits = 3 if value < 1 else 2 if value < 10 else 1
    return f"{value:.{digits}f} ms"


def seconds_text(value: float) -> str:
    """Seconds, from 100 on minutes."""
    return f"{value:.1f} s" if value < 100 else f"{value / 60:.1f} min"
