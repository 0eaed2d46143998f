"""The process in which one candidate is timed.

Commands are JSON lines on standard input, answers are JSON lines on standard output. The process
imports only the libraries of its runtime, is idle between blocks, and ends as soon as its standard
input is closed, so that it never outlives the process that started it. Its argument is the folder
of its private files. The first line is the job, then:

    {"do": "load"}                                     -> load_ms, runtime, details
    {"do": "block", "batch_size": 1, "seconds": 0.1}   -> best_ms, median_ms, cpu_ms, n_calls
    {"do": "finish"}                                   -> calls (quantiles a batch size), memory
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import queue
import shutil
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from workbench.measure.timing.memory import peak_memory, reset_peak, resident_memory
from workbench.model_form import form_named
from workbench.runtimes import RUNTIMES, predictor

__all__ = ["main"]

# Share of a block's time before its calls count: after a pause, caches are cold and the processor's
# clock is low.
DISCARDED = 0.15
# Least numbers of calls in a block.
N_DISCARDED = 2
N_COUNTED = 2


IMPORTED_MS: dict[str, float] = {}
"""Milliseconds that importing a runtime took in the template that this process was forked of."""


class Session:
    """The candidate of this process, ready to be timed."""

    def __init__(self, job: dict[str, Any]) -> None:
        started = time.perf_counter()
        RUNTIMES.get(job["runtime"]).import_libraries()
        form_named(job["form"])
        for module in job["modules"]:
            _import(module)
        _limit_threads(job["threads"])
        self._job = job
        self._predictor: Any = None
        self._before = 0  # resident bytes before the candidate was loaded
        self._calls: dict[int, list[int]] = {}
        self._inputs = {int(size): _arrays(Path(path)) for size, path in job["inputs"].items()}
        self._synchronize = _synchronize if job["device"] == "cuda" else None
        here_ms = 1000 * (time.perf_counter() - started)
        self.import_ms = here_ms + IMPORTED_MS.get(job["runtime"], 0.0)

    def load(self) -> dict[str, Any]:
        """Load the file and predict once; `load_ms` is the time of both.

        The other batch sizes run once too, untimed, as a runtime may prepare for each.
        """
        reset_peak()
        self._before = resident_memory()
        started = time.perf_counter()
        self._predictor = predictor(
            _candidate(self._job),
            self._job["runtime"],
            threads=self._job["threads"],
            device=self._job["device"],
        )
        sizes = sorted(self._inputs)
        self._predictor.predict(self._inputs[sizes[0]])
        load_ms = 1000 * (time.perf_counter() - started)
        for size in sizes[1:]:
            self._predictor.predict(self._inputs[size])
        return {
            "load_ms": load_ms,
            "runtime": self._predictor.runtime,
            "details": self._predictor.details,
        }

    def block(self, batch_size: int, seconds: float) -> dict[str, Any]:
        """Call the model for about `seconds`; returns milliseconds a call, without first calls."""
        call = self._call(batch_size)
        gc.collect(0)
        gc.disable()
        try:
            _run(call, DISCARDED * seconds, N_DISCARDED)
            started = time.process_time()
            calls = _run(call, seconds, N_COUNTED)
            cpu_ms = 1000 * (time.process_time() - started) / len(calls)
        finally:
            gc.enable()
        self._calls.setdefault(batch_size, []).extend(calls)
        return {
            "best_ms": min(calls) / 1e6,
            "median_ms": float(np.median(calls)) / 1e6,
            "cpu_ms": cpu_ms,
            "n_calls": len(calls),
        }

    def finish(self) -> dict[str, Any]:
        """Quantiles of all counted calls a batch size, and the memory that was needed."""
        quantiles = {
            size: (np.quantile(ns, [0.1, 0.5, 0.95]) / 1e6).tolist()
            for size, ns in self._calls.items()
        }
        calls = {
            size: {"n_calls": len(ns), "best_ms": min(ns) / 1e6, "quantiles_ms": quantiles[size]}
            for size, ns in self._calls.items()
        }
        peak = peak_memory()
        return {"calls": calls, "peak_bytes": peak, "grown_bytes": max(0, peak - self._before)}

    def _call(self, batch_size: int) -> Callable[[], object]:
        predict = self._predictor.predict
        inputs = self._inputs[batch_size]
        synchronize = self._synchronize
        if synchronize is None:
            return lambda: predict(inputs)
        return lambda: (predict(inputs), synchronize())


def _run(call: Callable[[], object], seconds: float, at_least: int) -> list[int]:
    """Nanoseconds of each call: calls for `seconds`, and at least `at_least` of them.

    Slow calls end after five times `seconds`, however few they are.
    """
    clock = time.perf_counter_ns
    calls: list[int] = []
    started = before = clock()
    end = started + int(seconds * 1e9)
    far_beyond = started + int(5 * seconds * 1e9)
    while before < end or (len(calls) < at_least and before < far_beyond):
        call()
        now = clock()
        calls.append(now - before)
        before = now
    return calls


def _candidate(job: dict[str, Any]) -> Any:
    """The candidate from its private file."""
    content = Path(job["file"]).read_bytes()
    return form_named(job["form"]).unpacked(content, job["name"], job["outputs"])


def _arrays(path: Path) -> dict[str, np.ndarray]:
    # Text columns are object arrays. The file is private and comes from the parent process.
    with np.load(path, allow_pickle=True) as file:
        return {name: file[name] for name in file.files}


def _import(module: str) -> None:
    try:
        importlib.import_module(module)
    except ImportError:  # loading the candidate raises the error, if it needs the module
        return


def _limit_threads(threads: int) -> None:
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(threads)
        torch.set_num_interop_threads(1)


def _synchronize() -> None:
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.cuda.synchronize()


def _commands(folder: Path) -> queue.Queue[str]:
    """Lines of standard input; when it closes, the process ends at once, even during a call.

    It closes when the parent is killed too. The worker then deletes the private files, as the
    parent cannot.
    """
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # files of other workers are still in it
            folder.parent.rmdir()
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return lines


def main() -> None:
    """Answer commands until standard input closes; an exception becomes an answer too."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # the prints of libraries go to the error stream, not between the answers
    lines = _commands(Path(sys.argv[1]))
    session: Session | None = None
    answer: dict[str, Any]
    while True:
        command = json.loads(lines.get())
        try:
            if session is None:
                session = Session(command)
                answer = {"import_ms": session.import_ms}
            else:
                answer = getattr(session, command.pop("do"))(**command)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}
        answers.write(json.dumps(answer, default=str) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
