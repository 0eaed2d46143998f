"""Processes of runs: told apart from later ones with the same number, and ended with all their
children.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import Any

__all__ = ["alive", "children", "end_session", "identity"]

children: list[
    subprocess.Popen[bytes]
] = []  # kept so that an ended child is reaped and not taken for alive


def identity(pid: int | None) -> dict[str, Any]:
    """A process by its number and the time of its birth; None for both when there is none."""
    import psutil

    if pid is None:
        return {"pid": None, "born": None}
    try:
        return {"pid": pid, "born": psutil.Process(pid).create_time()}
    except psutil.Error:
        return {"pid": None, "born": None}


def alive(state: dict[str, Any]) -> bool:
    """Whether the process that wrote the state still runs; its birth tells it from a later one with
    the same number.
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
    """End the process of a state and all that it started, at once."""
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
