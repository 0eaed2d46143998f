"""A process of our own, of a run, a trial or the tests: its memory, and its priority."""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Callable

__all__ = ["KEPT_BYTES", "settle_in", "step_back"]

NEW_OBJECTS = 50_000  # between two looks for garbage in cycles; Python's own number is 700
KEPT_BYTES = 2**30  # of freed memory, which do not go back to the system
NICER = 5  # of nice(2): beside a usual process on its core, such a one gets a quarter of the time
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # names of glibc's mallopt(3)


def settle_in() -> None:
    """Let this process look for garbage in cycles seldom, and keep memory that was freed.

    A run imports libraries for seconds. What that makes stays, and Python went through it again
    and again: with fewer looks `workbench quantization` on digits took 9.3 s in place of 11.6.
    Objects outside cycles, as tensors nearly always are, are freed at once as before.

    A training frees and takes the same memory at each step. glibc returned it to the system in
    between, and new pages cost up to a fifth of the time (table_net on flights, one thread: 1.2 to
    1.5 s for 300 steps, 0.8 to 1.0 s with memory that is kept).
    """
    gc.set_threshold(NEW_OBJECTS)
    mallopt = _mallopt()
    if mallopt:
        mallopt(TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(MMAP_THRESHOLD, KEPT_BYTES)


def step_back() -> None:
    """Let other processes go first from now on: only readers of the store wait for this one."""
    if hasattr(os, "nice"):
        os.nice(NICER)


def _mallopt() -> Callable[[int, int], int] | None:
    """glibc's function for options of its memory; None with another C library."""
    try:
        return ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # no such function; no such way on Windows
        return None
