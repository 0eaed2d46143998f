"""Notices: Python warnings about models and data that are used, but perhaps not as meant."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from workbench.errors import WorkbenchWarning

__all__ = ["notice"]

PACKAGE = str(Path(__file__).parents[1])


def notice(text: str) -> None:
    """Warn at the line of the user's code that called this package."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, WorkbenchWarning, stacklevel=level)
