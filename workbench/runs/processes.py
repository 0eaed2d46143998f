"""The process of a run: started for its folder, or begun before, as a spare that imports already.

A run's process imports for two seconds before it does anything. A command or notebook that is going
to start a run begins a spare process first, reads its options and makes the folder meanwhile, and
then hands the folder over:

    command --spare_process()--> python -m workbench.runs.child    imports, then reads a line
    command --start_process(folder): a line with the folder------> executes the run

A spare that no run needed ends with the command, however that ends, and in a notebook
after a while.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from workbench.system.own_process import settle_in
from workbench.system.process import children

__all__ = ["awaited_folder", "begin_spare", "spare_process", "start_process"]

CHILD = [sys.executable, "-m", "workbench.runs.child"]
NEEDED = ("torch", "torch._dynamo", "scipy.special")  # imports of a run that take long, in order
SET_BY_IMPORTS = {"KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK", "TORCHINDUCTOR_CACHE_DIR"}
KEPT_SECONDS = 120.0  # how long a notebook keeps a spare, which holds some 300 MB


def start_process(folder: Path, here: str) -> int:
    """Start the process that executes the run in a folder; returns its number.

    Its output is added to `output.log`. References such as `mycode:task` are looked for in `here`.
    """
    environment = _environment(here)
    (folder / "output.log").touch()
    process = _take(environment)
    if process is not None and process.stdin is not None:
        with suppress(BrokenPipeError):  # it was killed just now, and the run counts as killed
            process.stdin.write(json.dumps(str(folder)).encode() + b"\n")
            process.stdin.close()
    else:
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

    def fits(self, environment: Mapping[str, str]) -> bool:
        """Whether it lives, and would be started as it was now, for a run with these variables."""
        is_same = _of_user(self.environment) == _of_user(environment)
        return is_same and self.here == os.getcwd() and self.process.poll() is None

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()


_SPARES: list[_Spare] = []
_LOCK = threading.Lock()  # of the list, which a timer changes too


@contextmanager
def spare_process() -> Iterator[None]:
    """Have a process for the run that may be started within this block; it ends if none was."""
    spare = _begin()
    try:
        yield
    finally:
        _end(spare)


def begin_spare() -> None:
    """Have a process for the run that may be started soon; it ends if none is for two minutes."""
    if _SPARES:
        return
    timer = threading.Timer(KEPT_SECONDS, _end, [_begin()])
    timer.daemon = True
    timer.start()


def awaited_folder() -> Path | None:
    """In a spare process: import what a run needs until there is one, and return its folder.

    None when the process that began this one has ended without a run.
    """
    settle_in()
    for name in NEEDED:
        with suppress(Exception):  # the run itself says what is wrong with it
            import_module(name)
        if select.select([sys.stdin], [], [], 0)[0]:
            break
    line = sys.stdin.readline()
    if not line:
        return None
    folder = Path(json.loads(line))
    with (folder / "output.log").open("ab") as log, open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    return folder


def _begin() -> _Spare | None:
    """A spare process; None on systems where it could not wait for a line and for its end."""
    if os.name != "posix":
        return None
    spare = _Spare()
    with _LOCK:
        _SPARES.append(spare)
    return spare


def _end(spare: _Spare | None) -> None:
    """End a spare process, unless a run has got it."""
    with _LOCK:
        if spare is None or spare not in _SPARES:
            return
        _SPARES.remove(spare)
    spare.end()


def _take(environment: Mapping[str, str]) -> subprocess.Popen[bytes] | None:
    """The process of a spare that fits; one that does not is ended."""
    with _LOCK:
        spare = _SPARES.pop() if _SPARES else None
    if spare is None:
        return None
    if spare.fits(environment):
        return spare.process
    spare.end()
    return None


def _of_user(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables without those that libraries set when they are imported."""
    return {name: value for name, value in environment.items() if name not in SET_BY_IMPORTS}


def _environment(here: str) -> dict[str, str]:
    paths = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH", "")]))
    own = {"MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONUNBUFFERED": "1", "PYTHONPATH": paths}
    return {**os.environ, **own}


def _popen(
    words: list[str], environment: dict[str, str], *, stdin: int, output: Any
) -> subprocess.Popen[bytes]:
    """The process as leader of its own session, which outlives this one."""
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
