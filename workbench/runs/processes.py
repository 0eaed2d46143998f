"""The process of a run: started for its folder, or begun before, as a spare that imports already.

A run's process imports for two seconds before it does anything. A command that is going to start a
run begins a spare process first, reads its options and makes the folder meanwhile, and then hands
the folder over:

    command --spare_process()--> python -m workbench.runs.child    imports, then reads a line
    command --start_process(folder): a line with the folder------> executes the run

A spare that no run needed ends with the command, however that ends.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.system.process import children

__all__ = ["awaited_folder", "spare_process", "start_process"]

CHILD = [sys.executable, "-m", "workbench.runs.child"]


def start_process(folder: Path, here: str) -> int:
    """Start the process that executes the run in a folder; returns its number.

    Its output is added to `output.log`. References such as `mycode:task` are looked for in `here`.
    """
    environment = _environment(here)
    process = _take(environment)
    if process is not None and process.stdin is not None:
        process.stdin.write(json.dumps(str(folder)).encode() + b"\n")
        with suppress(BrokenPipeError):  # it was killed just now, and the run counts as killed
            process.stdin.close()
    else:
        with (folder / "output.log").open("ab") as log:
            process = _popen([str(folder)], environment, stdin=subprocess.DEVNULL, output=log)
    children.append(process)
    return process.pid


@dataclass(frozen=True)
class _Spare:
    """A process that waits for a folder, and the variables and folder that it was started with."""

    process: subprocess.Popen[bytes]
    environment: dict[str, str]
    here: str


_SPARES: list[_Spare] = []


@contextmanager
def spare_process() -> Iterator[None]:
    """Have a process for the run that may be started within this block; it ends if none was."""
    if os.name != "posix":
        yield
        return
    environment, here = _environment(os.getcwd()), os.getcwd()
    process = _popen([], environment, stdin=subprocess.PIPE, output=subprocess.DEVNULL)
    spare = _Spare(process, environment, here)
    _SPARES.append(spare)
    try:
        yield
    finally:
        if spare in _SPARES:
            _SPARES.remove(spare)
            _end(spare)


def awaited_folder() -> Path | None:
    """In a spare process: import what every run needs, and wait for the folder of one.

    None when the process that began this one has ended without a run.
    """
    with suppress(Exception):  # the run itself says what is wrong with it
        import torch  # noqa: F401
    line = sys.stdin.readline()
    if not line:
        return None
    folder = Path(json.loads(line))
    with (folder / "output.log").open("ab") as log, open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    return folder


def _take(environment: dict[str, str]) -> subprocess.Popen[bytes] | None:
    """The spare process, if it was started as one for this run would be now."""
    if not _SPARES:
        return None
    spare = _SPARES.pop()
    is_same = spare.environment == environment and spare.here == os.getcwd()
    if is_same and spare.process.poll() is None:
        return spare.process
    _end(spare)
    return None


def _end(spare: _Spare) -> None:
    spare.process.kill()
    spare.process.wait()
    if spare.process.stdin is not None:
        spare.process.stdin.close()


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
