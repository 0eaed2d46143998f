"""Resident memory of this process, now and at its peak, on Linux, macOS and Windows."""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["peak_memory", "reset_peak", "resident_memory"]


def resident_memory() -> int:
    """Bytes of memory that this process holds now."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def reset_peak() -> None:
    """Start a new measurement of the peak; on macOS and Windows it stays that of the process."""
    if sys.platform == "linux":
        try:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        except OSError:
            return


def peak_memory() -> int:
    """Most bytes that this process held since `reset_peak`, or since its start."""
    import psutil

    info = psutil.Process().memory_info()
    if sys.platform == "win32":
        return int(info.peak_wset)
    if sys.platform == "linux":
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return max(int(line.split()[1]) * 1024, int(info.rss))
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(used if sys.platform == "darwin" else 1024 * used)
