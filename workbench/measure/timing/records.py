"""Timing: latency, CPU time and memory of one candidate on one runtime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from workbench.errors import DataError
from workbench.measure.statistics.verdict import SPEED_MARGIN, Verdict, compare_speed
from workbench.system.records import record

__all__ = ["BatchTiming", "Timing", "compare_timings"]


@dataclass(frozen=True)
class BatchTiming:
    """Milliseconds a call at one batch size.

    `best_ms`, `p10_ms`, `p50_ms` and `p95_ms` are wall-clock time, `cpu_ms` is CPU time of all
    threads. `block_bests`, `block_medians` and `block_cpus` hold one entry a round, for
    `compare_speed`.
    """

    batch_size: int
    best_ms: float
    p10_ms: float
    p50_ms: float
    p95_ms: float
    cpu_ms: float
    n_calls: int
    block_bests: tuple[float, ...]
    block_medians: tuple[float, ...]
    block_cpus: tuple[float, ...]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> BatchTiming:
        values: dict[str, Any] = {
            name: tuple(value) if name.startswith("block_") else value
            for name, value in data.items()
        }
        return record(cls, values)


@dataclass(frozen=True)
class Timing:
    """One candidate on one runtime.

    `load_time_ms` is the time from the file to the first prediction, without the import of
    libraries (`import_time_ms`). `peak_memory_bytes` is the peak of the whole process,
    `model_memory_bytes` its growth since before loading. `busy` is the share of the machine's cores
    that other processes used during timing. Only timings of one `session` can be compared.
    """

    name: str
    runtime: str
    device: str
    threads: int
    batches: tuple[BatchTiming, ...]
    load_time_ms: float
    import_time_ms: float
    peak_memory_bytes: int
    model_memory_bytes: int
    busy: float
    warning: str
    session: str
    budget: str
    rounds: int
    block_seconds: float
    details: Mapping[str, Any] = field(default_factory=dict)

    def at(self, batch_size: int) -> BatchTiming:
        """The numbers at a batch size; raises DataError that lists the measured batch sizes."""
        for batch in self.batches:
            if batch.batch_size == batch_size:
                return batch
        sizes = ", ".join(str(b.batch_size) for b in self.batches)
        raise DataError(
            f"`{self.name}` was not timed at batch size {batch_size}; measured: {sizes}."
        )

    @property
    def largest(self) -> BatchTiming:
        """The numbers at the largest batch size."""
        return max(self.batches, key=lambda b: b.batch_size)

    @property
    def throughput(self) -> float:
        """Samples a second at the largest batch size, from the median call."""
        return 1000 * self.largest.batch_size / self.largest.p50_ms

    @property
    def core_seconds_per_million(self) -> float:
        """CPU time of a million predictions at the largest batch size, in core-seconds."""
        return 1000 * self.largest.cpu_ms / self.largest.batch_size

    def to_json(self) -> dict[str, Any]:
        """Plain values, throughput and cost, for those who read the file without this package."""
        return asdict(self) | {
            "throughput": self.throughput,
            "core_seconds_per_million": self.core_seconds_per_million,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Timing:
        values = {
            k: v for k, v in data.items() if k not in ("throughput", "core_seconds_per_million")
        }
        batches = tuple(BatchTiming.from_json(b) for b in data["batches"])
        if not batches:
            raise ValueError("a timing without a batch size")
        return record(cls, values | {"batches": batches})


def compare_timings(
    before: Timing,
    after: Timing,
    *,
    batch_size: int = 1,
    margin: float = SPEED_MARGIN,
    alpha: float = 0.05,
) -> Verdict:
    """The verdict on latency at one batch size.

    Raises DataError when the two were not timed side by side, in one session.
    """
    if before.session != after.session:
        raise DataError(
            f"`{before.name}` and `{after.name}` were timed in different sessions, whose numbers "
            "do not compare; time them together with time_side_by_side()."
        )
    blocks = before.at(batch_size).block_bests, after.at(batch_size).block_bests
    return compare_speed(*blocks, margin=margin, alpha=alpha, metric=f"batch-{batch_size} latency")
