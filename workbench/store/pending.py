"""Runs that are not in the store yet: a finished run is recorded after everybody has its result.

Opening a database takes seconds, and a run is finished without it. Its process marks the run as
pending, ends it, and then records it. Readers of the store call `settle` first, which waits for
such processes, and records the run itself where one was killed.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from workbench.errors import WorkbenchError
from workbench.store.index import record_run
from workbench.system.files import read_json, write_json
from workbench.system.process import alive, identity

__all__ = ["mark_pending", "record_pending", "settle"]

PENDING = "recording.json"
WAIT_SECONDS = 120.0
POLL_SECONDS = 0.1


def mark_pending(folder: Path) -> None:
    """Say that this process is going to record a run."""
    write_json(folder / PENDING, identity(os.getpid()))


def record_pending(folder: Path) -> str:
    """Record a run and remove its mark; returns the error of a store that cannot be used, or ""."""
    try:
        record_run(folder, read_json(folder / "run.json").get("store", ""))
        return ""
    except WorkbenchError as error:
        return str(error)
    finally:
        (folder / PENDING).unlink(missing_ok=True)


def settle(root: Path) -> None:
    """Wait until the finished runs in a folder are recorded; record those whose process is gone."""
    limit = time.monotonic() + WAIT_SECONDS
    for mark in sorted(root.glob(f"*/{PENDING}")):
        while mark.exists() and time.monotonic() < limit and _is_worked_on(mark):
            time.sleep(POLL_SECONDS)
        if mark.exists():
            record_pending(mark.parent)


def _is_worked_on(mark: Path) -> bool:
    try:
        return alive(read_json(mark))
    except (OSError, ValueError, KeyError):
        return False
