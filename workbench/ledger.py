"""The ledger: a row a step, what it costs, what it bought against its parent and the start, and whether that is real."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workbench.measure.verdict import Verdict

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Row", "TestLine", "frame", "rich_table"]

SYMBOLS = {"better": "▲", "worse": "▼", "equivalent": "≈", "undecided": "?"}


@dataclass(frozen=True)
class Row:
    """One step: quality on valid with its 95 % interval, costs of running the model, and verdicts.

    Latencies are the median of calls in ms, throughput samples a second, sizes bytes, `seconds` what the step itself took.
    `speedup_*` and `size_ratio` compare with the parent row and with the start row, timed side by side in one session.
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
    money_per_million: float | None = None
    against_parent: tuple[Verdict, ...] = ()
    against_start: tuple[Verdict, ...] = ()
    budget: str = "standard"
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        plain = {k: v for k, v in self.__dict__.items() if k not in ("against_parent", "against_start")}
        return {**plain, "against_parent": [v.to_json() for v in self.against_parent], "against_start": [v.to_json() for v in self.against_start]}

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
        shown = f"{_quality(self.chosen, self.unit)} on {self.n:,} test rows; the start has {_quality(self.start, self.unit)}."
        looks = "" if self.looks == 1 else f" This is look number {self.looks} at test: numbers chosen after the first are too good."
        return f"test {self.metric} of {self.candidate}: {shown} {self.verdicts[0].text}.{looks}"


def frame(rows: Sequence[Row]) -> pd.DataFrame:
    """The ledger's numbers as a table, one row a step; columns are the fields of `Row` that hold numbers and names."""
    import pandas as pd

    table = pd.DataFrame([{k: v for k, v in r.__dict__.items() if k not in ("against_parent", "against_start", "notes")} for r in rows])
    if len(table):
        table["verdict"] = [_verdict(r) for r in rows]
    return table


def cells(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Headings and cells as text, as terminal and notebook show them."""
    if not rows:
        return [], []
    metric = rows[0].metric
    heads = ["step", "runs in", f"valid {metric}", "file", "latency, batch 1", "latency, batch 64", "samples/s", "core-s / 1M", "step took", f"{metric} against start"]
    priced = any(r.money_per_million is not None for r in rows)
    if priced:
        heads.insert(8, "cost / 1M")
    lines = []
    for number, r in enumerate(rows):
        line = [
            r.step, r.runtime, _quality((r.quality, r.quality_low, r.quality_high), r.unit),
            _bytes(r.size_bytes) + _factor(r.size_ratio, number, "smaller"),
            f"{_ms(r.latency_ms)}{_factor(r.speedup_start, number, 'faster')}", _ms(r.latency_64_ms), f"{r.throughput:,.0f}",
            f"{r.core_seconds_per_million:,.0f}", _seconds(r.seconds), _verdict(r),
        ]  # fmt: skip
        if priced:
            line.insert(8, "" if r.money_per_million is None else f"{r.money_per_million:.4g}")
        lines.append(line)
    return heads, lines


def rich_table(rows: Sequence[Row], title: str = "") -> Any:
    """The ledger as a table for a terminal (a `rich.table.Table`)."""
    from rich import box
    from rich.table import Table

    heads, lines = cells(rows)
    table = Table(title=title or None, box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for number, head in enumerate(heads):
        table.add_column(head, justify="left" if number < 2 or number == len(heads) - 1 else "right", overflow="fold")
    for line in lines:
        table.add_row(*line)
    return table


def html(rows: Sequence[Row], test: TestLine | None = None, title: str = "") -> str:
    """The ledger as an HTML table that inherits the colours of the page around it."""
    from html import escape

    heads, lines = cells(rows)
    head = "".join(f"<th style='text-align:{'left' if i < 2 or i == len(heads) - 1 else 'right'}'>{escape(h)}</th>" for i, h in enumerate(heads))
    body = ""
    for line in lines:
        aligned = ("left" if i < 2 or i == len(heads) - 1 else "right" for i in range(len(line)))
        body += "<tr>" + "".join(f"<td style='text-align:{a}'>{escape(c)}</td>" for a, c in zip(aligned, line, strict=True)) + "</tr>"
    caption = f"<p><strong>{escape(title)}</strong></p>" if title else ""
    last = f"<p><strong>{escape(test.text)}</strong></p>" if test else ""
    return f"<div class='workbench-ledger'>{caption}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{last}</div>"


def _verdict(row: Row) -> str:
    found = next((v for v in row.against_start if v.metric == row.metric), None)
    if found is None:
        return "start"
    factor = 100 if found.unit == "points" else 1
    unit = " points" if found.unit == "points" else ""
    shown = f"{SYMBOLS[found.decision]} {found.decision}: {factor * found.difference:+.2f}{unit} [{factor * found.low:+.2f}, {factor * found.high:+.2f}]"
    return shown


def _quality(interval: tuple[float, float, float], unit: str) -> str:
    value, low, high = interval
    if unit == "points":
        return f"{100 * value:.2f} % [{100 * low:.2f}, {100 * high:.2f}]"
    return f"{value:.4g} [{low:.4g}, {high:.4g}]"


def _factor(value: float, number: int, word: str) -> str:
    if number == 0 or abs(value - 1) < 0.005:
        return ""
    return f"  {value:.1f}x" if value >= 1 else f"  {value:.2f}x"


def _bytes(n: int) -> str:
    return f"{n / 1e6:.2f} MB" if n >= 1e6 else f"{n / 1e3:.0f} kB"


def _ms(value: float) -> str:
    return f"{value:.3f} ms" if value < 1 else f"{value:.2f} ms" if value < 10 else f"{value:.1f} ms"


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 100 else f"{value / 60:.1f} min"
