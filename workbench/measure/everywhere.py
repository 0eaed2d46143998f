"""One candidate on every installed runtime: speed of each, and agreement of their predictions."""

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
from workbench.system.wording import ms_text
from workbench.task import Candidate

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Everywhere", "measure_everywhere", "sweep"]

N_COMPARED = 256  # rows on which the predictions of the runtimes are compared
# Least agreement with the first runtime: below it, the runtime in fact runs another model.
LEAST_AGREEMENT = 0.99


@dataclass(frozen=True)
class Everywhere:
    """One candidate on several runtimes, timed side by side in one session.

    `table` has a row a runtime, the fastest first: runtime, precision, best_ms, p50_ms (a call at
    `batch_size`), speedup (against the first runtime of `timings`, with `low` and `high`),
    agreement (share of rows with the same prediction), note. `verdicts` compare each runtime with
    `best`. `failed` holds the error of each runtime that could not run the candidate.
    """

    best: str
    batch_size: int
    table: pd.DataFrame
    timings: Mapping[str, Timing]
    verdicts: Mapping[str, Verdict]
    failed: Mapping[str, str]

    @property
    def text(self) -> str:
        """The fastest runtime, in a sentence."""
        first = next(iter(self.timings))
        row = self.table.set_index("runtime").loc[self.best]
        shown = (
            f"{self.best} ({row.precision}) is the fastest here at batch {self.batch_size}: "
            f"{ms_text(row.best_ms)}"
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
    """Time a candidate on all runtimes that are installed for it, and choose the fastest.

    A torch candidate is timed as ONNX too. `inputs_of(candidate, n)` gives prepared named arrays
    `(n, ...)`. Chosen is the runtime with the shortest call at `batch_size`, among those whose
    predictions agree with those of the first runtime on at least 99 % of the rows. A runtime that
    cannot run the candidate is listed in `failed`, and the others are measured.
    """
    report = report or Report()
    forms = _forms(candidate, inputs_of, runtimes)
    rows = inputs_of(candidate, N_COMPARED)
    outputs: dict[str, np.ndarray] = {}
    failed: dict[str, str] = {}
    for name, one in forms.items():
        report.check()
        try:
            outputs[name] = predictor(one, name, threads=threads).predict(rows)
        except WorkbenchError as error:
            failed[name] = str(error)
    timings = time_side_by_side(
        {name: (forms[name], name) for name in outputs},
        inputs_of,
        batch_sizes=(batch_size,),
        threads=threads,
        budget=budget,
        report=report,
    )
    precisions = {name: _precision(timing, forms[name]) for name, timing in timings.items()}
    return _compared(timings, precisions, outputs, failed, batch_size)


def _forms(
    candidate: Candidate, inputs_of: InputsOf, runtimes: Sequence[str] | None
) -> dict[str, Candidate]:
    """The candidate in the form that each runtime takes, by the name of the runtime."""
    forms = dict.fromkeys(installed_for(candidate), candidate)
    try:
        exported = to_onnx(candidate, inputs_of(candidate, 16))
        forms |= dict.fromkeys((n for n in installed_for(exported) if n not in forms), exported)
    except (ExportError, MissingExtra):
        pass  # the runtimes of its own form are measured
    return forms if runtimes is None else {name: forms[name] for name in runtimes if name in forms}


def _precision(timing: Timing, candidate: Candidate) -> str:
    """Precision that the runtime reports, else that of most operators of its optimized graph."""
    if timing.details.get("precision") or RUNTIMES.get(timing.runtime).coverage is None:
        return str(timing.details.get("precision", ""))
    return "int8" if coverage(candidate.model, timing.runtime).share > 0.5 else "fp32"


def _compared(
    timings: dict[str, Timing],
    precisions: dict[str, str],
    outputs: dict[str, np.ndarray],
    failed: dict[str, str],
    batch_size: int,
) -> Everywhere:
    import pandas as pd

    first = next(iter(timings))
    rows = []
    for name, timing in timings.items():
        batch = timing.at(batch_size)
        agreement = _agreement(outputs[first], outputs[name])
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
        note = "" if agreement >= LEAST_AGREEMENT else "not chosen: its predictions differ"
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
    best = str(table[table.agreement >= LEAST_AGREEMENT].runtime.iloc[0])
    verdicts = {
        name: compare_timings(timing, timings[best], batch_size=batch_size)
        for name, timing in timings.items()
        if name != best
    }
    return Everywhere(best, batch_size, table, timings, verdicts, failed)


def _agreement(reference: np.ndarray, outputs: np.ndarray) -> float:
    """Share of rows with the same class, or with a number within 1 % of the reference's range."""
    outputs = outputs.reshape(reference.shape)
    if reference.ndim == 2 and reference.shape[1] > 1:
        return float(np.mean(reference.argmax(1) == outputs.argmax(1)))
    tolerance = 0.01 * max(float(np.ptp(reference)), 1e-9)
    return float(np.mean(np.abs(reference - outputs) <= tolerance))


def sweep(
    candidates: Mapping[str, tuple[Candidate, str]],
    inputs_of: Callable[[Candidate, int], dict[str, np.ndarray]],
    *,
    threads: Sequence[int] = (1, 2),
    batch_sizes: Sequence[int] = (1, 4, 16, 64),
    budget: str = "smoke",
    report: Report | None = None,
) -> pd.DataFrame:
    """Times by thread count and batch size of several candidates, as a table for `plot_sweep`.

    One row a candidate, thread count and batch size: name, runtime, precision, threads, batch_size,
    best_ms, p50_ms, throughput (samples a second, of the shortest call). Candidates are timed side
    by side at each thread count.
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
