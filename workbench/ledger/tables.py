"""The ledger as people read it: text, a terminal's table, HTML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench.ledger.rows import Row, TestLine
from workbench.ledger.words import bytes_text, ms_text, quality_text, seconds_text, times_text
from workbench.measure.statistics.verdict import Verdict

__all__ = ["cells", "html", "rich_table"]


SYMBOLS = {"better": "▲", "worse": "▼", "equivalent": "≈", "undecided": "?"}


def cells(rows: Sequence[Row]) -> tuple[list[str], list[list[tuple[str, str]]]]:
    """Headings, and for each row its cells as two lines of text: the value, and what it is against
    parent and start.
    """
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
        return "" if is_start else f"{times_text(parent)}, {times_text(start)}"

    value, interval = quality_text((r.quality, r.quality_low, r.quality_high), r.unit)
    changes = (
        ("", "")
        if is_start
        else tuple(_verdict(found, r.metric) for found in (r.against_parent, r.against_start))
    )
    slow = [
        1 / v.difference
        for found in (r.against_parent, r.against_start)
        for v in found
        if v.metric == "batch-64 latency"
    ]
    cost = f"{r.core_seconds_per_million:,.0f} core-s/1M"
    money = "" if r.money_per_million is None else f"{r.money_per_million:.3g} / 1M"
    return [
        (r.step, r.runtime),
        (value, interval),
        changes,
        (bytes_text(r.size_bytes), factors(r.size_ratio_parent, r.size_ratio)),
        (ms_text(r.latency_ms), factors(r.speedup_parent, r.speedup_start)),
        (ms_text(r.latency_64_ms), factors(*slow) if len(slow) == 2 else ""),
        (f"{r.throughput:,.0f}", cost),
        _used(r),
        (seconds_text(r.seconds), money),
    ]


def _used(r: Row) -> tuple[str, str]:
    """How many operators run in int8, and how much of the peak in the precision of most of them is
    reached.
    """
    peak = "" if r.peak_share is None else f"{100 * r.peak_share:.2g} % peak"
    return ("" if r.operators is None else f"{r.int8_operators} of {r.operators}"), peak


LEGEND = (
    "Best call in ms, one thread. Second lines: 95 % interval; change against the step before, "
    "then against the start; x is how many times smaller or faster; in int8: operators of the "
    "runtime's own graph, and what batch 64 reaches of the peak measured here in the precision of "
    "most. ▲ better, ▼ worse, ≈ equivalent within the margin, ? undecided."
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


SMOKE = (
    " Budget smoke: at most 2,000 valid rows are looked at. It shows that everything runs, not "
    "what the techniques can do."
)


def html(rows: Sequence[Row], test: TestLine | None = None, title: str = "") -> str:
    """The ledger as an HTML table that inherits the colours of the page around it."""
    from html import escape

    heads, lines = cells(rows)
    sides = ["left" if i in (0, 2) else "right" for i in range(len(heads))]
    head = "".join(
        f"<th style='text-align:{side}'>{escape(h)}</th>"
        for side, h in zip(sides, heads, strict=True)
    )
    body = ""
    for line in lines:
        inner = "".join(
            f"<td style='text-align:{side};white-space:nowrap'>{escape(top)}<br><span "
            f"style='opacity:.65'>{escape(below)}</span></td>"
            for side, (top, below) in zip(sides, line, strict=True)
        )
        body += f"<tr>{inner}</tr>"
    caption = f"<p><strong>{escape(title)}</strong></p>" if title else ""
    smoke = SMOKE if any(r.budget == "smoke" for r in rows) else ""
    last = f"<p><strong>{escape(test.text)}</strong></p>" if test else ""
    return (
        f"<div class='workbench-ledger' style='overflow-x:auto'>{caption}<table "
        f"style='font-size:.88em'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><p "
        f"style='opacity:.75'>{escape(LEGEND + smoke)}</p>{last}</div>"
    )


def _verdict(found: tuple[Verdict, ...], metric: str) -> str:
    verdict = next((v for v in found if v.metric == metric), None)
    if verdict is None:
        return ""
    symbol = SYMBOLS[verdict.decision]
    if verdict.unit == "points":
        return (
            f"{symbol} {100 * verdict.difference:+.2f} points ({100 * verdict.low:+.2f} to "
            f"{100 * verdict.high:+.2f})"
        )
    return f"{symbol} {verdict.difference:+.3g} ({verdict.low:+.2g} to {verdict.high:+.2g})"
