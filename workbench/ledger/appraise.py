"""Judging candidates alike: score on given rows, size, cost and speed side by side, as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from workbench.events import Report
from workbench.ledger.rows import Row
from workbench.measure.card import card_of, prepare_ms
from workbench.measure.scorecard import Scorecard
from workbench.measure.statistics.quality import quality
from workbench.measure.statistics.verdict import Verdict, compare_many
from workbench.measure.timing.latency import TOO_BUSY, time_side_by_side
from workbench.measure.timing.records import Timing, compare_timings
from workbench.metrics import predicted
from workbench.model_form import form_named
from workbench.recipe import Recipe
from workbench.runtimes import runtimes_for
from workbench.runtimes.outputs import outputs_on
from workbench.system.files import write_json, write_text
from workbench.system.wording import percent
from workbench.task import Candidate, Task

__all__ = ["Contestant", "appraise"]


@dataclass(frozen=True)
class Contestant:
    """A candidate under the label of its row, with its outputs on valid once they are known."""

    label: str
    candidate: Candidate
    outputs: np.ndarray | None = None

    @property
    def answers(self) -> np.ndarray:
        """The outputs, once they are known; raises ValueError before."""
        if self.outputs is None:
            raise ValueError(f"The outputs of `{self.label}` are not known yet.")
        return self.outputs

    @property
    def runtime(self) -> str:
        return runtimes_for(self.candidate)[0]


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
    timed: bool = True,
) -> list[Row]:
    """A row for each contestant, judged against the one before it and against `origin`, the start.

    Scores are those on valid, whose outputs are kept in `folder` as valid-LABEL.npy. All are timed
    in one session, the origin among them, each in its own process; `timed=False` times none.
    `seconds` is the time that making each of them took.
    """
    judged = [
        c if c.outputs is not None else _with_outputs(c, task, report, folder) for c in contestants
    ]
    first = origin
    if origin is not None and origin.outputs is None:
        same = [c for c in judged if c.label == origin.label]
        first = same[0] if same else _with_outputs(origin, task, report, folder)
    timings = (
        _timings([*([first] if first else []), *judged], task, recipe, report) if timed else {}
    )
    rows: list[Row] = []
    sizes: dict[str, int] = {}  # by label: a large estimator takes seconds to write
    for number, contestant in enumerate(judged):
        report.progress(number, len(judged), "writing the scorecard")
        timing = timings.get(contestant.label)
        card = _card(contestant, task, timing, recipe, folder)
        sizes[contestant.label] = card.size_bytes
        if first is not None and first.label not in sizes:
            sizes[first.label] = _size_bytes(first)
        write_json(folder / f"scorecard-{contestant.label}.json", card.to_json())
        row = _row(contestant, card, timing, recipe, seconds[number], notes)
        parent = judged[number - 1] if number else None
        rows.append(_compared(row, contestant, parent, first, task, timings, sizes))
    return rows


def _timings(
    contestants: Sequence[Contestant], task: Task, recipe: Recipe, report: Report
) -> dict[str, Timing]:
    timings = time_side_by_side(
        {c.label: (c.candidate, c.runtime) for c in contestants},
        lambda candidate, n: task.example(n, candidate.prepare),
        batch_sizes=tuple(recipe.options.batch_sizes),
        budget=recipe.options.budget,
        report=report,
    )
    for warning in {t.warning for t in timings.values() if t.warning}:
        report.message(warning)
    return timings


def _with_outputs(contestant: Contestant, task: Task, report: Report, folder: Path) -> Contestant:
    outputs = outputs_on(contestant.candidate, task.data.valid, report)
    np.save(folder / f"valid-{contestant.label}.npy", outputs)
    return replace(contestant, outputs=outputs)


def _card(
    contestant: Contestant, task: Task, timing: Timing | None, recipe: Recipe, folder: Path
) -> Scorecard:
    """All that was measured of one candidate; the operators of its graph beside it as a table."""
    candidate, valid = contestant.candidate, task.data.valid
    targets = np.asarray(valid.targets)
    card, covered = card_of(
        candidate,
        task.example(1, candidate.prepare),
        quality=tuple(
            quality(contestant.answers, targets, m, blocks=valid.blocks, split="valid")
            for m in task.metrics
        ),
        timing=timing,
        budget=recipe.options.budget,
        price_per_core_hour=recipe.options.price_per_core_hour,
        prepare_ms=prepare_ms(candidate, task.data.train),
    )
    if covered is not None:
        write_text(folder / "evidence" / f"operators-{contestant.label}.csv", covered.csv)
    return card


def _row(
    contestant: Contestant,
    card: Scorecard,
    timing: Timing | None,
    recipe: Recipe,
    seconds: float,
    notes: tuple[str, ...],
) -> Row:
    """The row of a scorecard.

    Latencies are those of the best call, which a busy machine disturbs least.
    """
    score = card.quality[0]
    row = Row(
        step=contestant.label,
        technique=contestant.candidate.technique or "",
        candidate=card.name,
        runtime=contestant.runtime,
        metric=score.metric,
        quality=score.value,
        quality_low=score.low,
        quality_high=score.high,
        unit=score.unit,
        size_bytes=card.size_bytes,
        size_gzip_bytes=card.size_gzip_bytes,
        parameters=card.parameters,
        macs=card.macs,
        prepare_ms=card.prepare_ms,
        int8_operators=card.coverage.get("n_low"),
        operators=card.coverage.get("n_all"),
        peak_share=card.peak_share,
        peak_precision=card.peak_precision,
        seconds=seconds,
        budget=recipe.options.budget,
        notes=notes,
    )
    if timing is None:
        return replace(row, speedup_parent=None, speedup_start=None)
    return replace(
        row,
        latencies_ms={batch.batch_size: batch.best_ms for batch in timing.batches},
        throughput=1000 * timing.largest.batch_size / timing.largest.best_ms,
        core_seconds_per_million=timing.core_seconds_per_million,
        money_per_million=card.money_per_million,
        busy=timing.busy,
        memory_bytes=timing.peak_memory_bytes,
        load_ms=timing.load_time_ms,
    )


def _compared(
    row: Row,
    contestant: Contestant,
    parent: Contestant | None,
    first: Contestant | None,
    task: Task,
    timings: Mapping[str, Timing],
    sizes: Mapping[str, int],
) -> Row:
    """The row with its verdicts and factors against parent and start."""
    changes: dict[str, Any] = {"n_valid": len(contestant.answers)}
    if first is not None and first.label != contestant.label:
        changes |= {
            "against_start": _verdicts(first, contestant, task, timings),
            "speedup_start": _speedup(timings, first.label, contestant.label),
            "start_latencies_ms": _best_ms(timings, first.label),
            "size_ratio": sizes[first.label] / sizes[contestant.label],
            "flipped_start": _flipped(first, contestant, task),
        }
    if parent is not None:
        changes |= {
            "against_parent": _verdicts(parent, contestant, task, timings),
            "speedup_parent": _speedup(timings, parent.label, contestant.label),
            "parent": parent.label,
            "parent_latencies_ms": _best_ms(timings, parent.label),
            "size_ratio_parent": sizes[parent.label] / sizes[contestant.label],
            "flipped_parent": _flipped(parent, contestant, task),
        }
    return replace(row, **changes)


def _verdicts(
    before: Contestant, after: Contestant, task: Task, timings: Mapping[str, Timing]
) -> tuple[Verdict, ...]:
    valid = task.data.valid
    of_scores = compare_many(
        before.answers, after.answers, np.asarray(valid.targets), task.metrics, blocks=valid.blocks
    )
    if not timings:
        return tuple(of_scores)
    pair = timings[before.label], timings[after.label]
    sizes = [batch.batch_size for batch in pair[1].batches]
    of_times = (compare_timings(*pair, batch_size=n) for n in sizes)
    return (*of_scores, *(_beside_other_work(v, pair[1].busy) for v in of_times))


def _beside_other_work(verdict: Verdict, busy: float) -> Verdict:
    """The verdict on a latency, undecided where other work ran during the timing."""
    if busy <= TOO_BUSY:
        return verdict
    return replace(
        verdict,
        decision="undecided",
        text=f"{verdict.metric}: undecided, as other work used {percent(busy, 0)} of the cores "
        f"during timing (ratio {verdict.difference:.3f})",
    )


def _flipped(before: Contestant, after: Contestant, task: Task) -> int | None:
    """The number of valid rows whose predicted class differs; None where no class is predicted."""
    outputs = before.answers, after.answers
    if outputs[0].ndim > 2 or outputs[1].ndim > 2:
        return None
    if task.kind == "multilabel":
        labels = [o > 0 for o in outputs]
        return int((labels[0] != labels[1]).reshape(len(labels[0]), -1).any(axis=1).sum())
    if task.kind not in ("classification", "binary"):
        return None
    classes = [predicted(o) for o in outputs]
    return int((classes[0] != classes[1]).sum())


def _best_ms(timings: Mapping[str, Timing], label: str) -> dict[int, float]:
    """The best call in ms by batch size; empty where nothing was timed."""
    return {b.batch_size: b.best_ms for b in timings[label].batches} if timings else {}


def _speedup(timings: Mapping[str, Timing], before: str, after: str) -> float | None:
    """How many times faster at the smallest batch size; None where nothing was timed."""
    if not timings:
        return None
    smallest = min(batch.batch_size for batch in timings[after].batches)
    change = compare_timings(timings[before], timings[after], batch_size=smallest)
    return 1 / change.difference


def _size_bytes(contestant: Contestant) -> int:
    return form_named(contestant.candidate.form).size(contestant.candidate.model)[0]
