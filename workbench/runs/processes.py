"""The process of a run: started for its folder, or earlier, as a spare that imports meanwhile.

A run's process imports for two seconds before it does anything. A command or notebook that is going
to start a run begins a spare process first, reads its options and makes the folder meanwhile, and
then hands the folder over:

    command --spare_process()--> python -m workbench.runs.child    imports, then reads a line
    command --start_process(folder): a line with the folder------> executes the run

A spare that no run needed ends with the process that began it, and after two minutes at the latest.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from workbench.system.process import children, spares

__all__ = ["awaited_folder", "begin_spare", "spare_process", "start_process"]

CHILD = [sys.executable, "-m", "workbench.runs.child"]
# Imports of nearly every run, in order. None may bring a library that asks for its number of
# threads when it is imported, as that is chosen later.
NEEDED = ("torch", "torch._dynamo")
# Variables that scikit-learn and torch set when they are imported, with the beginning of the value.
SET_BY_IMPORTS = {
    "KMP_DUPLICATE_LIB_OK": "True",
    "KMP_INIT_AT_FORK": "FALSE",
    "TORCHINDUCTOR_CACHE_DIR": os.sep,
}
KEPT_SECONDS = 120.0  # how long a spare is kept, which holds some 300 MB


def start_process(folder: Path, here: str) -> int:
    """Start the process that executes the run in a folder; returns its number.

    Its output is added to `output.log`. References such as `mycode:task` are looked for in `here`.
    """
    environment = _environment(here)
    (folder / "output.log").touch()
    process = _handed_over(folder, environment)
    if process is None:
        with (folder / "output.log").open("ab") as log:
            process = _popen([str(folder)], environment, stdin=subprocess.DEVNULL, output=log)
    children.append(process)
    return process.pid


class _Spare:
    """A process that waits for a folder, and where it was started."""

    def __init__(self) -> None:
        self.here = os.getcwd()
        self.environment = _environment(self.here)
        self.process = _popen(
            [], self.environment, stdin=subprocess.PIPE, output=subprocess.DEVNULL
        )
        spares.append(self.process)
        self.timer = threading.Timer(KEPT_SECONDS, _end, [self])
        self.timer.daemon = True
        self.timer.start()

    def fits(self, environment: Mapping[str, str]) -> bool:
        """Whether it lives, and would be started as it was now, for a run with these variables."""
        is_alive = self.process.poll() is None
        return is_alive and self.here == _here() and _is_same(self.environment, environment)

    def release(self) -> subprocess.Popen[bytes]:
        """Its process, which nothing ends from now on."""
        self.timer.cancel()
        spares.remove(self.process)
        return self.process

    def end(self) -> None:
        process = self.release()
        process.kill()
        process.wait()
        if process.stdin is not None:
            process.stdin.close()


_SPARES: list[_Spare] = []
_LOCK = threading.Lock()  # of the list, which a timer changes too


@contextmanager
def spare_process() -> Iterator[None]:
    """Have a process for the run that may be started within this block; it ends if none was."""
    spare = _begin()
    try:
        yield
    finally:
        if spare is not None:
            _end(spare)


def begin_spare() -> None:
    """Have a process for the run that may be started within the next two minutes."""
    with _LOCK:
        before = list(_SPARES)
    for spare in before:
        _end(spare)  # its time began earlier, and it may be of other variables
    _begin()


def awaited_folder() -> Path | None:
    """In a spare process: import what a run needs until there is one, and return its folder.

    None when the process that began this one has ended without a run.
    """
    failed = False
    for name in NEEDED:
        try:
            import_module(name)
        except Exception:
            failed = True
        if failed or select.select([sys.stdin], [], [], 0)[0]:
            break
    line = sys.stdin.readline()
    if not line:
        return None
    folder = Path(json.loads(line))
    with (folder / "output.log").open("ab") as log, open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    if failed:  # a second import in this process could fail for another reason: begin afresh
        os.execv(CHILD[0], [*CHILD, str(folder)])
    return folder


def _begin() -> _Spare | None:
    """A spare process; None where it could not wait, as on Windows, whose pipes tell nothing."""
    if os.name != "posix":
        return None
    try:
        spare = _Spare()
    except OSError:  # no memory for it, or no folder: the run itself says what is wrong
        return None
    with _LOCK:
        _SPARES.append(spare)
    return spare


def _end(spare: _Spare) -> None:
    """End a spare process, unless a run has got it."""
    with _LOCK:
        if spare not in _SPARES:
            return
        _SPARES.remove(spare)
    spare.end()


def _handed_over(folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes] | None:
    """The process of a spare that has got the folder; None if there is none that fits."""
    with _LOCK:
        spare = _SPARES.pop() if _SPARES else None
    if spare is None:
        return None
    if not spare.fits(environment):
        spare.end()
        return None
    process = spare.release()
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(str(folder)).encode() + b"\n")
        process.stdin.close()
    except OSError:  # it was killed just now
        process.wait()
        return None
    return process


def _is_same(before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether the variables are the same, but for those that imports have set since."""
    changed = {name for name in {*before, *now} if before.get(name) != now.get(name)}
    return all(
        name in SET_BY_IMPORTS and name not in before and now[name].startswith(SET_BY_IMPORTS[name])
        for name in changed
    )


def _here() -> str | None:
    """The working folder; None where it is gone."""
    try:
        return os.getcwd()
    except OSError:
        return None


def _environment(here: str) -> dict[str, str]:
    paths = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH", "")]))
    own = {"MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONUNBUFFERED": "1", "PYTHONPATH": paths}
    return {**os.environ, **own}


def _popen(
    words: list[str], environment: Mapping[str, str], *, stdin: int, output: Any
) -> subprocess.Popen[bytes]:
    """The process as leader of its own session, so that it can outlive this one."""
    options: dict[str, Any] = (
        {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
        if os.name == "nt"
        else {"start_new_session": True}
    )
    return subprocess.Popen(
        [*CHILD, *words],
        stdin=stdin,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=environment,
        **options,
    )
