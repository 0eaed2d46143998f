"""Workers: processes that run trials of one study at the same time, watched by the run's process.

The job goes to them through a private file in the folder of the step. Trials of a worker that dies
are put into the queue again, and another worker takes its place.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from workbench.errors import RunError
from workbench.events import Report
from workbench.system.culprit import culprit
from workbench.system.machine import n_threads
from workbench.system.threads import THREADS
from workbench.techniques.tuning.search import Search
from workbench.techniques.tuning.trials import finished, retry_orphans

__all__ = ["JOB", "STOP", "run_workers"]

JOB, STOP = "job.pkl", "stop"
POLL_SECONDS = 0.2
PATIENCE_SECONDS = 2.0
MOST_DEATHS = 3  # of workers without a finished trial in between


def run_workers(search: Search) -> None:
    """Run the trials of a search in processes; returns when there are enough.

    Raises RunError where workers die again and again, with the end of what they printed; Cancelled
    on request. Finished trials are kept in any case.
    """
    folder = search.problem.job.folder / "workers"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / STOP).unlink(missing_ok=True)
    _write_job(search, folder)
    report, n = search.problem.job.report, search.problem.settings.n_workers
    workers = [_started(folder, number, n) for number in range(min(n, search.n_trials))]
    n_deaths, n_done = 0, len(finished(search.study))
    try:
        while any(w.poll() is None for w in workers) or search.goes_on():
            time.sleep(POLL_SECONDS)
            search.tell_progress(report)
            now = len(finished(search.study))
            n_deaths, n_done = (n_deaths, n_done) if now == n_done else (0, now)
            for number, worker in enumerate(workers):
                if worker.poll() is None or not search.goes_on():
                    continue
                n_deaths += worker.returncode != 0
                retry_orphans(search.study)
                if n_deaths > MOST_DEATHS:
                    raise RunError(_died(folder, number, worker.returncode))
                workers[number] = _started(folder, number, n)
    finally:
        _stop(workers, folder)
        retry_orphans(search.study)
        (folder / JOB).unlink(missing_ok=True)


def _write_job(search: Search, folder: Path) -> None:
    import cloudpickle

    problem = search.problem
    job = replace(problem.job, report=Report())
    try:
        content = cloudpickle.dumps((job, problem.settings, search.began))
    except Exception as error:
        raise RunError(
            f"The job cannot be sent to workers: {culprit(job, error)} Use `n_workers: 1`."
        ) from error
    (folder / JOB).unlink(missing_ok=True)  # one that exists would keep its permissions
    descriptor = os.open(folder / JOB, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _started(folder: Path, number: int, n_workers: int) -> subprocess.Popen[bytes]:
    """A worker process; what it prints goes to a file beside the job."""
    threads = str(max(1, n_threads() // n_workers))
    environment = {
        **os.environ,
        **dict.fromkeys(THREADS, threads),
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
    }
    with (folder / f"worker-{number}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "workbench.techniques.tuning.worker", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
        )


def _stop(workers: list[subprocess.Popen[bytes]], folder: Path) -> None:
    """End the workers: by request, then by force."""
    (folder / STOP).touch()
    deadline = time.monotonic() + PATIENCE_SECONDS
    for worker in workers:
        with suppress(subprocess.TimeoutExpired):
            worker.wait(max(0.0, deadline - time.monotonic()))
        if worker.poll() is None:
            worker.kill()
            worker.wait()


def _died(folder: Path, number: int, status: int) -> str:
    log = folder / f"worker-{number}.log"
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    last = next((line for line in reversed(lines) if line.strip()), "it printed nothing")
    return (
        f"Workers of the search died {MOST_DEATHS + 1} times (exit status {status}): {last} All "
        f"that it printed: {log}."
    )
