"""Factors of size and speed: the one place that tables, figures, the sentence and the store read.

Each step is timed in a session of its own, beside the start and beside the row before. The state of
the machine differs from session to session, so milliseconds of two sessions are not compared.
`with_factors` brings all rows to the session of the last row:

    session of pruning        start 2.40   onnx 0.66    pruning 0.30
    session of quantization   start 2.00                pruning 0.25   quantization 0.10
    shown                     start 2.00   onnx 0.55    pruning 0.25   quantization 0.10

- The last row, the row before it and the start are shown as they were measured there.
- An earlier row is the row after it times their ratio in the session that timed them side by side:
  onnx is 0.25 x 0.66 / 0.30.

A factor is the ratio of two shown numbers, so it agrees with the numbers printed beside it. It
compares best calls; the intervals of the verdicts come from the paired blocks of each session.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from workbench.ledger.rows import Row
from workbench.measure.timing.latency import TOO_BUSY

__all__ = ["Result", "factor", "is_busy", "origin_of", "result_of", "with_factors"]

EXPORTED = "onnx"  # label of the row of the start, unchanged, in ONNX Runtime

Latencies = Mapping[int, float]  # ms by batch size


@dataclass(frozen=True)
class Result:
    """The last measured row of a run, and how many times smaller and faster it is.

    The factors compare with `reference`: the start as ONNX, where the ledger has that row, else the
    start; None for the start of an earlier run, which is no row of this one. A factor is None where
    one of the two was not measured.
    """

    last: Row
    reference: Row | None
    smaller: float | None
    faster: float | None


def factor(before: float | None, after: float | None) -> float | None:
    """How many times smaller or faster `after` is; None where one of both was not measured."""
    return before / after if before and after else None


def is_busy(row: Row) -> bool:
    """Whether the row was timed beside other work, so that its latency proves nothing."""
    return row.busy is not None and row.busy > TOO_BUSY


def origin_of(rows: Sequence[Row]) -> Row | None:
    """The row that all others are compared with.

    None in a run that goes on from an earlier run, whose start is not among these rows.
    """
    measured = [row for row in rows if row.quality is not None and not row.is_baseline]
    return measured[0] if measured and not measured[0].against_start else None


def with_factors(rows: Sequence[Row]) -> list[Row]:
    """The rows as they are shown: latencies of one session, and factors that are their ratios.

    `latencies_ms`, `start_latencies_ms` and `parent_latencies_ms` are brought to the session of the
    last row that was timed; `speedup_*`, `size_ratio*` and `throughput` follow from them. Rows of
    baselines, which stand first, are not timed and stay as they are.
    """
    baselines = [row for row in rows if row.is_baseline]
    rows = [row for row in rows if not row.is_baseline]
    shown = _latencies(rows)
    start_ms = _start_latencies(rows, shown)
    origin = origin_of(rows)
    made = []
    for number, row in enumerate(rows):
        before = _place_before(rows, number)
        parent_ms = shown[before] if before is not None else _scaled(row, "parent", shown[number])
        parent = rows[before] if before is not None else None
        is_compared = bool(row.against_start)
        made.append(
            replace(
                row,
                latencies_ms=shown[number],
                start_latencies_ms=start_ms if is_compared else {},
                parent_latencies_ms=parent_ms,
                throughput=_throughput(row, shown[number]),
                speedup_start=_speedup(row.speedup_start, start_ms, shown[number], is_compared),
                speedup_parent=_speedup(
                    row.speedup_parent, parent_ms, shown[number], bool(row.against_parent)
                ),
                size_ratio=_ratio(origin, row, row.size_ratio),
                size_ratio_parent=_ratio(parent, row, row.size_ratio_parent),
            )
        )
    return [*baselines, *made]


def result_of(rows: Sequence[Row]) -> Result | None:
    """The result of these rows; None where no row measured a model."""
    shown = with_factors(rows)
    measured = [row for row in shown if row.quality is not None and not row.is_baseline]
    if not measured:
        return None
    last, start = measured[-1], origin_of(shown)
    exported = next((row for row in measured if row.step == EXPORTED and row is not last), None)
    reference = None if start is None else exported or start
    if reference is None:
        return Result(
            last, None, last.size_ratio, last.speedup_start if last.latencies_ms else None
        )
    smaller = factor(reference.size_bytes, last.size_bytes)
    return Result(last, reference, smaller, factor(reference.latency_ms, last.latency_ms))


def _latencies(rows: Sequence[Row]) -> list[dict[int, float]]:
    """The shown milliseconds of each row; empty for a row that was not timed."""
    shown = [dict(row.latencies_ms) for row in rows]
    timed = [number for number, row in enumerate(rows) if row.latencies_ms]
    if not timed:
        return shown
    last = timed[-1]
    origin = origin_of(rows)
    for number, after in zip(reversed(timed[:-1]), reversed(timed[1:]), strict=True):
        row = rows[number]
        if row is origin:
            at_start = _reference(rows[last], "start")
        elif _place_before(rows, after) == number:
            at_start = _scaled(rows[after], "parent", shown[after])
        else:  # not timed beside the row after it: the start was timed beside both
            at_start = _through_start(row, _reference(rows[last], "start"))
        shown[number] |= at_start
    return shown


def _start_latencies(rows: Sequence[Row], shown: Sequence[Latencies]) -> Latencies:
    """Milliseconds of the start in the session of the last row that was timed."""
    timed = [number for number, row in enumerate(rows) if row.latencies_ms]
    if not timed:
        return {}
    return _reference(rows[timed[-1]], "start") or shown[timed[0]]


def _through_start(row: Row, start_ms: Latencies) -> dict[int, float]:
    beside = _reference(row, "start")
    return {
        size: ms * start_ms[size] / beside[size]
        for size, ms in row.latencies_ms.items()
        if size in beside and size in start_ms
    }


def _scaled(row: Row, which: str, shown: Latencies) -> dict[int, float]:
    """Milliseconds of the row before or of the start, brought to the session that `shown` is of."""
    beside = _reference(row, which)
    return {
        size: ms * shown[size] / row.latencies_ms[size]
        for size, ms in beside.items()
        if size in shown and size in row.latencies_ms
    }


def _reference(row: Row, which: str) -> Latencies:
    """Milliseconds of the row before or of the start, in the session of the row.

    Rows of earlier versions do not hold them; there they follow from the paired factors.
    """
    kept: Latencies = getattr(row, f"{which}_latencies_ms")
    verdicts = getattr(row, f"against_{which}")
    if kept or not verdicts or not row.latencies_ms:
        return kept
    ratios = {v.metric: 1 / v.difference for v in verdicts if v.metric.endswith(" latency")}
    factors = {size: ratios.get(f"batch-{size} latency") for size in row.latencies_ms}
    smallest = min(row.latencies_ms)
    factors[smallest] = factors[smallest] or getattr(row, f"speedup_{which}")
    return {size: row.latencies_ms[size] * times for size, times in factors.items() if times}


def _place_before(rows: Sequence[Row], number: int) -> int | None:
    """The place of the row that a row was compared with as the one before it."""
    row = rows[number]
    if not row.against_parent:
        return None
    earlier = [n for n in range(number) if rows[n].quality is not None]
    if row.parent:
        return next((n for n in reversed(earlier) if rows[n].step == row.parent), None)
    return earlier[-1] if earlier else None  # written by an earlier version


def _speedup(
    kept: float | None, before: Latencies, after: Latencies, is_compared: bool
) -> float | None:
    if not is_compared or not after:
        return kept
    smallest = min(after)
    return factor(before.get(smallest), after[smallest])


def _ratio(reference: Row | None, row: Row, kept: float | None) -> float | None:
    if reference is None:
        return kept
    return factor(reference.size_bytes, row.size_bytes) or kept


def _throughput(row: Row, shown: Latencies) -> float | None:
    """Samples a second at the largest batch size, of the shown milliseconds."""
    if row.throughput is None or not shown:
        return row.throughput
    largest = max(shown)
    return row.throughput * row.latencies_ms[largest] / shown[largest]
