"""A turn at timing: of all runs on this machine, one at a time measures times.

Two that time beside each other would both measure too long times. The turn is a lock on a file in
a folder that all users and jobs of the machine share, whatever folder for temporary files they
have.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

__all__ = ["timing_turn"]

FOLDER = Path("/tmp" if os.name == "posix" else tempfile.gettempdir())
POLL_SECONDS = 0.2
_HELD = threading.local()  # a thread that has the turn may ask for it again


@contextmanager
def timing_turn(check: Callable[[], None] = lambda: None) -> Iterator[float]:
    """Wait until no other run times anything, and hold the turn; gives the seconds waited.

    `check` is called while waiting, and may raise to give up. A process that is killed gives its
    turn back. Where the lock cannot be made, there is no waiting.
    """
    if getattr(_HELD, "turn", False):
        yield 0.0
        return
    lock, waited = _taken(check)
    _HELD.turn = True
    try:
        yield waited
    finally:
        _HELD.turn = False
        if lock is not None:
            lock.release()


def _taken(check: Callable[[], None]) -> tuple[FileLock | None, float]:
    """The lock, held, and the seconds waited for it; None where no lock can be made."""
    started = time.monotonic()
    user = os.getuid() if hasattr(os, "getuid") else "user"  # it may have no name in a container
    for name in ("workbench-timing.lock", f"workbench-timing-{user}.lock"):
        lock = FileLock(FOLDER / name, mode=0o666)
        while True:
            check()
            try:
                lock.acquire(timeout=POLL_SECONDS)
                return lock, time.monotonic() - started
            except Timeout:
                continue
            except OSError:
                break  # the file is another user's, and the system lets nobody else open it
    return None, 0.0
