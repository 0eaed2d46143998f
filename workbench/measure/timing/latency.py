"""Latency: candidates timed side by side, each in its own process, in alternating blocks.

Why so: two runtimes that take turns inside one process made each other's median five times worse
through spinning thread pools; and on a shared machine the load changes by the minute, so only what
ran in the same second compares.

    round 1:  pause A.A.A.A.A  pause B.B.B.B.B  pause C.C.C.C.C        (the first calls of a block are not counted)
    round 2:  pause C.C.C.C.C  pause B.B.B.B.B  pause A.A.A.A.A        (order turned: a steady drift cancels)

See Kalibera and Jones, "Rigorous Benchmarking in Reasonable Time" (ISMM 2013), on blocks and
restarts.
"""

from __future__ import annotations

import tempfile
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import SettingsError, UnknownName, unknown
from workbench.events import Report
from workbench.measure.timing.processes import Worker
from workbench.measure.timing.records import BatchTiming, Timing
from workbench.runtimes import runtimes_for
from workbench.system.machine import busy as machine_busy
from workbench.system.machine import n_cores
from workbench.task import Candidate

__all__ = ["BUDGETS", "time_side_by_side"]

BUDGETS = {
    "smoke": (6, 0.05),
    "standard": (20, 0.15),
    "thorough": (40, 0.25),
}  # rounds, seconds a block
PAUSE_SECONDS = 0.01
TOO_BUSY = 0.2  # share of the cores that others may use before a warning

InputsOf = Callable[[Candidate, int], dict[str, np.ndarray]]


@dataclass(frozen=True)
class _Plan:
    batch_sizes: tuple[int, ...]
    threads: int
    rounds: int
    block_seconds: float
    budget: str
    device: str


def time_side_by_side(
    candidates: Mapping[str, tuple[Candidate, str]],
    inputs_of: InputsOf,
    *,
    batch_sizes: Sequence[int] = (1, 64),
    threads: int = 1,
    rounds: int | None = None,
    block_seconds: float | None = None,
    budget: str = "standard",
    report: Report | None = None,
    device: str = "cpu",
) -> dict[str, Timing]:
    """The timing of each candidate, by its name in `candidates` (values: the candidate and its
    runtime, or "auto").

    `inputs_of(candidate, n)` gives prepared named arrays `(n, ...)`. `budget` sets rounds and block
    length where they are None. Raises RunError when a worker dies or cannot run its candidate,
    Cancelled on request; no process stays.
    """
    plan = _plan(batch_sizes, threads, rounds, block_seconds, budget, device)
    report = report or Report()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="workbench-timing-")))
        workers: dict[str, Worker] = {}
        for number, (name, (candidate, runtime)) in enumerate(candidates.items()):
            report.check()
            runtime = runtimes_for(candidate)[0] if runtime == "auto" else runtime
            inputs = {size: inputs_of(candidate, size) for size in plan.batch_sizes}
            worker = Worker(
                name,
                candidate,
                runtime,
                inputs,
                threads=threads,
                device=device,
                folder=folder / str(number),
                report=report,
            )
            workers[name] = stack.enter_context(worker)
        return _measure(workers, plan, report)


def _plan(
    batch_sizes: Sequence[int],
    threads: int,
    rounds: int | None,
    block_seconds: float | None,
    budget: str,
    device: str,
) -> _Plan:
    if budget not in BUDGETS:
        raise UnknownName(unknown("budget", budget, BUDGETS))
    if not batch_sizes or min(batch_sizes) < 1:
        raise SettingsError(
            f"`batch_sizes` must be one or more numbers from 1 on, got {tuple(batch_sizes)}."
        )
    if threads < 1:
        raise SettingsError(f"`threads` must be at least 1, got {threads}.")
    n_rounds, seconds = rounds or BUDGETS[budget][0], block_seconds or BUDGETS[budget][1]
    return _Plan(tuple(sorted(set(batch_sizes))), threads, n_rounds, seconds, budget, device)


def _measure(workers: dict[str, Worker], plan: _Plan, report: Report) -> dict[str, Timing]:
    started = {
        name: worker.answer() for name, worker in workers.items()
    }  # libraries are imported all at once,
    loaded: dict[str, dict[str, Any]] = {}
    for name, worker in workers.items():  # models loaded one by one, as that is timed
        loaded[name] = worker.ask(do="load")
        worker.forget_files()
    others = _Others(workers)
    blocks = _blocks(workers, plan, report)
    busy = others.share()
    finished = {name: worker.ask(do="finish") for name, worker in workers.items()}
    session = uuid.uuid4().hex
    return {
        name: Timing(
            name=name,
            runtime=loaded[name]["runtime"],
            device=plan.device,
            threads=plan.threads,
            batches=tuple(
                _batch(size, blocks[name, size], finished[name]["calls"][str(size)])
                for size in plan.batch_sizes
            ),
            load_time_ms=loaded[name]["load_ms"],
            import_time_ms=started[name]["import_ms"],
            peak_memory_bytes=finished[name]["peak_bytes"],
            model_memory_bytes=finished[name]["grown_bytes"],
            busy=busy,
            warning=_warning(busy),
            session=session,
            budget=plan.budget,
            rounds=plan.rounds,
            block_seconds=plan.block_seconds,
            details=loaded[name]["details"],
        )
        for name in workers
    }


def _blocks(
    workers: dict[str, Worker], plan: _Plan, report: Report
) -> dict[tuple[str, int], list[dict[str, Any]]]:
    """One block a round of each candidate at each batch size; the order of candidates turns every
    round.
    """
    found: dict[tuple[str, int], list[dict[str, Any]]] = {
        (name, size): [] for name in workers for size in plan.batch_sizes
    }
    names = list(workers)
    for number in range(plan.rounds):
        report.progress(number, plan.rounds, f"timing, round {number + 1} of {plan.rounds}")
        for size in plan.batch_sizes:
            for name in names:
                time.sleep(PAUSE_SECONDS)
                found[name, size].append(
                    workers[name].ask(do="block", batch_size=size, seconds=plan.block_seconds)
                )
        names.reverse()
    report.progress(plan.rounds, plan.rounds, "timing done")
    return found


def _batch(size: int, blocks: list[dict[str, Any]], calls: dict[str, Any]) -> BatchTiming:
    p10, p50, p95 = calls["quantiles_ms"]
    bests, medians, cpus = (
        tuple(block[key] for block in blocks) for key in ("best_ms", "median_ms", "cpu_ms")
    )
    return BatchTiming(
        size,
        calls["best_ms"],
        p10,
        p50,
        p95,
        float(np.median(cpus)),
        calls["n_calls"],
        bests,
        medians,
        cpus,
    )


def _warning(busy: float) -> str:
    if busy <= TOO_BUSY:
        return ""
    return (
        f"Other work used {100 * busy:.0f} % of this machine's cores meanwhile: comparisons side "
        "by side hold, with wider intervals, but the milliseconds are too high. Measure again "
        "when the machine is quiet."
    )


class _Others:
    """How much of the cores that this process may use others take, from now until `share` is asked."""

    def __init__(self, workers: dict[str, Worker]) -> None:
        self._workers = workers
        self._start = self._now()

    def share(self) -> float:
        clock, used, ours = (b - a for a, b in zip(self._start, self._now(), strict=True))
        if used <= 0:  # a system that does not tell: fall back on its load average, less ourselves
            return max(0.0, machine_busy() - 1 / n_cores())
        return float(min(1.0, max(0.0, (used - ours) / (clock * n_cores()))))

    def _now(self) -> tuple[float, float, float]:
        return (
            time.monotonic(),
            _used_seconds(),
            sum(worker.cpu_seconds() for worker in self._workers.values()),
        )


def _used_seconds() -> float:
    """Processor seconds that anybody used so far on the cores that this process may use, stolen
    ones included.
    """
    import psutil

    allowed = (
        set(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else None
    )
    kinds = ("user", "nice", "system", "irq", "softirq", "steal", "interrupt", "dpc")
    cores = [
        c for i, c in enumerate(psutil.cpu_times(percpu=True)) if allowed is None or i in allowed
    ]
    return sum(getattr(core, kind, 0.0) for core in cores for kind in kinds)
