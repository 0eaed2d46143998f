"""The ledger: a row a step, what it costs, what it bought against its parent and the start, and
whether that is real.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workbench.ledger.words import quality_text
from workbench.measure.statistics.verdict import Verdict

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Row", "TestLine", "frame"]


@dataclass(frozen=True)
class Row:
    """One step: quality on valid with its 95 % interval, costs of running the model, and verdicts.

    Latencies are of the best call, in ms on one thread, at batch 1 and 64; throughput is samples a
    second at batch 64; sizes are bytes, `seconds` what the step itself took. The scorecard beside
    it has p10, p50, p95 and the rest. `int8_operators` of all `operators` run in int8 in the
    runtime, `peak_share` is the fraction of the machine's measured peak in `peak_precision` that
    batch 64 reaches. `speedup_*` and `size_ratio` compare with the parent row and with the start
    row, timed side by side in one session.
    """

    step: str
    technique: str
    candidate: str
    runtime: str
    metric: str
    quality: float
    quality_low: float
    quality_high: float
    unit: str
    size_bytes: int
    size_gzip_bytes: int
    parameters: int | None
    macs: int | None
    latency_ms: float
    latency_64_ms: float
    throughput: float
    core_seconds_per_million: float
    memory_bytes: int | None
    load_ms: float
    seconds: float
    speedup_parent: float = 1.0
    speedup_start: float = 1.0
    size_ratio: float = 1.0
    size_ratio_parent: float = 1.0
    money_per_million: float | None = None
    int8_operators: int | None = None
    operators: int | None = None
    peak_share: float | None = None
    peak_precision: str = ""
    against_parent: tuple[Verdict, ...] = ()
    against_start: tuple[Verdict, ...] = ()
    budget: str = "standard"
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        lists = {
            k: [v.to_json() for v in getattr(self, k)] for k in ("against_parent", "against_start")
        }
        return {**self.__dict__, **lists, "notes": list(self.notes)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Row:
        values = dict(data)
        for key in ("against_parent", "against_start"):
            values[key] = tuple(Verdict.from_json(v) for v in values.get(key, ()))
        return cls(**{**values, "notes": tuple(values.get("notes", ()))})


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
        return cls(**{**values, "start": tuple(values["start"]), "chosen": tuple(values["chosen"])})

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


def frame(rows: Sequence[Row]) -> pd.DataFrame:
    """The ledger's numbers as a table, one row a step; columns are the fields of `Row` that hold
    numbers and names.
    """
    import pandas as pd

    table = pd.DataFrame(
        [
            {
                k: v
                for k, v in r.__dict__.items()
                if k not in ("against_parent", "against_start", "notes")
            }
            for r in rows
        ]
    )
    if len(table):
        table["verdict"] = [_decision(r.against_start, r.metric) for r in rows]
        for column, metric in (
            ("quality", rows[0].metric),
            ("latency_ms", "batch-1 latency"),
            ("latency_64_ms", "batch-64 latency"),
        ):
            table[f"{column}_verdict"] = [_decision(r.against_parent, metric) for r in rows]
    return table


def _decision(found: tuple[Verdict, ...], metric: str) -> str:
    return next((v.decision for v in found if v.metric == metric), "")
