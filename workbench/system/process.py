"""Processes of runs: identified by number and start time, and ended with all their children."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import Any

__all__ = ["alive", "children", "end_session", "identity", "spares"]

# Processes that this process started: `alive` reaps those that ended.
children: list[subprocess.Popen[bytes]] = []
# Processes that this process started ahead, for a run that may come. They may be killed any time.
spares: list[subprocess.Popen[bytes]] = []


def identity(pid: int | None) -> dict[str, Any]:
    """The number and the start time of a process, as `pid` and `born`; both None if it ended."""
    import psutil

    if pid is None:
        return {"pid": None, "born": None}
    try:
        return {"pid": pid, "born": psutil.Process(pid).create_time()}
    except psutil.Error:
        return {"pid": None, "born": None}


def alive(state: dict[str, Any]) -> bool:
    """Whether the process of a state still runs.

    A later process with the same number has another start time.
    """
    import psutil

    if state["pid"] is None:
        return False
    for child in children:
        child.poll()
    try:
        process = psutil.Process(state["pid"])
        if state["born"] is None or abs(process.create_time() - state["born"]) >= 1.0:
            return False
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def end_session(state: dict[str, Any]) -> None:
    """Kill the process of a state and all processes that it started."""
    import psutil

    if not alive(state) or state["pid"] is None:
        return
    if os.name != "nt":
        with contextlib.suppress(ProcessLookupError):
            os.killpg(state["pid"], signal.SIGKILL)
        return
    parent = psutil.Process(state["pid"])
    for process in (*parent.children(recursive=True), parent):
        process.kill()
