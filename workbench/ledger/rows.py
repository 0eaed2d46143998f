"""The ledger: a row a step, what it costs, what it bought against its parent and the start, and whether that is real."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workbench.measure.statistics.verdict import Verdict

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Row", "TestLine", "cells", "frame", "html", "rich_table"]

SYMBOLS = {"better": "▲", "worse": "▼", "equivalent": "≈", "undecided": "?"}


@dataclass(frozen=True)
class Row:
    """One step: quality on valid with its 95 % interval, costs of running the model, and verdicts.

    Latencies are of the best call, in ms on one thread, at batch 1 and 64; throughput is samples a second at batch 64; sizes
    are bytes, `seconds` what the step itself took. The scorecard beside it has p10, p50, p95 and the rest.
    `int8_operators` of all `operators` run in int8 in the runtime, `peak_share` is the fraction of the machine's measured peak
    in `peak_precision` that batch 64 reaches. `speedup_*` and `size_ratio` compare with the parent row and with the start
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
        lists = {k: [v.to_json() for v in getattr(self, k)] for k in ("against_parent", "against_start")}
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
        return {**{k: v for k, v in self.__dict__.items() if k != "verdicts"}, "verdicts": [v.to_json() for v in self.verdicts]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TestLine:
        values = {**data, "verdicts": tuple(Verdict.from_json(v) for v in data["verdicts"])}
        return cls(**{**values, "start": tuple(values["start"]), "chosen": tuple(values["chosen"])})

    @property
    def text(self) -> str:
        """The line as a sentence or two."""
        (value, interval), (before, _) = _quality(self.chosen, self.unit), _quality(self.start, self.unit)
        shown = f"{value} ({interval}) on {self.n:,} test rows, against {before} of the start"
        looks = (
            ""
            if self.looks == 1
            else f" This is look number {self.looks} at test: numbers chosen after the first are too good."
        )
        return f"Test: {self.candidate} has {self.metric} {shown}; {self.verdicts[0].text}.{looks}"


def frame(rows: Sequence[Row]) -> pd.DataFrame:
    """The ledger's numbers as a table, one row a step; columns are the fields of `Row` that hold numbers and names."""
    import pandas as pd

    table = pd.DataFrame(
        [{k: v for k, v in r.__dict__.items() if k not in ("against_parent", "against_start", "notes")} for r in rows]
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


def cells(rows: Sequence[Row]) -> tuple[list[str], list[list[tuple[str, str]]]]:
    """Headings, and for each row its cells as two lines of text: the value, and what it is against parent and start."""
    if not rows:
        return [], []
    metric = rows[0].metric.replace("_", " ")
    heads = [
        "step",
        f"valid {metric}",
        f"{metric} changed by",
        "file",
        "batch 1",
        "batch 64",
        "samples/s",
        "in int8",
        "step took",
    ]
    return heads, [_cells(r, is_start=not number) for number, r in enumerate(rows)]


def _cells(r: Row, *, is_start: bool) -> list[tuple[str, str]]:
    def factors(parent: float, start: float) -> str:
        return "" if is_start else f"{_times(parent)}, {_times(start)}"

    value, interval = _quality((r.quality, r.quality_low, r.quality_high), r.unit)
    changes = ("", "") if is_start else tuple(_verdict(found, r.metric) for found in (r.against_parent, r.against_start))
    slow = [1 / v.difference for found in (r.against_parent, r.against_start) for v in found if v.metric == "batch-64 latency"]
    cost = f"{r.core_seconds_per_million:,.0f} core-s/1M"
    money = "" if r.money_per_million is None else f"{r.money_per_million:.3g} / 1M"
    return [
        (r.step, r.runtime), (value, interval), changes, (_bytes(r.size_bytes), factors(r.size_ratio_parent, r.size_ratio)),
        (_ms(r.latency_ms), factors(r.speedup_parent, r.speedup_start)),
        (_ms(r.latency_64_ms), factors(*slow) if len(slow) == 2 else ""), (f"{r.throughput:,.0f}", cost), _used(r),
        (_seconds(r.seconds), money),
    ]  # fmt: skip


def _used(r: Row) -> tuple[str, str]:
    """How many operators run in int8, and how much of the peak in the precision of most of them is reached."""
    peak = "" if r.peak_share is None else f"{100 * r.peak_share:.2g} % peak"
    return ("" if r.operators is None else f"{r.int8_operators} of {r.operators}"), peak


LEGEND = (
    "Best call in ms, one thread. Second lines: 95 % interval; change against the step before, then against the start; "
    "x is how many times smaller or faster; in int8: operators of the runtime's own graph, and what batch 64 reaches of the peak "
    "measured here in the precision of most. "
    "▲ better, ▼ worse, ≈ equivalent within the margin, ? undecided."
)


def rich_table(rows: Sequence[Row], title: str = "") -> Any:
    """The ledger as a table for a terminal (a `rich.table.Table`)."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    heads, lines = cells(rows)
    smoke = any(r.budget == "smoke" for r in rows)
    table = Table(
        title=Text(title) if title else None,
        caption=LEGEND + (SMOKE if smoke else ""),
        box=box.SIMPLE_HEAD,
        header_style="bold",
        pad_edge=False,
    )
    for number, head in enumerate(heads):
        table.add_column(Text(head), justify="left" if number in (0, 2) else "right", no_wrap=True)
    for line in lines:
        table.add_row(*(Text.assemble(top, "\n", (below, "dim")) for top, below in line))
    return table


SMOKE = " Budget smoke: at most 2,000 valid rows are looked at. It shows that everything runs, not what the techniques can do."


def html(rows: Sequence[Row], test: TestLine | None = None, title: str = "") -> str:
    """The ledger as an HTML table that inherits the colours of the page around it."""
    from html import escape

    heads, lines = cells(rows)
    sides = ["left" if i in (0, 2) else "right" for i in range(len(heads))]
    head = "".join(f"<th style='text-align:{side}'>{escape(h)}</th>" for side, h in zip(sides, heads, strict=True))
    body = ""
    for line in lines:
        inner = "".join(
            f"<td style='text-align:{side};white-space:nowrap'>{escape(top)}<br><span style='opacity:.65'>{escape(below)}</span></td>"
            for side, (top, below) in zip(sides, line, strict=True)
        )
        body += f"<tr>{inner}</tr>"
    caption = f"<p><strong>{escape(title)}</strong></p>" if title else ""
    smoke = SMOKE if any(r.budget == "smoke" for r in rows) else ""
    last = f"<p><strong>{escape(test.text)}</strong></p>" if test else ""
    return (
        f"<div class='workbench-ledger' style='overflow-x:auto'>{caption}"
        f"<table style='font-size:.88em'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"<p style='opacity:.75'>{escape(LEGEND + smoke)}</p>{last}</div>"
    )


def _decision(found: tuple[Verdict, ...], metric: str) -> str:
    return next((v.decision for v in found if v.metric == metric), "")


def _verdict(found: tuple[Verdict, ...], metric: str) -> str:
    verdict = next((v for v in found if v.metric == metric), None)
    if verdict is None:
        return ""
    symbol = SYMBOLS[verdict.decision]
    if verdict.unit == "points":
        return f"{symbol} {100 * verdict.difference:+.2f} points ({100 * verdict.low:+.2f} to {100 * verdict.high:+.2f})"
    return f"{symbol} {verdict.difference:+.3g} ({verdict.low:+.2g} to {verdict.high:+.2g})"


def _quality(interval: tuple[float, float, float], unit: str) -> tuple[str, str]:
    value, low, high = interval
    if unit == "points":
        return f"{100 * value:.2f} %", f"{100 * low:.2f} to {100 * high:.2f}"
    return f"{value:.4g}", f"{low:.4g} to {high:.4g}"


def _times(value: float) -> str:
    return f"{value:.1f}x" if value >= 0.95 else f"{value:.2f}x"


def _bytes(n: int) -> str:
    return f"{n / 1e6:.2f} MB" if n >= 1e6 else f"{n / 1e3:.0f} kB"


def _ms(value: float) -> str:
    return f"{value:.3f} ms" if value < 1 else f"{value:.2f} ms" if value < 10 else f"{value:.1f} ms"


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 100 else f"{value / 60:.1f} min"
