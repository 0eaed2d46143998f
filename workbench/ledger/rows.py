"""Row, one step of the ledger with its costs, changes and verdicts; TestLine, the look at test."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workbench.ledger.words import quality_text
from workbench.measure.statistics.verdict import Verdict
from workbench.system.records import record
from workbench.technique import Decision

__all__ = ["BASELINE", "CONTROL", "NOT_VALIDATED", "Row", "TestLine"]

BASELINE = "baseline"  # stands in place of the technique in the row of a baseline
CONTROL = "control"  # the same for the control of a step: its model with default settings
LATENCIES = ("latencies_ms", "start_latencies_ms", "parent_latencies_ms")
NOT_VALIDATED = "Not cross-validated: "  # begins the note on a candidate, before the reason


@dataclass(frozen=True)
class Row:
    """One step: its score on valid with the 95 % interval, costs of running the model, verdicts.

    `latencies_ms` holds the best call in ms on one thread by batch size, `throughput` samples a
    second at the largest batch; sizes are bytes, `seconds` the time of the step itself. Of all
    `operators`, `int8_operators` run in int8 in the runtime; `peak_share` is the fraction of the
    machine's measured peak in `peak_precision` that the largest batch reaches. `speedup_*` and
    `size_ratio*` compare with the row before and with the start, timed side by side in one session;
    `start_latencies_ms` and `parent_latencies_ms` are the best calls of these two in that session.
    `parent` is the label of the row before. Of `n_valid` valid rows, `flipped_*` get another
    predicted class (None in a regression). `busy` is the share of the cores that other work used
    during timing. `aim` is what the technique is for: cost or quality. `cv` holds `mean`, `low`,
    `high` and `n_folds` of the score in a cross-validation on train, and is empty without one. A
    step that only decided has a `decision` and no score; a value that was not measured is None.
    Tables and figures show the numbers of `workbench.ledger.factors`.
    """

    step: str
    technique: str
    candidate: str = ""
    runtime: str = ""
    metric: str = ""
    quality: float | None = None
    quality_low: float | None = None
    quality_high: float | None = None
    unit: str = ""
    size_bytes: int | None = None
    size_gzip_bytes: int | None = None
    parameters: int | None = None
    macs: int | None = None
    latencies_ms: Mapping[int, float] = field(default_factory=dict)
    throughput: float | None = None
    core_seconds_per_million: float | None = None
    memory_bytes: int | None = None
    load_ms: float | None = None
    prepare_ms: float | None = None
    seconds: float = 0.0
    speedup_parent: float | None = 1.0
    speedup_start: float | None = 1.0
    size_ratio: float | None = 1.0
    size_ratio_parent: float | None = 1.0
    money_per_million: float | None = None
    int8_operators: int | None = None
    operators: int | None = None
    peak_share: float | None = None
    peak_precision: str = ""
    against_parent: tuple[Verdict, ...] = ()
    against_start: tuple[Verdict, ...] = ()
    budget: str = "standard"
    notes: tuple[str, ...] = ()
    decision: Decision | None = None
    parent: str = ""
    n_valid: int | None = None
    flipped_parent: int | None = None
    flipped_start: int | None = None
    busy: float | None = None
    start_latencies_ms: Mapping[int, float] = field(default_factory=dict)
    parent_latencies_ms: Mapping[int, float] = field(default_factory=dict)
    aim: str = "cost"
    cv: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_baseline(self) -> bool:
        """Whether the row is a simple model beside the run, and no step of it."""
        return self.technique == BASELINE

    @property
    def is_control(self) -> bool:
        """Whether the row is the control of a step, which no later step starts from."""
        return self.technique == CONTROL

    @property
    def latency_ms(self) -> float | None:
        """Best call at the smallest batch size."""
        return self.latencies_ms[min(self.latencies_ms)] if self.latencies_ms else None

    def to_json(self) -> dict[str, Any]:
        verdicts = {
            k: [v.to_json() for v in getattr(self, k)] for k in ("against_parent", "against_start")
        }
        return {
            **self.__dict__,
            **verdicts,
            **{k: {str(size): ms for size, ms in getattr(self, k).items()} for k in LATENCIES},
            "cv": dict(self.cv),
            "notes": list(self.notes),
            "decision": None if self.decision is None else self.decision.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Row:
        """Read a row, also one of version 0.1.0, which had fields for the batches 1 and 64."""
        values = dict(data)
        older = {1: values.pop("latency_ms", None), 64: values.pop("latency_64_ms", None)}
        kept = values.get("latencies_ms") or {k: v for k, v in older.items() if v is not None}
        values["latencies_ms"] = kept
        for key in LATENCIES:
            values[key] = {int(size): _time(ms) for size, ms in (values.get(key) or {}).items()}
        for key in ("against_parent", "against_start"):
            values[key] = tuple(Verdict.from_json(v) for v in values.get(key, ()))
        decision = values.get("decision")
        values["decision"] = None if decision is None else Decision.from_json(decision)
        return record(cls, {**values, "notes": tuple(values.get("notes", ()))})


def _time(ms: float) -> float:
    """Milliseconds of a call; raises ValueError for a time that no call takes."""
    if not 0 < ms < math.inf:
        raise ValueError(f"a latency of {ms} ms")
    return ms


@dataclass(frozen=True)
class TestLine:
    """The one look at test: start and chosen candidate on the same rows."""

    __test__ = False  # not a test class, whatever pytest thinks of its name

    candidate: str
    metric: str
    unit: str
    n: int
    start: tuple[float, float, float]
    chosen: tuple[float, float, float]
    verdicts: tuple[Verdict, ...]
    looks: int = 1
    size_ratio: float = 1.0
    speedup: float = 1.0
    at_most_lost: Mapping[str, bool] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            **{k: v for k, v in self.__dict__.items() if k != "verdicts"},
            "verdicts": [v.to_json() for v in self.verdicts],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TestLine:
        values = {**data, "verdicts": tuple(Verdict.from_json(v) for v in data["verdicts"])}
        if not values["verdicts"]:
            raise ValueError("a test line without a verdict")
        return record(
            cls, {**values, "start": tuple(values["start"]), "chosen": tuple(values["chosen"])}
        )

    @property
    def text(self) -> str:
        """The line as a sentence or two."""
        (value, interval), (before, _) = (
            quality_text(self.chosen, self.unit),
            quality_text(self.start, self.unit),
        )
        shown = f"{value} ({interval}) on {self.n:,} test rows, against {before} of the start"
        looks = (
            ""
            if self.looks == 1
            else f" This is look number {self.looks} at test: numbers chosen after the first are "
            "too good."
        )
        return f"Test: {self.candidate} has {self.metric} {shown}; {self.verdicts[0].text}.{looks}"
