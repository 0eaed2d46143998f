"""Scorecard: all measurements of one candidate, and where and how they were taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from workbench.errors import DataError
from workbench.measure.statistics.quality import Quality
from workbench.measure.timing.records import Timing
from workbench.system.records import record
from workbench.system.wording import bytes_text, ms_text, percent

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Scorecard"]


@dataclass(frozen=True)
class Scorecard:
    """All measurements of one candidate.

    `quality` holds one entry a metric and split, `timing` one a runtime; `runtime` is the main one
    (empty if nothing was timed). `coverage` counts the operators that run in int8
    (`workbench.measure.coverage`). `peak_share` is the fraction of this machine's measured peak in
    `peak_precision` that the largest batch reaches. `prepare_ms` is the time to prepare one raw
    row. `host` is `workbench.system.machine.Host` as JSON. `measured_at` is a time in ISO 8601 with
    its zone. Numbers of different hosts, devices or thread counts cannot be compared.
    """

    name: str
    quality: tuple[Quality, ...]
    size_bytes: int
    size_gzip_bytes: int
    parameters: int | None
    macs: int | None
    timing: Mapping[str, Timing] = field(default_factory=dict)
    runtime: str = ""
    price_per_core_hour: float | None = None
    host: Mapping[str, Any] = field(default_factory=dict)
    threads: int = 1
    budget: str = "standard"
    measured_at: str = ""
    coverage: Mapping[str, Any] = field(default_factory=dict)
    peak_share: float | None = None
    peak_precision: str = ""
    prepare_ms: float | None = None

    def __post_init__(self) -> None:
        if self.runtime and self.runtime not in self.timing:
            raise DataError(
                f"The main runtime `{self.runtime}` was not timed; timed: "
                f"{', '.join(self.timing) or 'none'}."
            )

    @property
    def leading(self) -> Timing | None:
        """The timing on the main runtime, `runtime`."""
        return self.timing.get(self.runtime)

    @property
    def core_seconds_per_million(self) -> float | None:
        """CPU time of a million predictions at the largest batch size, in core-seconds."""
        return None if self.leading is None else self.leading.core_seconds_per_million

    @property
    def money_per_million(self) -> float | None:
        """Cost of a million predictions, in the currency of `price_per_core_hour`."""
        if self.price_per_core_hour is None or self.core_seconds_per_million is None:
            return None
        return self.core_seconds_per_million / 3600 * self.price_per_core_hour

    def quality_of(self, metric: str, split: str | None = None) -> Quality:
        """The entry of a metric on a split; without a split, the first entry of the metric.

        Raises DataError that lists the metrics and splits that were measured.
        """
        for entry in self.quality:
            if entry.metric == metric and split in (None, entry.split):
                return entry
        measured = ", ".join(f"{q.metric} on {q.split or 'rows'}" for q in self.quality) or "none"
        place = f" on {split}" if split else ""
        raise DataError(f"`{self.name}` has no `{metric}`{place}; measured: {measured}.")

    def to_json(self) -> dict[str, Any]:
        """Plain values, and both costs, for those who read the file without this package."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return values | {
            "quality": [q.to_json() for q in self.quality],
            "timing": {k: t.to_json() for k, t in self.timing.items()},
            "host": dict(self.host),
            "coverage": dict(self.coverage),
            "core_seconds_per_million": self.core_seconds_per_million,
            "money_per_million": self.money_per_million,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Scorecard:
        values = {f.name: data[f.name] for f in fields(cls) if f.name in data}
        quality = tuple(Quality.from_json(q) for q in data["quality"])
        timing = {k: Timing.from_json(t) for k, t in data.get("timing", {}).items()}
        return record(cls, values | {"quality": quality, "timing": timing})

    def to_frame(self) -> DataFrame:
        """A table with a row a measurement: columns `measure`, `value`, `note`, all of text."""
        import pandas as pd

        rows = [*self._quality_rows(), *self._cost_rows(), *self._timing_rows()]
        return pd.DataFrame(rows, columns=["measure", "value", "note"])

    def _quality_rows(self) -> list[tuple[str, str, str]]:
        names = [f"{q.metric} ({q.split})" if q.split else q.metric for q in self.quality]
        notes = [f"{q.shown(q.low)} to {q.shown(q.high)}, n = {q.n:,}" for q in self.quality]
        return [
            (name, q.shown(q.value), note)
            for name, q, note in zip(names, self.quality, notes, strict=True)
        ]

    def _cost_rows(self) -> list[tuple[str, str, str]]:
        rows = [
            (
                "size",
                bytes_text(self.size_bytes),
                f"{bytes_text(self.size_gzip_bytes)} gzipped",
            )
        ]
        if self.parameters is not None:
            rows.append(("parameters", f"{self.parameters:,}", ""))
        if self.macs is not None:
            rows.append(("multiply-adds", f"{self.macs / 1e6:,.3g} M", "one sample"))
        if self.prepare_ms is not None:
            rows.append(("prepare", ms_text(self.prepare_ms), "one raw row"))
        return rows

    def _timing_rows(self) -> list[tuple[str, str, str]]:
        timing = self.leading
        if timing is None:
            return []
        size = timing.largest.batch_size
        rows = []
        for b in timing.batches:
            times = {"best": b.best_ms, "p95": b.p95_ms, "CPU": b.cpu_ms}
            note = ", ".join(f"{name} {ms_text(ms)}" for name, ms in times.items())
            rows.append((f"latency, batch {b.batch_size}", ms_text(b.p50_ms), note))
        rows += [
            (
                "throughput",
                f"{timing.throughput:,.0f} samples/s",
                f"batch {size}, {self.runtime}, threads: {timing.threads}",
            ),
            (
                "cost",
                f"{timing.core_seconds_per_million:,.0f} core-seconds",
                "a million predictions",
            ),
            ("load time", ms_text(timing.load_time_ms), "file to first prediction"),
            (
                "memory",
                bytes_text(timing.model_memory_bytes, 0),
                f"process {bytes_text(timing.peak_memory_bytes, 0)} at most",
            ),
        ]
        if self.coverage:
            rows.append(
                (
                    "int8 operators",
                    f"{self.coverage['n_low']} of {self.coverage['n_all']}",
                    self.coverage["text"],
                )
            )
        if self.peak_share is not None:
            rows.append(
                (
                    "of the peak",
                    percent(self.peak_share, None),
                    f"of the {self.peak_precision} peak measured here",
                )
            )
        if self.money_per_million is not None:
            rows.append(("price", f"{self.money_per_million:.3g}", "a million predictions"))
        if timing.warning:
            rows.append(("warning", "busy machine", timing.warning))
        return rows
