"""Latency: candidates timed side by side, each in its own process, in alternating blocks.

Each has its own process, as two runtimes that take turns inside one process made each other's
median five times worse through spinning thread pools. Blocks alternate, as the load of a shared
machine changes by the minute: only calls made at nearly the same time can be compared.

    round 1:  pause A.A.A.A.A  pause B.B.B.B.B  pause C.C.C.C.C
    round 2:  pause C.C.C.C.C  pause B.B.B.B.B  pause A.A.A.A.A

The first calls of a block are not counted. The order is reversed each round, so that a steady drift
cancels. See Kalibera and Jones, "Rigorous Benchmarking in Reasonable Time" (ISMM 2013), on blocks
and restarts.
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
from workbench.measure.statistics.rounds import enough_rounds
from workbench.measure.timing.processes import Worker
from workbench.measure.timing.records import BatchTiming, Timing
from workbench.runtimes import runtimes_for
from workbench.system.machine import busy as machine_busy
from workbench.system.machine import n_cores
from workbench.system.turns import timing_turn
from workbench.system.wording import percent
from workbench.task import Candidate

__all__ = ["ROUNDS_BY_BUDGET", "time_side_by_side"]

# Rounds, and seconds a block.
ROUNDS_BY_BUDGET = {
    "smoke": (6, 0.02),
    "standard": (20, 0.15),
    "thorough": (40, 0.25),
}
PAUSE_SECONDS = 0.01
TOO_BUSY = 0.2  # share of the cores used by other processes above which there is a warning

InputsOf = Callable[[Candidate, int], dict[str, np.ndarray]]


@dataclass(frozen=True)
class _Plan:
    batch_sizes: tuple[int, ...]
    threads: int
    rounds: int
    fixed: bool  # all rounds are made, also where fewer decide
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
    """The timing of each candidate, by its name in `candidates`.

    The values of `candidates` are a candidate and its runtime, or "auto" for the first runtime of
    its form. `inputs_of(candidate, n)` gives prepared named arrays `(n, ...)`. `budget` sets
    `rounds` and `block_seconds` where they are None; then timing ends as soon as further rounds
    cannot change a verdict between two of the candidates. All processes are ended before it returns
    or raises: RunError when a worker dies or cannot run its candidate, Cancelled on request.
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
        report.check()
        with timing_turn(_Waiting(report, plan.rounds)):
            return _measure(workers, plan, report)


def _plan(
    batch_sizes: Sequence[int],
    threads: int,
    rounds: int | None,
    block_seconds: float | None,
    budget: str,
    device: str,
) -> _Plan:
    if budget not in ROUNDS_BY_BUDGET:
        raise UnknownName(unknown("budget", budget, ROUNDS_BY_BUDGET))
    if not batch_sizes or min(batch_sizes) < 1:
        raise SettingsError(
            f"`batch_sizes` must be one or more numbers, each at least 1, got {tuple(batch_sizes)}."
        )
    if threads < 1:
        raise SettingsError(f"`threads` must be at least 1, got {threads}.")
    usual_rounds, usual_seconds = ROUNDS_BY_BUDGET[budget]
    return _Plan(
        tuple(sorted(set(batch_sizes))),
        threads,
        rounds or usual_rounds,
        rounds is not None,
        block_seconds or usual_seconds,
        budget,
        device,
    )


def _measure(workers: dict[str, Worker], plan: _Plan, report: Report) -> dict[str, Timing]:
    # All workers import their libraries at the same time; models are loaded one by one, as loading
    # is timed.
    started = {name: worker.answer() for name, worker in workers.items()}
    loaded: dict[str, dict[str, Any]] = {}
    for name, worker in workers.items():
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
            rounds=len(blocks[name, plan.batch_sizes[0]]),
            block_seconds=plan.block_seconds,
            details=loaded[name]["details"],
        )
        for name in workers
    }


def _blocks(
    workers: dict[str, Worker], plan: _Plan, report: Report
) -> dict[tuple[str, int], list[dict[str, Any]]]:
    """One block a round of each candidate at each batch size, by name and batch size.

    The order of the candidates is reversed each round. A single candidate, which has no verdict,
    is timed in all rounds.
    """
    blocks: dict[tuple[str, int], list[dict[str, Any]]] = {
        (name, size): [] for name in workers for size in plan.batch_sizes
    }
    names = list(workers)
    for number in range(plan.rounds):
        report.progress(number, plan.rounds, f"timing, round {number + 1} of {plan.rounds}")
        for size in plan.batch_sizes:
            for name in names:
                time.sleep(PAUSE_SECONDS)
                blocks[name, size].append(
                    workers[name].ask(do="block", batch_size=size, seconds=plan.block_seconds)
                )
        names.reverse()
        if (
            not plan.fixed
            and len(names) > 1
            and all(_enough(blocks, names, size) for size in plan.batch_sizes)
        ):
            break
    report.progress(plan.rounds, plan.rounds, "timing done")
    return blocks


def _enough(
    blocks: Mapping[tuple[str, int], Sequence[Mapping[str, Any]]], names: Sequence[str], size: int
) -> bool:
    """Whether the verdicts on these candidates' latency at a batch size are decided."""
    bests = {name: [block["best_ms"] for block in blocks[name, size]] for name in names}
    return enough_rounds(bests)


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
        f"Other work used {percent(busy, 0)} of this machine's cores during timing. Comparisons "
        "side by side hold, with wider intervals, but the milliseconds are too high. Measure again "
        "when the machine is idle."
    )


class _Waiting:
    """Tells, while another run has the turn at timing, that this one waits for it."""

    def __init__(self, report: Report, rounds: int) -> None:
        self._report, self._rounds = report, rounds
        self._n_calls = 0

    def __call__(self) -> None:
        self._report.check()
        self._n_calls += 1
        if self._n_calls > 1:
            self._report.progress(0, self._rounds, "waiting: another run is timing")


class _Others:
    """Share of this process's cores that other processes use, from now until `share()`."""

    def __init__(self, workers: dict[str, Worker]) -> None:
        self._workers = workers
        self._start = self._now()

    def share(self) -> float:
        clock, used, ours = (b - a for a, b in zip(self._start, self._now(), strict=True))
        if used <= 0:  # the system reports no times: its load average, less this process
            return max(0.0, machine_busy() - 1 / n_cores())
        return float(min(1.0, max(0.0, (used - ours) / (clock * n_cores()))))

    def _now(self) -> tuple[float, float, float]:
        return (
            time.monotonic(),
            _used_seconds(),
            sum(worker.cpu_seconds() for worker in self._workers.values()),
        )


def _used_seconds() -> float:
    """CPU seconds used so far by all processes on the cores of this one, with stolen time."""
    import psutil

    allowed = (
        set(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else None
    )
    kinds = ("user", "nice", "system", "irq", "softirq", "steal", "interrupt", "dpc")
    cores = [
        c for i, c in enumerate(psutil.cpu_times(percpu=True)) if allowed is None or i in allowed
    ]
    return sum(getattr(core, kind, 0.0) for core in cores for kind in kinds)
