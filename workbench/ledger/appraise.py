"""Judging candidates alike: quality on given rows, size, cost and speed side by side, as rows of
the ledger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import WorkbenchError
from workbench.events import Report
from workbench.ledger.rows import Row
from workbench.measure.cost import macs_onnx, macs_torch, n_parameters, size_of
from workbench.measure.coverage import coverage
from workbench.measure.roofline import peak_share
from workbench.measure.scorecard import Scorecard
from workbench.measure.statistics.quality import quality
from workbench.measure.statistics.verdict import Verdict, compare_many
from workbench.measure.timing.latency import time_side_by_side
from workbench.measure.timing.records import Timing, compare_timings
from workbench.metrics import like_targets
from workbench.recipe import Recipe
from workbench.runtimes import runtimes_for
from workbench.runtimes.outputs import predict_rows
from workbench.system.files import write_json, write_text
from workbench.system.machine import host
from workbench.task import Candidate, Task

__all__ = ["Contestant", "appraise", "outputs_on"]


@dataclass(frozen=True)
class Contestant:
    """A candidate under the label of its row, with its outputs on valid once they are known."""

    label: str
    candidate: Candidate
    outputs: np.ndarray | None = None

    @property
    def runtime(self) -> str:
        return runtimes_for(self.candidate)[0]


def outputs_on(
    candidate: Candidate, rows: Any, report: Report | None = None, device: str = "cpu"
) -> np.ndarray:
    """A candidate's outputs `(rows, ...)` on rows that are not prepared yet."""
    outputs = predict_rows(
        candidate, rows.prepared(candidate.prepare), device=device, report=report
    )
    return like_targets(outputs, rows.targets)


def appraise(
    contestants: Sequence[Contestant],
    task: Task,
    *,
    report: Report,
    recipe: Recipe,
    seconds: Sequence[float],
    folder: Path,
    origin: Contestant | None,
    notes: tuple[str, ...] = (),
) -> list[Row]:
    """A row for each contestant; each is judged against the one before it, and against `origin`,
    the start.

    Quality is looked at on valid, and outputs are kept in `folder` as valid-LABEL.npy. All are
    timed in one session, the origin among them, each in its own process. `seconds` is what making
    each of them took.
    """
    known = [
        c if c.outputs is not None else _with_outputs(c, task, report, folder) for c in contestants
    ]
    first = (
        origin
        if origin is None or origin.outputs is not None
        else next(c for c in known if c.label == origin.label)
    )
    timed = {c.label: c for c in ([first] if first else []) + known}
    timings = time_side_by_side(
        {label: (c.candidate, c.runtime) for label, c in timed.items()},
        lambda candidate, n: task.example(n, candidate.prepare),
        budget=recipe.budget,
        report=report,
    )
    for warning in {t.warning for t in timings.values() if t.warning}:
        report.message(warning)
    rows: list[Row] = []
    for number, contestant in enumerate(known):
        card = _card(contestant, task, timings[contestant.label], recipe, folder)
        write_json(folder / f"scorecard-{contestant.label}.json", card.to_json())
        row = _row(contestant, card, recipe, seconds[number], notes)
        parent = known[number - 1] if number else None
        rows.append(_compared(row, contestant, parent, first, task, timings))
    return rows


def _with_outputs(contestant: Contestant, task: Task, report: Report, folder: Path) -> Contestant:
    outputs = outputs_on(contestant.candidate, task.data.valid, report)
    np.save(folder / f"valid-{contestant.label}.npy", outputs)
    return replace(contestant, outputs=outputs)


def _card(
    contestant: Contestant, task: Task, timing: Timing, recipe: Recipe, folder: Path
) -> Scorecard:
    """All that was measured of one candidate: every metric on valid, sizes, counts, and its timing
    in full.
    """
    candidate, valid = contestant.candidate, task.data.valid
    raw, zipped = _size(candidate)
    targets, macs = np.asarray(valid.targets), _macs(candidate, task)
    covered = coverage(candidate.model, timing.runtime) if candidate.form == "onnx" else None
    precision, share = peak_share(covered, macs, timing)
    if covered is not None:
        write_text(
            folder / "evidence" / f"operators-{contestant.label}.csv",
            covered.operators.to_csv(index=False),
        )
    return Scorecard(
        name=candidate.name,
        quality=tuple(
            quality(contestant.outputs, targets, m, times=valid.times, split="valid")
            for m in task.metrics
        ),
        size_bytes=raw,
        size_gzip_bytes=zipped,
        parameters=n_parameters(candidate),
        macs=macs,
        coverage=covered.to_json() if covered else {},
        peak_share=share,
        peak_precision=precision,
        timing={timing.runtime: timing},
        runtime=timing.runtime,
        price_per_core_hour=recipe.price_per_core_hour,
        host=host().to_json(),
        threads=timing.threads,
        budget=recipe.budget,
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _row(
    contestant: Contestant, card: Scorecard, recipe: Recipe, seconds: float, notes: tuple[str, ...]
) -> Row:
    """What the ledger shows of a scorecard; of latencies the best call, which a busy machine
    disturbs least.
    """
    measured, timing = card.quality[0], card.timing[card.runtime]
    return Row(
        step=contestant.label,
        technique=contestant.candidate.technique or "",
        candidate=card.name,
        runtime=card.runtime,
        metric=measured.metric,
        quality=measured.value,
        quality_low=measured.low,
        quality_high=measured.high,
        unit=measured.unit,
        size_bytes=card.size_bytes,
        size_gzip_bytes=card.size_gzip_bytes,
        parameters=card.parameters,
        macs=card.macs,
        latency_ms=timing.at(1).best_ms,
        latency_64_ms=timing.at(64).best_ms,
        throughput=64_000 / timing.at(64).best_ms,
        core_seconds_per_million=timing.core_seconds_per_million,
        money_per_million=card.money_per_million,
        int8_operators=card.coverage.get("n_low"),
        operators=card.coverage.get("n_all"),
        peak_share=card.peak_share,
        peak_precision=card.peak_precision,
        memory_bytes=timing.peak_memory_bytes,
        load_ms=timing.load_time_ms,
        seconds=seconds,
        budget=recipe.budget,
        notes=notes,
    )


def _compared(
    row: Row,
    contestant: Contestant,
    parent: Contestant | None,
    first: Contestant | None,
    task: Task,
    timings: dict[str, Timing],
) -> Row:
    """The row with its verdicts and factors against parent and start."""
    changes: dict[str, Any] = {}
    if first is not None and first.label != contestant.label:
        changes |= {
            "against_start": _verdicts(first, contestant, task, timings),
            "speedup_start": _speedup(timings, first.label, contestant.label),
            "size_ratio": _size(first.candidate)[0] / row.size_bytes,
        }
    if parent is not None:
        changes |= {
            "against_parent": _verdicts(parent, contestant, task, timings),
            "speedup_parent": _speedup(timings, parent.label, contestant.label),
            "size_ratio_parent": _size(parent.candidate)[0] / row.size_bytes,
        }
    return replace(row, **changes)


def _verdicts(
    before: Contestant, after: Contestant, task: Task, timings: dict[str, Timing]
) -> tuple[Verdict, ...]:
    valid = task.data.valid
    found = compare_many(
        before.outputs, after.outputs, np.asarray(valid.targets), task.metrics, times=valid.times
    )
    return (
        *found,
        *(
            compare_timings(timings[before.label], timings[after.label], batch_size=n)
            for n in (1, 64)
        ),
    )


def _speedup(timings: dict[str, Timing], before: str, after: str) -> float:
    return 1 / compare_timings(timings[before], timings[after]).difference


def _size(candidate: Candidate) -> tuple[int, int]:
    """Bytes of the model as a file, raw and gzipped: the ONNX file, else the weights."""
    if candidate.form == "onnx":
        return size_of(candidate.model)
    if candidate.form == "torch":
        from safetensors.torch import save

        return size_of(
            save(
                {
                    k: v.detach().cpu().contiguous().clone()
                    for k, v in candidate.model.state_dict().items()
                }
            )
        )
    import cloudpickle

    return size_of(cloudpickle.dumps(candidate.model))


def _macs(candidate: Candidate, task: Task) -> int | None:
    """Multiply-adds for one sample, where they can be counted."""
    if candidate.macs is not None:
        return candidate.macs
    try:
        if candidate.form == "onnx":
            return macs_onnx(candidate.model, task.example(1, candidate.prepare))
        return (
            macs_torch(candidate.model, task.example(1, candidate.prepare))
            if candidate.form == "torch"
            else None
        )
    except WorkbenchError:
        return None
