"""One candidate on every installed runtime: speed of each, and agreement of their predictions."""

from __future__ import annotations

import warnings
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
from workbench.system.wording import ms_text, percent
from workbench.task import Candidate

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Everywhere", "measure_everywhere", "sweep"]

N_COMPARED = 256  # rows on which the predictions of the runtimes are compared
# Least agreement with the first runtime: below it, the runtime in fact runs another model.
LEAST_AGREEMENT = 0.99
# Largest distance of the outputs from those of the first runtime, in standard deviations. int8 in
# two runtimes was measured to be 0.15 apart; unrelated outputs are 1.4 apart.
LARGEST_DISTANCE = 0.5
PROBABILITIES = ("probabilities", "label_probabilities")
SMALLEST_DEVIATION = 0.05  # of outputs that are almost constant, as a share of the largest one


@dataclass(frozen=True)
class Everywhere:
    """One candidate on several runtimes, timed side by side in one session.

    `table` has a row a runtime, the fastest first: runtime, precision, best_ms, p50_ms (a call at
    `batch_size`), speedup (against the first runtime of `timings`, with `low` and `high`),
    agreement (share of rows with the same prediction), distance (of the outputs, in standard
    deviations), note. Both compare the outputs of a batch of rows with those of the first runtime.
    `verdicts` compare each runtime with `best`. `failed` holds the error of each runtime that could
    not run the candidate.
    """

    best: str
    batch_size: int
    table: pd.DataFrame
    timings: Mapping[str, Timing]
    verdicts: Mapping[str, Verdict]
    failed: Mapping[str, str]

    @property
    def text(self) -> str:
        """The fastest runtime, in a sentence, and each runtime with other outputs, in one more."""
        return " ".join([self._fastest, *self._refused])

    @property
    def _fastest(self) -> str:
        first = next(iter(self.timings))
        row = self.table.set_index("runtime").loc[self.best]
        shown = (
            f"{self.best} ({row.precision}) is the fastest here at batch {self.batch_size}: "
            f"{ms_text(row.best_ms)}"
        )
        if self.best == first:
            return f"{shown}."
        return f"{shown}, {row.speedup:.2g} times {first} ({row.low:.2g} to {row.high:.2g})."

    @property
    def _refused(self) -> list[str]:
        first = next(iter(self.timings))
        return [
            f"{row.runtime} gives other outputs than {first} for a batch of rows: "
            f"{percent(row.agreement, None)} of the predictions are the same, and the outputs are "
            f"{row.distance:.2g} standard deviations apart. Do not use it for this model."
            for row in self.table.itertuples()
            if row.note
        ]


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
    outputs for a batch of rows are those of the first runtime: at least 99 % of the predictions are
    the same, and the outputs differ by at most half of their standard deviation. A runtime that
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
    if any(form.outputs in PROBABILITIES for form in forms.values()):
        # Logarithms of probabilities near zero differ although the probabilities agree.
        outputs = {name: np.exp(each) for name, each in outputs.items()}
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
        agreement, distance, note = _likeness(outputs[first], outputs[name], first)
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
        times = (batch.best_ms, batch.p50_ms, *speed)
        rows.append((name, precisions[name], *times, agreement, distance, note))
    columns = [
        "runtime",
        "precision",
        "best_ms",
        "p50_ms",
        "speedup",
        "low",
        "high",
        "agreement",
        "distance",
        "note",
    ]
    table = pd.DataFrame(rows, columns=columns).sort_values("best_ms", ignore_index=True)
    best = str(table[table.note == ""].runtime.iloc[0])
    verdicts = {
        name: compare_timings(timing, timings[best], batch_size=batch_size)
        for name, timing in timings.items()
        if name != best
    }
    return Everywhere(best, batch_size, table, timings, verdicts, failed)


def _likeness(reference: np.ndarray, outputs: np.ndarray, first: str) -> tuple[float, float, str]:
    """Agreement and distance of outputs, and a note unless both are those of the same model."""
    if outputs is reference:
        return 1.0, 0.0, ""
    if outputs.size != reference.size:
        note = f"not chosen: its outputs have the shape {outputs.shape}, not {reference.shape}"
        return 0.0, float("inf"), note
    agreement, distance = _agreement(reference, outputs), _distance(reference, outputs)
    if not agreement >= LEAST_AGREEMENT:
        return agreement, distance, f"not chosen: its predictions differ from those of {first}"
    if not distance <= LARGEST_DISTANCE:
        return agreement, distance, f"not chosen: its outputs differ from those of {first}"
    return agreement, distance, ""


def _distance(reference: np.ndarray, outputs: np.ndarray) -> float:
    """Root mean square of the differences, in standard deviations of the reference's rows.

    It is infinite where one of both has a NaN or an infinity that the other does not have.
    """
    n_rows = len(reference)
    first = np.asarray(reference, np.float64).reshape(n_rows, -1)
    second = np.asarray(outputs, np.float64).reshape(n_rows, -1)
    is_number = np.isfinite(first)
    same = (first == second) | (np.isnan(first) & np.isnan(second))
    if not (is_number | same).all() or not np.isfinite(second[is_number]).all():
        return float("inf")
    if not is_number.any():
        return 0.0
    numbers = np.where(is_number, first, np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a column without numbers has no mean
        means = np.nanmean(numbers, axis=0)
    deviation = float(np.sqrt(np.nanmean((numbers - means) ** 2)))
    smallest = SMALLEST_DEVIATION * float(np.abs(first[is_number]).max())
    differences = second[is_number] - first[is_number]
    gap = float(np.sqrt(np.mean(differences**2)))
    return gap / max(deviation, smallest, 1e-9)


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
