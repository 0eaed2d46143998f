"""The ledger as people read it: text, a table for a terminal, HTML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench.ledger.columns import Column, columns_of
from workbench.ledger.rows import Row, TestLine

__all__ = ["cells", "html", "rich_table", "shown_columns"]

LEGEND = (
    "Best call in ms, one thread. Second lines: 95 % interval; change against the step before, "
    "then against the start; x is how many times smaller or faster. "
)
OF_COLUMNS = {
    "in_int8": "In int8: operators of the runtime's own graph. ",
    "peak_share": "Of peak: speed of the largest batch against the peak measured here, below the "
    "precision of that peak. ",
}
SIGNS = "▲ better, ▼ worse, ≈ equivalent within the margin, ? undecided."
SMOKE = (
    " Budget smoke: at most 2,000 valid rows are looked at. It shows that everything runs, not "
    "what the techniques can do."
)


def shown_columns(rows: Sequence[Row]) -> list[Column]:
    """The columns that a table of these rows shows.

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
    """Headings, and for each row its cells as two lines: the value, and its change or interval."""
    if not rows:
        return [], []
    columns, lines = _drawn(rows)
    return [_title(c, rows) for c in columns], lines


def rich_table(rows: Sequence[Row], title: str = "") -> Any:
    """The ledger as a table for a terminal (a `rich.table.Table`)."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    columns, lines = _drawn(rows)
    table = Table(
        title=Text(title) if title else None,
        caption=_legend(columns, rows),
        box=box.SIMPLE_HEAD,
        header_style="bold",
        pad_edge=False,
        collapse_padding=True,
    )
    for column in columns:
        table.add_column(Text(_title(column, rows)), justify=column.align, no_wrap=True)
    for line in lines:
        table.add_row(*(Text.assemble(top, "\n", (below, "dim")) for top, below in line))
    return table


def html(rows: Sequence[Row], test: TestLine | None = None, title: str = "") -> str:
    """The ledger as an HTML table that inherits the colours of the page around it."""
    from html import escape

    columns, lines = _drawn(rows)
    head = "".join(
        f"<th style='text-align:{c.align}' title='{escape(c.sentence, quote=True)}'>"
        f"{escape(_title(c, rows))}</th>"
        for c in columns
    )
    body = ""
    for line in lines:
        inner = "".join(
            f"<td style='text-align:{c.align};white-space:nowrap'>{escape(top)}<br>"
            f"<span style='opacity:.65'>{escape(below)}</span></td>"
            for c, (top, below) in zip(columns, line, strict=True)
        )
        body += f"<tr>{inner}</tr>"
    caption = f"<p><strong>{escape(title)}</strong></p>" if title else ""
    last = f"<p><strong>{escape(test.text)}</strong></p>" if test else ""
    return (
        f"<div class='workbench-ledger' style='overflow-x:auto'>{caption}"
        f"<table style='font-size:.88em'><thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
        f"</table><p style='opacity:.75'>{escape(_legend(columns, rows))}</p>{last}</div>"
    )


def _drawn(rows: Sequence[Row]) -> tuple[list[Column], list[list[tuple[str, str]]]]:
    columns = shown_columns(rows)
    return columns, [[c.cell(row) for c in columns if c.cell is not None] for row in rows]


def _title(column: Column, rows: Sequence[Row]) -> str:
    metric = next((row.metric for row in rows if row.metric), "result")
    return column.title.format(metric=metric.replace("_", " "))


def _legend(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    of_columns = "".join(OF_COLUMNS.get(c.name, "") for c in columns)
    smoke = SMOKE if any(row.budget == "smoke" for row in rows) else ""
    return LEGEND + of_columns + SIGNS + smoke
