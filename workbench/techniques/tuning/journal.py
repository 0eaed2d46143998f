"""Journal, the file in which a study keeps its trials: one line of JSON a change.

Optuna's own backend waits for the disk at every line, which took most of the time of fast trials,
and cannot read a file in which one line was only partly written, as on a full disk. Here such a
line is skipped, and the disk is waited for once a second: a process that is killed loses nothing, a
power failure the last second.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from filelock import FileLock
from optuna.storages.journal import BaseJournalBackend

__all__ = ["Journal"]

LOCK_SECONDS = 60.0  # that a process waits for the file while others write
SYNC_SECONDS = 1.0


class Journal(BaseJournalBackend):
    """The lines of a file, written by any number of processes of one machine.

    The lock is one of the operating system, which frees it when a process dies. Raises
    filelock.Timeout if another process holds it for a minute.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        self._path = path
        self._lock = FileLock(f"{path}.lock", timeout=LOCK_SECONDS)
        self._starts = [0]  # the byte at which each entry begins, as far as they were read
        self._synced = 0.0

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        """The entries from a number on; a line that is not whole is no entry."""
        at = min(log_number_from, len(self._starts) - 1)
        with self._path.open("rb") as file:
            file.seek(self._starts[at])
            end = self._starts[at]
            for line in file:
                if not line.endswith(b"\n"):
                    return
                end += len(line)
                try:
                    entry = json.loads(line)
                except ValueError:
                    continue
                at += 1
                if at == len(self._starts):
                    self._starts.append(end)
                if at > log_number_from:
                    yield entry

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write entries at the end, on a line of their own also after a line that was cut off."""
        text = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with self._lock, self._path.open("ab+") as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    text = "\n" + text
            file.write(text.encode())
            file.flush()
            if time.monotonic() - self._synced > SYNC_SECONDS:
                os.fsync(file.fileno())
                self._synced = time.monotonic()
