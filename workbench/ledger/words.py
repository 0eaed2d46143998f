"""Numbers of the ledger in words."""

from __future__ import annotations

__all__ = ["bytes_text", "ms_text", "quality_text", "seconds_text", "times_text"]


def quality_text(interval: tuple[float, float, float], unit: str) -> tuple[str, str]:
    value, low, high = interval
    if unit == "points":
        return f"{100 * value:.2f} %", f"{100 * low:.2f} to {100 * high:.2f}"
    return f"{value:.4g}", f"{low:.4g} to {high:.4g}"


def times_text(value: float) -> str:
    return f"{value:.1f}x" if value >= 0.95 else f"{value:.2f}x"


def bytes_text(n: int) -> str:
    return f"{n / 1e6:.2f} MB" if n >= 1e6 else f"{n / 1e3:.0f} kB"


def ms_text(value: float) -> str:
    return (
        f"{value:.3f} ms" if value < 1 else f"{value:.2f} ms" if value < 10 else f"{value:.1f} ms"
    )


def seconds_text(value: float) -> str:
    return f"{value:.1f} s" if value < 100 else f"{value / 60:.1f} min"
