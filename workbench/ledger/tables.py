"""The ledger as people read it: a short table, the table of all numbers, HTML.

The short table has at most six columns and one number a cell. The table of all numbers has two
lines a row: below a value stands its interval, or its change against the step before and the start.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from workbench.ledger.columns import Column, columns_of
from workbench.ledger.factors import is_busy, with_factors
from workbench.ledger.rows import NOT_VALIDATED, Row, TestLine
from workbench.ledger.summary import summary

__all__ = [
    "MOST_COLUMNS",
    "all_numbers",
    "all_numbers_legend",
    "brief_cells",
    "cells",
    "html",
    "legend",
    "rich_table",
    "shown_columns",
    "step_notes",
]

MOST_COLUMNS = 100  # characters of a terminal's line that a table takes at most
TEXTS = ("step", "verdict")  # columns that hold words, which may go over several lines
# Columns that a narrow terminal leaves out, in this order; step and verdict are never left out.
# Before all of them go the flipped predictions beside the change.
LEFT_OUT_FIRST = ("size_bytes", "latency_ms", "quality", "change")

LEGEND = (
    "Best call in ms, one thread. Second lines: 95 % interval; change and flipped predictions "
    "against the step before, then against the start; x is how many times smaller or faster. "
)
OF_COLUMNS = {
    "cv": "Over folds: mean score of the model trained anew for each fold of train. ",
    "in_int8": "In int8: operators of the runtime's own graph. ",
    "peak_share": "Of peak: speed of the largest batch against the peak measured here, below the "
    "precision of that peak. ",
}
SIGNS = "▲ better, ▼ worse, ≈ equivalent within the margin, ? undecided."
SMOKE = "Quick check: at most 2,000 valid rows are looked at; it decides nothing."
BUSY = "Busy: timed beside other work, so the latency proves nothing."


def shown_columns(rows: Sequence[Row]) -> list[Column]:
    """The columns that a table of all numbers of these rows shows.

    A column that says nothing for any row, or the same in all of several rows, is left out.
    """
    shown = []
    for column in columns_of(rows):
        if column.cell is None:
            continue
        texts = [column.cell(row) for row in rows]
        says_something = any(top or below for top, below in texts)
        differs = len(set(texts)) > 1 or len(rows) == 1
        if column.always or (says_something and differs):
            shown.append(column)
    return shown


def cells(rows: Sequence[Row]) -> tuple[list[str], list[list[tuple[str, str]]]]:
    """All numbers: headings, and for each row its cells as two lines."""
    if not rows:
        return [], []
    columns, lines = _drawn(rows)
    return [_title(c, rows) for c in columns], lines


def brief_cells(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """The short table: headings, and for each row one text a column."""
    if not rows:
        return [], []
    columns, lines = _brief(rows)
    asides = _with_asides(columns, lines)
    heads = [_brief_title(c, rows, c.name in asides) for c in columns]
    return heads, [[", ".join(filter(None, cell)) for cell in line] for line in lines]


def rich_table(rows: Sequence[Row], title: str = "", *, width: int = MOST_COLUMNS) -> Any:
    """The short table for a terminal of `width` columns (a `rich.table.Table`).

    It takes at most 100. Where it does not fit, the flipped predictions are left out, then the
    columns file, latency, quality and change, in this order. No number is ever cut.
    """
    from rich.text import Text

    width = min(width, MOST_COLUMNS)
    columns, lines = _brief(rows)
    asides = _with_asides(columns, lines)
    left = list(LEFT_OUT_FIRST)
    while _brief_width(columns, lines, rows, asides) > width and (asides or left):
        if asides:
            asides = set()
            continue
        name = left.pop(0)
        kept = [n for n, c in enumerate(columns) if c.name != name]
        columns = [columns[n] for n in kept]
        lines = [[line[n] for n in kept] for line in lines]
    table = _empty_table(title)
    for column in columns:
        is_text = column.name in TEXTS
        head = Text(_brief_title(column, rows, column.name in asides))
        table.add_column(head, justify=column.align, no_wrap=not is_text, overflow="fold")
    for line in lines:
        drawn = zip(columns, line, strict=True)
        table.add_row(*(_brief_text(cell, column.name in asides) for column, cell in drawn))
    return table


def all_numbers(rows: Sequence[Row], *, width: int = MOST_COLUMNS) -> list[Any]:
    """The table of all numbers, as one or more tables that are each at most `width` wide.

    Each begins with the steps.
    """
    from rich.text import Text

    width = min(width, MOST_COLUMNS)
    columns, lines = _drawn(rows)
    tables = []
    for block in _blocks(columns, lines, rows, width):
        table = _empty_table()
        for place in block:
            head = Text(_title(columns[place], rows))
            table.add_column(head, justify=columns[place].align, overflow="fold")
        for line in lines:
            table.add_row(*(Text.assemble(line[n][0], "\n", (line[n][1], "dim")) for n in block))
        tables.append(table)
    return tables


def legend(rows: Sequence[Row]) -> str:
    """The line below the short table, and notes on rows that decide nothing."""
    lines = []
    if any(row.against_start for row in rows):
        flips = any(row.flipped_start is not None for row in rows)
        flipped = "; flipped: another class" if flips else ""
        lines.append(f"Change against the start, on valid{flipped}.")
    batches = {min(row.latencies_ms) for row in rows if row.latencies_ms}
    if batches:
        lines.append(f"Latency: best call, batch {min(batches)}, one thread.")
    return "\n".join(filter(None, [" ".join(lines), *_notes(rows)]))


def all_numbers_legend(rows: Sequence[Row]) -> str:
    """The text below the table of all numbers."""
    of_columns = "".join(OF_COLUMNS.get(c.name, "") for c in shown_columns(rows))
    not_validated = [
        f"{row.step}: {note}"
        for row in rows
        for note in row.notes
        if note.startswith(NOT_VALIDATED)
    ]
    return " ".join([f"{LEGEND}{of_columns}{SIGNS}", *_notes(rows), *not_validated])


def step_notes(rows: Sequence[Row]) -> list[str]:
    """The notes of the steps, each after its step: choices, warnings, and a missing ONNX file.

    Notes about cross-validation are in the text below the table of all numbers.
    """
    return [
        f"{row.step}: {note}"
        for row in rows
        for note in row.notes
        if not note.startswith(NOT_VALIDATED)
    ]


def html(
    rows: Sequence[Row],
    test: TestLine | None = None,
    title: str = "",
    *,
    accepted_drop: float | None = None,
) -> str:
    """The ledger as HTML that inherits the colours of the page around it.

    The sentence, the short table, the test line, and all numbers folded away.
    """
    caption = f"<p><strong>{escape(title)}</strong></p>" if title else ""
    sentence = escape(summary(rows, test, accepted_drop=accepted_drop))
    last = f"<p>{escape(test.text)}</p>" if test else ""
    return (
        f"<div class='workbench-ledger'>{caption}"
        f"<p class='workbench-summary' style='font-size:1.05em'><strong>{sentence}</strong></p>"
        f"{_brief_html(rows)}{_legend_html(rows)}{last}"
        f"<details><summary>{_fold_title(rows)}</summary>{_full_html(rows)}</details></div>"
    )


def _fold_title(rows: Sequence[Row]) -> str:
    return "All numbers and notes" if step_notes(rows) else "All numbers"


def _brief_html(rows: Sequence[Row]) -> str:
    columns, lines = _brief(rows)
    asides = _with_asides(columns, lines)
    return _table_html(
        "class='workbench-steps' style='font-size:.92em;margin:0 0 .5em'",
        columns,
        [_brief_title(c, rows, c.name in asides) for c in columns],
        [
            [_brief_cell_html(c, *cell) for c, cell in zip(columns, line, strict=True)]
            for line in lines
        ],
    )


def _table_html(
    attributes: str,
    columns: Sequence[Column],
    titles: Sequence[str],
    lines: Sequence[Sequence[str]],
    *,
    cell_style: str = "",
) -> str:
    """A table of cells that are HTML already; a heading explains its column when pointed at."""
    head = "".join(
        f"<th style='text-align:{column.align}' title='{escape(column.sentence, quote=True)}'>"
        f"{escape(title)}</th>"
        for column, title in zip(columns, titles, strict=True)
    )
    body = ""
    for line in lines:
        inner = "".join(
            f"<td style='text-align:{column.align}{cell_style}'>{cell}</td>"
            for column, cell in zip(columns, line, strict=True)
        )
        body += f"<tr>{inner}</tr>"
    return f"<table {attributes}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _legend_html(rows: Sequence[Row]) -> str:
    lines = legend(rows).replace("\n", " ")
    return f"<p style='opacity:.75'>{escape(lines)}</p>" if lines else ""


def _brief_cell_html(column: Column, text: str, aside: str) -> str:
    """A number on one line, and beside it, or below where there is no room, the aside."""
    if column.name in TEXTS:
        return escape(text)
    more = f", <span style='opacity:.75;white-space:nowrap'>{escape(aside)}</span>" if aside else ""
    return f"<span style='white-space:nowrap'>{escape(text)}</span>{more}"


def _full_html(rows: Sequence[Row]) -> str:
    columns, lines = _drawn(rows)
    table = _table_html(
        "class='workbench-numbers' style='font-size:.88em;margin:.5em 0'",
        columns,
        [_title(c, rows) for c in columns],
        [
            [
                f"{escape(top)}<br><span style='opacity:.75'>{escape(below)}</span>"
                for top, below in line
            ]
            for line in lines
        ],
        cell_style=";white-space:nowrap",
    )
    notes = "".join(f"<li>{escape(note)}</li>" for note in step_notes(rows))
    listed = f"<p>Notes of the steps</p><ul class='workbench-notes'>{notes}</ul>" if notes else ""
    return (
        "<div style='overflow-x:auto' tabindex='0' role='region' aria-label='All numbers'>"
        f"{table}</div>"
        f"<p style='opacity:.75'>{escape(all_numbers_legend(rows))}</p>{listed}"
    )


def _brief(rows: Sequence[Row]) -> tuple[list[Column], list[list[tuple[str, str]]]]:
    """Columns and cells of the short table; a column without any text is left out."""
    rows = with_factors(rows)
    columns, texts = [], []
    for column in columns_of(rows):
        if column.brief is None:
            continue
        cells_ = [column.brief(row) for row in rows]
        if column.always or any(text for text, _ in cells_):
            columns.append(column)
            texts.append(cells_)
    return columns, [[column[n] for column in texts] for n in range(len(rows))]


def _with_asides(columns: Sequence[Column], lines: Sequence[Sequence[tuple[str, str]]]) -> set[str]:
    """Names of the columns of which a cell has a second text."""
    return {c.name for n, c in enumerate(columns) if any(line[n][1] for line in lines)}


def _brief_width(
    columns: Sequence[Column],
    lines: Sequence[Sequence[tuple[str, str]]],
    rows: Sequence[Row],
    asides: set[str],
) -> int:
    widths = []
    for n, column in enumerate(columns):
        has_aside = column.name in asides
        head = _brief_title(column, rows, has_aside)
        texts = [_brief_text(line[n], has_aside).cell_len for line in lines]
        widths.append(max([len(head), *texts]))
    return _table_width(widths)


def _brief_text(cell: tuple[str, str], has_aside: bool) -> Any:
    from rich.text import Text

    text, aside = cell
    return Text.assemble(text, (f", {aside}", "dim")) if aside and has_aside else Text(text)


def _brief_title(column: Column, rows: Sequence[Row], has_aside: bool) -> str:
    title = column.brief_title.format(metric=_metric(rows))
    return f"{title}, {column.brief_aside}" if has_aside else title


def _blocks(
    columns: Sequence[Column],
    lines: Sequence[Sequence[tuple[str, str]]],
    rows: Sequence[Row],
    width: int,
) -> list[list[int]]:
    """Places of the columns of each table; the first column stands in all of them."""
    from rich.text import Text

    widths = [
        max(
            Text(text).cell_len
            for text in (_title(c, rows), *(t for line in lines for t in line[n]))
        )
        for n, c in enumerate(columns)
    ]
    blocks: list[list[int]] = [[0]] if columns else []
    for n in range(1, len(columns)):
        block = blocks[-1]
        if len(block) > 1 and _table_width([widths[i] for i in (*block, n)]) > width:
            blocks.append([0, n])
        else:
            block.append(n)
    return blocks


def _table_width(widths: Sequence[int]) -> int:
    """The width of a table whose columns have these widths; a gap of two stands between them."""
    return sum(widths) + 2 * max(0, len(widths) - 1) + 2


def _empty_table(title: str = "") -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    return Table(
        title=Text(title) if title else None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        header_style="bold",
        pad_edge=False,
        collapse_padding=True,
    )


def _drawn(rows: Sequence[Row]) -> tuple[list[Column], list[list[tuple[str, str]]]]:
    rows = with_factors(rows)
    columns = shown_columns(rows)
    return columns, [[c.cell(row) for c in columns if c.cell is not None] for row in rows]


def _title(column: Column, rows: Sequence[Row]) -> str:
    return column.title.format(metric=_metric(rows))


def _metric(rows: Sequence[Row]) -> str:
    return next((row.metric for row in rows if row.metric), "result")


def _notes(rows: Sequence[Row]) -> list[str]:
    """Notes on rows that decide nothing: those of a quick check, and those timed beside others."""
    notes = []
    if any(row.budget == "smoke" for row in rows):
        notes.append(SMOKE)
    if any(is_busy(row) for row in rows):
        notes.append(BUSY)
    return notes
