"""Worker processes as their parent sees them: start, ask, wait with an eye on cancelling, and leave
none behind.
"""

from __future__ import annotations

import contextlib
import json
import os
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
from typing import Any

import numpy as np

from workbench.errors import CandidateError, RunError
from workbench.events import Report
from workbench.model_form import form_named
from workbench.task import Candidate

__all__ = ["Worker"]

POLL_SECONDS = 0.1  # how long a request to cancel may go unnoticed
LIMIT_SECONDS = 900  # no answer for that long: the worker hangs
TAIL_LINES = 12
THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
KEPT_BYTES = str(1 << 30)
# Idle threads sleep instead of spinning, torch.compile keeps no pool of its own processes, and ONNX
# Runtime, which reports to its maker by default from 1.29 on, does not. Freed memory stays with the
# process: whether glibc gives it back after each call, to be faulted in again at the next, depends
# on what happens to lie at the top of the heap. It doubled the time of torch eager at batch 64 (25
# to 48 ms) where engines with an arena of their own did not notice.
QUIET = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "KMP_BLOCKTIME": "0",
    "TORCHINDUCTOR_COMPILE_THREADS": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "PYTHONUTF8": "1",
    "MALLOC_TRIM_THRESHOLD_": KEPT_BYTES,
    "MALLOC_MMAP_THRESHOLD_": KEPT_BYTES,
}


class Worker:
    """One candidate in its own process; use it as a context manager, which ends the process
    whatever happens.
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
            np.savez(path, **arrays)
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

    def _start(self, threads: int) -> subprocess.Popen[str]:
        paths = os.pathsep.join(
            p or os.getcwd() for p in sys.path
        )  # what this process can import, the worker can
        environment = (
            os.environ | QUIET | dict.fromkeys(THREADS, str(threads)) | {"PYTHONPATH": paths}
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "workbench.measure.timing.worker", str(self._files[0].parent)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            text=True,
            encoding="utf-8",
        )
        threading.Thread(target=self._read, args=(process.stdout,), daemon=True).start()
        return process

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
        """Send a command and wait for its answer; raises RunError when there is none, Cancelled on
        request.
        """
        self.send(command)
        return self.answer()

    def send(self, command: dict[str, Any]) -> None:
        try:
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._died() from error

    def answer(self) -> dict[str, Any]:
        """The next answer; meanwhile requests to cancel are noticed."""
        until = time.monotonic() + LIMIT_SECONDS
        while True:
            self._report.check()
            try:
                line = self._lines.get(timeout=POLL_SECONDS)
                break
            except queue.Empty:
                if time.monotonic() > until:
                    raise RunError(
                        f"Timing `{self.name}` on {self.runtime} hangs: no answer for "
                        f"{LIMIT_SECONDS} s."
                    ) from None
        if line is None:
            raise self._died()
        answer = json.loads(line)
        if "error" in answer:
            trace = "\n".join(answer["trace"].splitlines()[-TAIL_LINES:])
            raise RunError(
                f"`{self.name}` could not be timed on {self.runtime}: {answer['error']}\nIn its "
                f"process:\n{trace}"
            )
        return answer

    def forget_files(self) -> None:
        """Delete what was handed over; call it once the candidate is loaded."""
        for path in self._files:
            path.unlink(missing_ok=True)

    def cpu_seconds(self) -> float:
        """Processor time that the process has used so far."""
        import psutil

        try:
            times = psutil.Process(self.pid).cpu_times()
        except psutil.Error:
            return 0.0
        return times.user + times.system

    def close(self) -> None:
        """End the process and all that it started, and wait until it is gone."""
        for process in _tree(self.pid):
            with contextlib.suppress(Exception):
                process.kill()
        self._process.wait()
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._errors.close()

    def _died(self) -> RunError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        self._errors.seek(0)
        tail = self._errors.read().decode("utf-8", "replace").splitlines()[-TAIL_LINES:]
        said = "\n".join(tail) or "It wrote nothing to its error stream."
        code = self._process.returncode
        why = " Killed: often for want of memory; try a smaller batch size." if code == -9 else ""
        what = (
            f"The process that timed `{self.name}` on {self.runtime} ended with code {code}.{why}"
        )
        return RunError(f"{what}\nIts last words:\n{said}")


def _tree(pid: int) -> list[Any]:
    import psutil

    try:
        process = psutil.Process(pid)
        return [*process.children(recursive=True), process]
    except psutil.Error:
        return []


def _write(candidate: Candidate, path: Path) -> list[str]:
    """Write the candidate for its worker; returns the modules that reading it imports.

    An ONNX file is written as it is. A torch module or an estimator goes as a cloudpickle, which
    also carries classes of a notebook; it is read by the worker only, and deleted right after.
    """
    try:
        content = form_named(candidate.form).packed(replace(candidate, prepare=None))
    except (pickle.PicklingError, TypeError, AttributeError, RuntimeError) as error:
        raise CandidateError(
            f"`{candidate.name}` ({type(candidate.model).__name__}) cannot be handed to the "
            f"process that times it: {error}. Remove what it holds that cannot be pickled (an open "
            "file, a lock, a generator)."
        ) from error
    path.write_bytes(content)
    if content is candidate.model:
        return []
    return sorted(_modules(content) - {"__main__"})


def _modules(content: bytes) -> set[str]:
    """The modules of all classes and functions that a pickle (of protocol 4 or 5) refers to,
    without reading it.
    """
    found, memo = set(), {}
    last: deque[str | None] = deque(
        maxlen=2
    )  # the strings pushed last: of a reference, its module and its name
    is_text = False
    for operation, argument, _ in pickletools.genops(content):
        if operation.name == "STACK_GLOBAL":
            found.add(str(last[0]))
        elif operation.name == "MEMOIZE":
            memo[len(memo)] = last[-1] if is_text else None
        elif operation.name in ("BINGET", "LONG_BINGET"):
            last.append(memo.get(argument))
        elif isinstance(argument, str):
            last.append(argument)
        is_text = isinstance(argument, str)
    return found
