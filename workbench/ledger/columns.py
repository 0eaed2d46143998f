"""Columns of the ledger, declared once: tables, store and reference read these declarations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from workbench.figures.units import amount, times
from workbench.ledger.factors import factor
from workbench.ledger.rows import Row
from workbench.ledger.verdicts import verdict_word
from workbench.ledger.words import change_text, quality_text, quality_verdict
from workbench.system.wording import difference_text, percent, seconds_text

__all__ = ["COLUMNS", "Column", "columns_of"]

Cell = tuple[str, str]  # the value, and below it smaller: interval, change, unit price


@dataclass(frozen=True)
class Column:
    """One column of the ledger.

    `title` may hold `{metric}`. `direction` says which way is better. `logged` names the number in
    the store, empty for none; `value` reads it off a row. `cell` is how the table of all numbers
    shows it, None for numbers that only the store and the scorecard hold. `brief` is its cell in
    the short table, under `brief_title`; None for a column that is not in it. Its second text goes
    first where there is little room; `brief_aside` is the heading of that. `sentence` explains the
    column.
    """

    name: str
    title: str
    sentence: str
    unit: str = ""
    direction: Literal["higher", "lower", ""] = ""
    logged: str = ""
    value: Callable[[Row], float | None] = lambda row: None
    cell: Callable[[Row], Cell] | None = None
    align: Literal["left", "right"] = "right"
    always: bool = False
    brief: Callable[[Row], Cell] | None = None
    brief_title: str = ""
    brief_aside: str = ""

    @property
    def table(self) -> str:
        """The tables that show the column: the short one, that of all numbers, or none."""
        shown = (("short", self.brief), ("all numbers", self.cell))
        return ", ".join(name for name, cell in shown if cell is not None)


def _number(name: str) -> Callable[[Row], float | None]:
    return lambda row: getattr(row, name)


def _step(row: Row) -> Cell:
    return row.step, row.runtime or ("decision" if row.decision is not None else "")


def _quality(row: Row) -> Cell:
    if row.decision is not None and row.quality is None:
        return row.decision.verdict, ""
    if row.quality is None or row.quality_low is None or row.quality_high is None:
        return "", ""
    return quality_text((row.quality, row.quality_low, row.quality_high), row.unit)


def _cv(row: Row) -> Cell:
    if not row.cv:
        return "", ""
    value, interval = quality_text((row.cv["mean"], row.cv["low"], row.cv["high"]), row.unit)
    return value, f"{interval}, {row.cv['n_folds']:.0f} folds"


def _change(row: Row) -> Cell:
    if row.decision is not None and row.quality is None:
        return row.decision.reason, row.decision.action
    return change_text(row.against_parent, row.metric), change_text(row.against_start, row.metric)


def _brief_quality(row: Row) -> Cell:
    return ("", "") if row.quality is None else (_quality(row)[0], "")


def _brief_change(row: Row) -> Cell:
    verdict = quality_verdict(row.against_start, row.metric)
    if verdict is None:
        return "", ""
    return difference_text(verdict.difference, verdict.unit), _flipped_text(row, row.flipped_start)


def _flipped(row: Row) -> Cell:
    return _flipped_text(row, row.flipped_parent), _flipped_text(row, row.flipped_start)


def _flipped_text(row: Row, flipped: int | None) -> str:
    """`5 of 1,000`; empty where no classes are predicted."""
    return "" if flipped is None or row.n_valid is None else f"{flipped:,} of {row.n_valid:,}"


def _factors(row: Row, parent: float | None, start: float | None) -> str:
    if not row.against_start or parent is None or start is None:
        return ""
    return f"{times(parent)}, {times(start)}"


def _file(row: Row) -> Cell:
    if row.size_bytes is None:
        return "", ""
    size = amount(row.size_bytes, "size_bytes")
    return size, _factors(row, row.size_ratio_parent, row.size_ratio)


def _brief_file(row: Row) -> Cell:
    return _file(row)[0], ""


def _throughput(row: Row) -> Cell:
    if row.throughput is None:
        return "", ""
    seconds = row.core_seconds_per_million
    return f"{row.throughput:,.0f}", "" if seconds is None else f"{seconds:,.0f} core-s/1M"


def _in_int8(row: Row) -> Cell:
    return (f"{row.int8_operators} of {row.operators}", "") if row.int8_operators else ("", "")


def _of_peak(row: Row) -> Cell:
    if row.peak_share is None:
        return "", ""
    return percent(row.peak_share, 0 if row.peak_share >= 0.1 else 1), row.peak_precision


def _took(row: Row) -> Cell:
    money = "" if row.money_per_million is None else f"{row.money_per_million:.3g} / 1M"
    return seconds_text(row.seconds), money


def _busy(row: Row) -> Cell:
    return ("", "") if row.busy is None else (percent(row.busy, 0), "")


COLUMNS: tuple[Column, ...] = (
    Column(
        "step",
        "step",
        "Name of the step, and the engine that its result was measured on.",
        cell=_step,
        align="left",
        always=True,
        brief=lambda row: (row.step, ""),
        brief_title="step",
    ),
    Column(
        "quality",
        "valid {metric}",
        "Score on the valid split, with its 95 % interval.",
        direction="higher",
        logged="valid/{metric}",
        value=_number("quality"),
        cell=_quality,
        always=True,
        brief=_brief_quality,
        brief_title="{metric}",
    ),
    Column(
        "cv",
        "{metric} over folds",
        "Mean score of the model trained anew for each fold of train; below, its 95 % interval.",
        direction="higher",
        logged="cv/{metric}",
        value=lambda row: row.cv.get("mean"),
        cell=_cv,
    ),
    Column(
        "change",
        "{metric} changed by",
        "Change of the score against the step before, then against the start, with 95 % intervals.",
        cell=_change,
        align="left",
        brief=_brief_change,
        brief_title="change",
        brief_aside="flipped",
    ),
    Column(
        "flipped",
        "flipped",
        "Valid rows whose predicted class differs from that of the step before; below, from that "
        "of the start.",
        direction="lower",
        logged="against_start/flipped",
        value=_number("flipped_start"),
        cell=_flipped,
    ),
    Column(
        "size_bytes",
        "file",
        "Size of the model's file; below, how many times smaller than before and than the start.",
        unit="bytes",
        direction="lower",
        logged="cost/size_bytes",
        value=_number("size_bytes"),
        cell=_file,
        brief=_brief_file,
        brief_title="file",
    ),
    Column(
        "size_gzip_bytes",
        "file, gzipped",
        "Size of the model's file after gzip.",
        unit="bytes",
        direction="lower",
        logged="cost/size_gzip_bytes",
        value=_number("size_gzip_bytes"),
    ),
    Column(
        "parameters",
        "parameters",
        "Number of learned numbers.",
        direction="lower",
        logged="cost/parameters",
        value=_number("parameters"),
    ),
    Column(
        "macs",
        "multiply-adds",
        "Multiply-adds for one sample.",
        direction="lower",
        logged="cost/macs",
        value=_number("macs"),
    ),
    Column(
        "throughput",
        "samples/s",
        "Samples a second at the largest batch on one thread; below, processor seconds for a "
        "million.",
        direction="higher",
        logged="cost/throughput",
        value=_number("throughput"),
        cell=_throughput,
    ),
    Column(
        "core_seconds_per_million",
        "core seconds",
        "Processor seconds for a million predictions.",
        unit="s",
        direction="lower",
        logged="cost/core_seconds_per_million",
        value=_number("core_seconds_per_million"),
    ),
    Column(
        "money_per_million",
        "cost",
        "Cost of a million predictions, in the currency of `price_per_core_hour`.",
        direction="lower",
        logged="cost/money_per_million",
        value=_number("money_per_million"),
    ),
    Column(
        "in_int8",
        "in int8",
        "Operators of the engine's own graph that run in int8.",
        direction="higher",
        cell=_in_int8,
    ),
    Column(
        "peak_share",
        "of peak",
        "Fraction of this machine's measured peak that the largest batch reaches; below, the "
        "precision of that peak, which is the one of most operators.",
        direction="higher",
        cell=_of_peak,
    ),
    Column(
        "prepare_ms",
        "prepare",
        "Time to prepare one raw row for the model.",
        unit="ms",
        direction="lower",
        logged="cost/prepare_ms",
        value=_number("prepare_ms"),
    ),
    Column(
        "memory_bytes",
        "memory",
        "Peak memory of the process that ran the model.",
        unit="bytes",
        direction="lower",
        logged="cost/memory_bytes",
        value=_number("memory_bytes"),
    ),
    Column(
        "load_ms",
        "load time",
        "Time from the file to the first prediction.",
        unit="ms",
        direction="lower",
        logged="cost/load_ms",
        value=_number("load_ms"),
    ),
    Column(
        "seconds",
        "step took",
        "Time that the step took; below, the cost of a million predictions where a price is set.",
        unit="s",
        direction="lower",
        logged="cost/step_seconds",
        value=_number("seconds"),
        cell=_took,
    ),
    Column(
        "busy",
        "other work",
        "Fraction of this machine's cores that other work used during timing.",
        direction="lower",
        logged="cost/busy",
        value=_number("busy"),
        cell=_busy,
    ),
    Column(
        "verdict",
        "verdict",
        "Verdict on the score against the start; busy: timed beside other work.",
        brief=lambda row: (verdict_word(row), ""),
        brief_title="verdict",
        align="left",
    ),
)
LATENCIES_BEFORE = "throughput"  # where the columns of the batch sizes stand


def columns_of(rows: Sequence[Row]) -> list[Column]:
    """All columns of these rows: those above, and one for each batch size that was timed."""
    sizes = sorted({size for row in rows for size in row.latencies_ms})
    columns: list[Column] = []
    for column in COLUMNS:
        if column.name == LATENCIES_BEFORE:
            columns += [_latency(size, is_first=size == sizes[0]) for size in sizes]
        columns.append(column)
    return columns


def _latency(size: int, *, is_first: bool) -> Column:
    name = "latency_ms" if is_first else f"latency_{size}_ms"

    def cell(row: Row) -> Cell:
        ms = row.latencies_ms.get(size)
        if ms is None:
            return "", ""
        factors = _factors(
            row,
            factor(row.parent_latencies_ms.get(size), ms),
            factor(row.start_latencies_ms.get(size), ms),
        )
        return amount(ms, "ms"), factors

    return Column(
        name,
        f"batch {size}",
        f"Best call at batch {size} on one thread; below, how many times faster than before and "
        "than the start.",
        unit="ms",
        direction="lower",
        logged=f"cost/{name}",
        value=lambda row: row.latencies_ms.get(size),
        cell=cell,
        brief=(lambda row: (cell(row)[0], "")) if is_first else None,
        brief_title="latency",
    )
