"""Garbage in cycles: how seldom a process of ours looks for it."""

from __future__ import annotations

import gc

__all__ = ["look_seldom"]

NEW_OBJECTS = 50_000  # between two looks; Python's own number is 700


def look_seldom() -> None:
    """Let this process look for garbage in cycles seldom.

    A run imports libraries for seconds. What that makes stays, and Python went through it again
    and again: with fewer looks `workbench quantization` on digits took 9.3 s in place of 11.6.
    Objects outside cycles, as tensors nearly always are, are freed at once as before.
    """
    gc.set_threshold(NEW_OBJECTS)
