"""Template processes: each has imported the libraries of one runtime, and workers are forked of it.

Importing an engine takes a second or more, and a run times candidates several times. A template
imports once, while the run does something else, and each worker starts from it at once, as cold as
one that imported by itself: a template loads no model and computes nothing, so it has no threads,
which a fork would lose.

    run  --socket: a folder, and the ends of four pipes-->  template  --fork-->  keeper
    run  <--pipes: answers, errors, exit code-----------------------  worker <--fork--'

The keeper waits for the worker and writes its exit code. All of them end when the run's process
does. Without `os.fork`, on macOS and on Windows, there are no templates, and workers import.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Any

from workbench.measure.timing.environment import environment_of

__all__ = ["ForkedWorker", "template_of", "warm_templates"]

HAS_FORK = sys.platform == "linux" and hasattr(socket, "send_fds")
LONGEST = 65_536  # bytes of a message
IMPORT_SECONDS = 120  # without an answer, after which a template counts as hanging


class Template:
    """A process that has imported the libraries of one runtime."""

    def __init__(self, runtime: str, environment: dict[str, str]) -> None:
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(IMPORT_SECONDS)
        self._socket = ours
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the template)
        with its:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, runtime, str(its.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=self._errors,
                stderr=self._errors,
                env=environment,
                pass_fds=[its.fileno()],
            )

    def worker(self, folder: Path, errors: IO[bytes]) -> ForkedWorker:
        """A new worker with its private folder.

        Raises OSError if the template has ended, or does not answer, as while an import hangs.
        """
        pipes = [os.pipe() for _ in range(3)]  # commands, answers, exit code
        (commands, send), (receive, answers), (code, its_code) = pipes
        theirs = [commands, answers, errors.fileno(), its_code]
        try:
            message = json.dumps({"folder": str(folder), "path": sys.path}).encode()
            socket.send_fds(self._socket, [message], theirs)
            pid = int(self._socket.recv(LONGEST) or b"0")
        except (OSError, ValueError):
            pid = 0
        for end in (commands, answers, its_code):
            os.close(end)
        if not pid:
            for end in (send, receive, code):
                os.close(end)
            raise OSError("The template process has ended, or does not answer.")
        return ForkedWorker(pid, send, receive, code)

    def close(self) -> None:
        """End the template; workers that it forked stay."""
        self._socket.close()
        self._process.kill()
        self._process.wait()
        self._errors.close()


class ForkedWorker:
    """A worker of a template, as `subprocess.Popen` shows a process that it started itself."""

    def __init__(self, pid: int, send: int, receive: int, code: int) -> None:
        self.pid = pid
        self.stdin: IO[str] = os.fdopen(send, "w", encoding="utf-8")
        self.stdout: IO[str] = os.fdopen(receive, "r", encoding="utf-8")
        self._code = code
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once the worker has ended; raises TimeoutExpired as Popen does."""
        import select

        if self.returncode is None:
            ready, _, _ = select.select([self._code], [], [], timeout)
            if not ready:
                raise subprocess.TimeoutExpired("worker", timeout or 0.0)
            text = os.read(self._code, 64).decode()
            os.close(self._code)
            self.returncode = int(text) if text else -9  # the keeper was killed with its worker
        return self.returncode


class _Templates:
    """The templates of one process, by runtime and threads; made at the first use of each."""

    def __init__(self) -> None:
        self._by_key: dict[tuple[str, int], Template] = {}

    def of(self, runtime: str, threads: int) -> Template:
        key = (runtime, threads)
        if key not in self._by_key:
            self._by_key[key] = Template(runtime, environment_of(threads))
        return self._by_key[key]

    def close(self) -> None:
        for template in self._by_key.values():
            template.close()
        self._by_key.clear()


_CURRENT: ContextVar[_Templates | None] = ContextVar("templates", default=None)


@contextlib.contextmanager
def warm_templates() -> Iterator[None]:
    """Start workers from templates within this block; they end with it."""
    if not HAS_FORK:
        yield
        return
    templates = _Templates()
    token = _CURRENT.set(templates)
    try:
        yield
    finally:
        _CURRENT.reset(token)
        templates.close()


def template_of(runtime: str, threads: int = 1) -> Template | None:
    """The template of a runtime, started now if it is not there; None outside `warm_templates`.

    Asked for early, it imports while the run does something else.
    """
    templates = _CURRENT.get()
    return None if templates is None else templates.of(runtime, threads)


def main(runtime: str, number: int) -> None:
    """Import the runtime's libraries, then fork a worker for each message, until the run ends."""
    from workbench.measure.timing import worker
    from workbench.runtimes import RUNTIMES

    started = time.perf_counter()
    RUNTIMES.get(runtime).import_libraries()
    worker.IMPORTED_MS[runtime] = 1000 * (time.perf_counter() - started)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # keepers that ended leave nothing behind
    with socket.socket(fileno=number) as channel:
        while True:
            message, descriptors, _, _ = socket.recv_fds(channel, LONGEST, 4)
            if not message:
                return
            _fork(json.loads(message), list(descriptors), channel)


def _fork(job: dict[str, Any], descriptors: list[int], channel: socket.socket) -> None:
    """Fork the keeper, which forks the worker, tells its number, and waits for it."""
    keeper = os.fork()
    if keeper:
        for descriptor in descriptors:
            os.close(descriptor)
        return
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    commands, answers, errors, code = descriptors
    pid = os.fork()
    if pid == 0:
        channel.close()
        os.close(code)
        for source, target in ((commands, 0), (answers, 1), (errors, 2)):
            os.dup2(source, target)
            os.close(source)
        _work(job)
    channel.send(str(pid).encode())
    channel.close()
    for descriptor in (commands, answers, errors):
        os.close(descriptor)
    _, status = os.waitpid(pid, 0)
    os.write(code, str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _work(job: dict[str, Any]) -> None:
    from workbench.measure.timing import worker

    sys.path[:] = job["path"]
    sys.argv = ["worker", job["folder"]]
    try:
        worker.main()
    finally:
        os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
