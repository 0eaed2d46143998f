"""One candidate on every runtime that is installed here: which is fastest, by how much, and whether
it answers the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import ExportError, MissingExtra, WorkbenchError
from workbench.events import Report
from workbench.measure.coverage import coverage
from workbench.measure.statistics.verdict import Verdict
from workbench.measure.timing.latency import InputsOf, time_side_by_side
from workbench.measure.timing.records import Timing, compare_timings
from workbench.runtimes import RUNTIMES, installed_for, predictor
from workbench.runtimes.to_onnx import to_onnx
from workbench.task import Candidate

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Everywhere", "measure_everywhere", "sweep"]

N_COMPARED = 256  # rows on which the runtimes' answers are compared
# share of equal answers below which a runtime is not picked: a faster other model is no faster
# runtime
SAME = 0.99


@dataclass(frozen=True)
class Everywhere:
    """One candidate on several runtimes, timed side by side in one session.

    `table` has a row a runtime, the fastest first: runtime, precision, best_ms, p50_ms (a call at
    `batch_size`), speedup (against the first runtime of `timings`, with `low` and `high`),
    agreement (share of rows answered alike), note. `verdicts` compare each runtime with the picked
    one.
    """

    best: str
    batch_size: int
    table: pd.DataFrame
    timings: Mapping[str, Timing]
    verdicts: Mapping[str, Verdict]
    failed: Mapping[str, str]

    @property
    def text(self) -> str:
        """The pick in a sentence."""
        first = next(iter(self.timings))
        row = self.table.set_index("runtime").loc[self.best]
        shown = (
            f"{self.best} ({row.precision}) is the fastest here at batch {self.batch_size}: "
            f"{row.best_ms:.3g} ms"
        )
        if self.best == first:
            return f"{shown}."
        return f"{shown}, {row.speedup:.2g} times {first} ({row.low:.2g} to {row.high:.2g})."


def measure_everywhere(
    candidate: Candidate,
    inputs_of: InputsOf,
    *,
    runtimes: Sequence[str] | None = None,
    batch_size: int = 1,
    threads: int = 1,
    budget: str = "standard",
    report: Report | None = None,
) -> Everywhere:
    """Time a candidate on all runtimes that are installed for it, a torch one also as ONNX, and
    pick the fastest.

    `inputs_of(candidate, n)` gives prepared named arrays `(n, ...)`. Picked is the runtime with the
    lowest best call at `batch_size` among those that give at least 99 % of the same answers as the
    first. A runtime that cannot run the candidate is told in `failed`, and the others are measured
    all the same.
    """
    report = report or Report()
    forms = _forms(candidate, inputs_of, runtimes)
    rows = inputs_of(candidate, N_COMPARED)
    answers: dict[str, np.ndarray] = {}
    failed: dict[str, str] = {}
    for name, one in forms.items():
        report.check()
        try:
            answers[name] = predictor(one, name, threads=threads).predict(rows)
        except WorkbenchError as error:
            failed[name] = str(error)
    timings = time_side_by_side(
        {name: (forms[name], name) for name in answers},
        inputs_of,
        batch_sizes=(batch_size,),
        threads=threads,
        budget=budget,
        report=report,
    )
    precisions = {name: _precision(timing, forms[name]) for name, timing in timings.items()}
    return _picked(timings, precisions, answers, failed, batch_size)


def _forms(
    candidate: Candidate, inputs_of: InputsOf, wanted: Sequence[str] | None
) -> dict[str, Candidate]:
    """The candidate in the form that each runtime takes."""
    found = dict.fromkeys(installed_for(candidate), candidate)
    try:
        exported = to_onnx(candidate, inputs_of(candidate, 16))
        found |= dict.fromkeys((n for n in installed_for(exported) if n not in found), exported)
    except (ExportError, MissingExtra):
        pass  # the engines of its own form are left
    return found if wanted is None else {name: found[name] for name in wanted if name in found}


def _precision(timing: Timing, candidate: Candidate) -> str:
    """What really ran: as the runtime says, else what most operators of its optimized graph run in."""
    if timing.details.get("precision") or RUNTIMES.get(timing.runtime).coverage is None:
        return str(timing.details.get("precision", ""))
    return "int8" if coverage(candidate.model, timing.runtime).share > 0.5 else "fp32"


def _picked(
    timings: dict[str, Timing],
    precisions: dict[str, str],
    answers: dict[str, np.ndarray],
    failed: dict[str, str],
    batch_size: int,
) -> Everywhere:
    import pandas as pd

    first = next(iter(timings))
    rows = []
    for name, timing in timings.items():
        batch = timing.at(batch_size)
        agreement = _agreement(answers[first], answers[name])
        against = (
            compare_timings(timings[first], timing, batch_size=batch_size)
            if name != first
            else None
        )
        speed = (
            (1 / against.difference, 1 / against.high, 1 / against.low)
            if against
            else (1.0, 1.0, 1.0)
        )
        note = "" if agreement >= SAME else "not picked: it answers differently"
        rows.append((name, precisions[name], batch.best_ms, batch.p50_ms, *speed, agreement, note))
    columns = [
        "runtime",
        "precision",
        "best_ms",
        "p50_ms",
        "speedup",
        "low",
        "high",
        "agreement",
        "note",
    ]
    table = pd.DataFrame(rows, columns=columns).sort_values("best_ms", ignore_index=True)
    best = str(table[table.agreement >= SAME].runtime.iloc[0])
    verdicts = {
        name: compare_timings(timing, timings[best], batch_size=batch_size)
        for name, timing in timings.items()
        if name != best
    }
    return Everywhere(best, batch_size, table, timings, verdicts, failed)


def _agreement(wanted: np.ndarray, got: np.ndarray) -> float:
    """The share of rows with the same answer: the same class, or a number within 1 % of the spread."""
    got = got.reshape(wanted.shape)
    if wanted.ndim == 2 and wanted.shape[1] > 1:
        return float(np.mean(wanted.argmax(1) == got.argmax(1)))
    return float(np.mean(np.abs(wanted - got) <= 0.01 * max(float(np.ptp(wanted)), 1e-9)))


def sweep(
    candidates: Mapping[str, tuple[Candidate, str]],
    inputs_of: Callable[[Candidate, int], dict[str, np.ndarray]],
    *,
    threads: Sequence[int] = (1, 2),
    batch_sizes: Sequence[int] = (1, 4, 16, 64),
    budget: str = "smoke",
    report: Report | None = None,
) -> pd.DataFrame:
    """Thread counts and batch sizes of several candidates on their runtimes, as a table for
    `plot_sweep`.

    One row a candidate, thread count and batch size: name, runtime, precision, threads, batch_size,
    best_ms, p50_ms, throughput (samples a second, of the best call). Candidates are timed side by
    side at each thread count.
    """
    import pandas as pd

    rows = []
    for n in threads:
        timings = time_side_by_side(
            candidates, inputs_of, batch_sizes=batch_sizes, threads=n, budget=budget, report=report
        )
        for name, timing in timings.items():
            for batch in timing.batches:
                rows.append(
                    {
                        "name": name,
                        "runtime": timing.runtime,
                        "precision": _precision(timing, candidates[name][0]),
                        "threads": n,
                        "batch_size": batch.batch_size,
                        "best_ms": batch.best_ms,
                        "p50_ms": batch.p50_ms,
                        "throughput": 1000 * batch.batch_size / batch.best_ms,
                    }
                )
    return pd.DataFrame(rows)
