"""Worker processes, on the side of their parent: start, send commands, read answers, end."""

from __future__ import annotations

import contextlib
import json
import pickle
import pickletools
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from workbench.errors import CandidateError, RunError
from workbench.events import Report
from workbench.measure.timing.environment import environment_of
from workbench.measure.timing.templates import ForkedWorker, template_of
from workbench.model_form import form_named
from workbench.task import Candidate

__all__ = ["Worker"]

POLL_SECONDS = 0.1  # between two checks for a request to cancel
LIMIT_SECONDS = 900  # without an answer, after which the worker counts as hanging
TAIL_LINES = 12


class Worker:
    """One candidate in its own process.

    Use it as a context manager: leaving it ends the process, after an exception too.
    """

    def __init__(
        self,
        name: str,
        candidate: Candidate,
        runtime: str,
        inputs: dict[int, dict[str, np.ndarray]],
        *,
        threads: int,
        device: str,
        folder: Path,
        report: Report,
    ) -> None:
        self.name, self.runtime = name, runtime
        self._report = report
        self._lines: queue.Queue[str | None] = queue.Queue()
        folder.mkdir()
        self._files = [folder / "candidate", *(folder / f"inputs-{size}.npz" for size in inputs)]
        modules = _write(candidate, self._files[0])
        for path, arrays in zip(self._files[1:], inputs.values(), strict=True):
            np.savez(path, allow_pickle=True, **arrays)
        self._job = {
            "name": name,
            "form": candidate.form,
            "outputs": candidate.outputs,
            "runtime": runtime,
            "threads": threads,
            "device": device,
            "modules": modules,
            "file": str(self._files[0]),
            "inputs": {size: str(path) for size, path in zip(inputs, self._files[1:], strict=True)},
        }
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the worker)
        self._process = self._start(threads)

    def _start(self, threads: int) -> subprocess.Popen[str] | ForkedWorker:
        process = self._forked(threads) or self._new(threads)
        threading.Thread(target=self._read, args=(process.stdout,), daemon=True).start()
        return process

    def _forked(self, threads: int) -> ForkedWorker | None:
        """A worker of a template; None where there is none, or it has ended."""
        template = template_of(self.runtime, threads)
        if template is None:
            return None
        try:
            return template.worker(self._files[0].parent, self._errors)
        except OSError:
            return None

    def _new(self, threads: int) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "workbench.measure.timing.worker", str(self._files[0].parent)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment_of(threads),
            text=True,
            encoding="utf-8",
        )

    def _read(self, stream: Any) -> None:
        with contextlib.suppress(ValueError, OSError):  # closed while reading
            for line in stream:
                self._lines.put(line)
        self._lines.put(None)

    def __enter__(self) -> Worker:
        self.send(self._job)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, **command: Any) -> dict[str, Any]:
        """Send a command and return its answer.

        Raises RunError when the worker fails or gives none, Cancelled on request.
        """
        self.send(command)
        return self.answer()

    def send(self, command: dict[str, Any]) -> None:
        stdin, _ = self._pipes()
        try:
            stdin.write(json.dumps(command) + "\n")
            stdin.flush()
        except OSError as error:
            raise self._died() from error

    def answer(self) -> dict[str, Any]:
        """The next answer of the worker.

        Raises RunError when the worker fails or gives none, Cancelled on request.
        """
        until = time.monotonic() + LIMIT_SECONDS
        while True:
            self._report.check()
            try:
                line = self._lines.get(timeout=POLL_SECONDS)
                break
            except queue.Empty:
                if time.monotonic() > until:
                    raise RunError(
                        f"Timing `{self.name}` on {self.runtime} hangs: its process gave no answer "
                        f"for {LIMIT_SECONDS} s."
                    ) from None
        if line is None:
            raise self._died()
        answer = json.loads(line)
        if "error" in answer:
            trace = "\n".join(answer["trace"].splitlines()[-TAIL_LINES:])
            raise RunError(
                f"`{self.name}` could not be timed on {self.runtime}: {answer['error']}\n"
                f"Traceback of its process:\n{trace}"
            )
        return answer

    def forget_files(self) -> None:
        """Delete the files of the candidate and its inputs; call it once the worker has loaded."""
        for path in self._files:
            path.unlink(missing_ok=True)

    def cpu_seconds(self) -> float:
        """CPU time that the process has used so far."""
        import psutil

        try:
            times = psutil.Process(self.pid).cpu_times()
        except psutil.Error:
            return 0.0
        return times.user + times.system

    def close(self) -> None:
        """End the process and all processes that it started, and wait for it."""
        for process in _tree(self.pid):
            with contextlib.suppress(Exception):
                process.kill()
        self._process.wait()
        stdin, stdout = self._pipes()
        with contextlib.suppress(OSError):
            stdin.close()
        stdout.close()
        self._errors.close()

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        """Standard input and output of the process, which was started with pipes for both."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        return self._process.stdin, self._process.stdout

    def _died(self) -> RunError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        self._errors.seek(0)
        tail = self._errors.read().decode("utf-8", "replace").splitlines()[-TAIL_LINES:]
        code = self._process.returncode
        message = f"The process that timed `{self.name}` on {self.runtime} ended with code {code}."
        if code == -9:
            message += " It was killed, often for lack of memory: try a smaller batch size."
        if not tail:
            return RunError(f"{message} Its error stream is empty.")
        return RunError("\n".join([message, "The end of its error stream:", *tail]))


def _tree(pid: int) -> list[Any]:
    import psutil

    try:
        process = psutil.Process(pid)
        return [*process.children(recursive=True), process]
    except psutil.Error:
        return []


def _write(candidate: Candidate, path: Path) -> list[str]:
    """Write the candidate for its worker; returns the modules that reading it imports.

    An ONNX file is written as it is. A torch module or an estimator is written by cloudpickle,
    which also carries classes of a notebook. Only the worker reads the file; it is deleted then.
    """
    try:
        content = form_named(candidate.form).packed(replace(candidate, prepare=None))
    except (pickle.PicklingError, TypeError, AttributeError, RuntimeError) as error:
        raise CandidateError(
            f"`{candidate.name}` ({type(candidate.model).__name__}) cannot be handed to the "
            f"process that times it: {error}. Remove the attribute that cannot be pickled (an open "
            "file, a lock, a generator)."
        ) from error
    path.write_bytes(content)
    if content is candidate.model:
        return []
    return sorted(_modules(content) - {"__main__"})


def _modules(content: bytes) -> set[str]:
    """Modules of all classes and functions in a pickle of protocol 4 or 5, without loading it."""
    modules: set[str] = set()
    memo: dict[int, str | None] = {}
    # The two strings pushed last: of a reference, its module and its name.
    last: deque[str | None] = deque(maxlen=2)
    is_text = False
    for operation, argument, _ in pickletools.genops(content):
        if operation.name == "STACK_GLOBAL":
            modules.add(str(last[0]))
        elif operation.name == "MEMOIZE":
            memo[len(memo)] = last[-1] if is_text else None
        elif operation.name in ("BINGET", "LONG_BINGET"):
            last.append(memo.get(cast(int, argument)))
        elif isinstance(argument, str):
            last.append(argument)
        is_text = isinstance(argument, str)
    return modules
