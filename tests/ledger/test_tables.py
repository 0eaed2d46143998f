"""The short table: at most six columns, one number a cell, and no digit cut at any width."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest

from tests.factories import make_row
from tests.ledger.test_factors import session_rows
from workbench.ledger.rows import Row
from workbench.ledger.tables import (
    MOST_COLUMNS,
    all_numbers,
    all_numbers_legend,
    brief_cells,
    cells,
    html,
    legend,
    rich_table,
    step_notes,
)
from workbench.technique import Decision

WIDTHS = (40, 60, 80, 100, 150)


def _printed(table, width) -> str:
    from rich.console import Console

    out = io.StringIO()
    Console(file=out, width=width).print(table)
    return out.getvalue()


def _numbers(text: str) -> list[str]:
    """All numbers of a text with their signs, as printed."""
    return re.findall(r"[-+]?\d[\d,]*\.?\d*", text)


@pytest.fixture(params=["standard", "smoke, busy", "long name", "decision"])
def rows(request) -> list[Row]:
    made = session_rows()
    if request.param == "smoke, busy":
        return [replace(r, budget="smoke", busy=0.7) for r in made]
    if request.param == "long name":
        return [*made[:3], replace(made[3], step="quantization of everything but the head")]
    if request.param == "decision":
        row = Row("ab_test", "ab_test", decision=Decision("keep the challenger", "", {}, ""))
        return [*made, row]
    return made


def test_short_table_has_six_columns_and_one_number_a_cell():
    heads, lines = brief_cells(session_rows())
    assert heads == ["step", "accuracy", "change, flipped", "file", "latency", "verdict"]
    assert lines[-1] == [
        "quantization",
        "90.00 %",
        "-1.20 points, 31 of 1,000",
        "110 kB",
        "0.100 ms",
        "▼ worse",
    ]
    assert lines[0] == ["start", "90.00 %", "", "1.00 MB", "2.00 ms", ""]
    assert all(len(line) == len(heads) <= 6 for line in lines)


@pytest.mark.parametrize("width", WIDTHS)
def test_table_fits_every_terminal_and_cuts_no_number(rows, width):
    text = _printed(rich_table(rows, width=width), width)
    widest = max(len(line.rstrip()) for line in text.splitlines())
    assert widest <= min(width, MOST_COLUMNS)
    assert "…" not in text
    whole = {n for line in brief_cells(rows)[1] for cell in line for n in _numbers(cell)}
    assert set(_numbers(text)) <= whole, "a number of the table is a whole number of a cell"


@pytest.mark.parametrize(
    ("width", "heads"),
    [
        (30, ["step", "verdict"]),
        (40, ["step", "change", "verdict"]),
        (50, ["step", "accuracy", "change", "verdict"]),
        (60, ["step", "accuracy", "change", "latency", "verdict"]),
        (72, ["step", "accuracy", "change", "file", "latency", "verdict"]),
        (80, ["step", "accuracy", "change, flipped", "file", "latency", "verdict"]),
        (100, ["step", "accuracy", "change, flipped", "file", "latency", "verdict"]),
        (150, ["step", "accuracy", "change, flipped", "file", "latency", "verdict"]),
    ],
)
def test_narrow_terminals_drop_the_flips_first_and_then_columns_in_a_fixed_order(width, heads):
    table = rich_table(session_rows(), width=width)
    assert [str(column.header) for column in table.columns] == heads
    assert table.row_count == 4


@pytest.mark.parametrize("width", WIDTHS)
def test_all_numbers_fit_every_terminal_and_hold_every_number(rows, width):
    texts = [_printed(table, width) for table in all_numbers(rows, width=width)]
    assert all(len(line.rstrip()) <= width for text in texts for line in text.splitlines())
    assert "…" not in "".join(texts)
    if width >= 60:
        found = set(_numbers(" ".join(texts)))
        for line in cells(rows)[1]:
            assert {n for cell in line for part in cell for n in _numbers(part)} <= found


def test_legend_is_one_line_of_a_terminal():
    text = legend(session_rows())
    assert "\n" not in text
    assert len(text) <= MOST_COLUMNS
    assert all(name in text for name in ("start", "valid", "flipped", "batch 1", "one thread"))


def test_legend_of_a_quick_check_and_of_a_busy_machine_has_a_short_line_each():
    rows = [replace(r, budget="smoke", busy=0.7) for r in session_rows()]
    first, *notes = legend(rows).splitlines()
    assert first == legend(session_rows())
    assert [note.split(":")[0] for note in notes] == ["Quick check", "Busy"]
    assert all(len(note) <= MOST_COLUMNS for note in notes)
    assert all(note in all_numbers_legend(rows) for note in notes)


def test_legend_tells_nothing_that_the_table_does_not_hold():
    assert legend([make_row(latencies_ms={})]) == ""
    assert "flipped" not in legend([replace(r, flipped_start=None) for r in session_rows()])


def test_verdict_column_has_signs_quick_checks_busy_rows_and_decisions():
    made = Decision("keep", "", {}, "")
    rows = session_rows()
    rows[1] = replace(rows[1], busy=0.5)
    rows[2] = replace(rows[2], budget="smoke", busy=0.5)
    rows[3] = replace(rows[3], decision=made)
    heads, lines = brief_cells([*rows, Row("ab_test", "ab_test", decision=made)])
    verdicts = [line[heads.index("verdict")] for line in lines]
    assert verdicts == ["", "▼ worse, busy", "quick check, busy", "▼ worse, keep", "keep"]


def test_regression_has_no_flips():
    rows = [replace(r, flipped_start=None, flipped_parent=None) for r in session_rows()]
    assert "change" in brief_cells(rows)[0]
    assert "flipped" not in cells(rows)[0]


def test_notes_of_steps_are_listed_below_all_numbers():
    rows = [
        make_row(notes=("Not written as ONNX: <b>.",)),
        make_row("tuning", notes=("Best of 4.",)),
    ]
    assert step_notes(rows) == [f"{rows[0].step}: Not written as ONNX: <b>.", "tuning: Best of 4."]
    short, full = html(rows).split("<details>")
    assert "Best of 4." not in short
    assert "<li>tuning: Best of 4.</li>" in full
    assert "ONNX: &lt;b&gt;." in full
    assert "All numbers and notes" in full
    assert "notes" not in html([make_row()])


def test_html_holds_the_short_table_and_folds_all_numbers_away():
    page = html(session_rows(), accepted_drop=1.5)
    assert "your limit is 1.5 points" in page
    short, full = page.split("<details>")
    assert "color" not in page, "it inherits the colours of the page"
    assert "overflow-x" not in short, "six columns need no scrolling"
    assert "white-space:nowrap'>-1.20 points</span>" in short
    assert "-1.60 to -0.80" in full
    assert "-1.60 to -0.80" not in short
