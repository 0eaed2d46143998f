"""The ledger as data, text, table and HTML."""

from __future__ import annotations

import io
import json
from html.parser import HTMLParser

import pytest

from tests.factories import make_row, make_verdict
from workbench.ledger.frame import frame
from workbench.ledger.rows import Row, TestLine
from workbench.ledger.summary import summary
from workbench.ledger.tables import (
    SMOKE,
    all_numbers,
    all_numbers_legend,
    brief_cells,
    cells,
    html,
    legend,
    rich_table,
)
from workbench.ledger.words import SYMBOLS
from workbench.technique import Decision


@pytest.fixture
def rows() -> list[Row]:
    against = (
        make_verdict("accuracy", "worse", -0.0123),
        make_verdict("batch-64 latency", "better", 0.25),
    )
    start = (
        make_verdict("accuracy", "equivalent", 0.001),
        make_verdict("batch-64 latency", "better", 0.25),
    )
    return [
        make_row("start", runtime="torch"),
        make_row(
            "pruning",
            "pruning",
            size_bytes=410_400,
            size_ratio=2.44,
            size_ratio_parent=2.44,
            speedup_parent=4.2,
            speedup_start=4.2,
            latency_ms=0.3571,
            core_seconds_per_million=900.0,
            seconds=150.0,
            against_parent=against,
            against_start=start,
            notes=("a note",),
        ),
    ]


@pytest.fixture
def line() -> TestLine:
    verdict = make_verdict("accuracy", "equivalent")
    return TestLine(
        "resnet20 pruning",
        "accuracy",
        "points",
        2000,
        (0.9, 0.88, 0.92),
        (0.89, 0.87, 0.91),
        (verdict,),
        looks=1,
        size_ratio=9.1,
        speedup=4.2,
        at_most_lost={"0.01": True},
    )


def test_row_and_test_line_come_back_from_json_as_they_were(rows, line):
    assert [Row.from_json(json.loads(json.dumps(r.to_json()))) for r in rows] == rows
    assert TestLine.from_json(json.loads(json.dumps(line.to_json()))) == line


def test_row_of_an_earlier_version_without_the_newer_fields_is_read():
    data = make_row().to_json()
    for name in ("against_parent", "against_start", "notes", "budget", "money_per_million"):
        del data[name]
    assert Row.from_json(data) == make_row()


def test_start_row_is_compared_with_nothing(rows):
    heads, (start, _) = cells(rows)
    by_head = dict(zip(heads, start, strict=True))
    assert by_head["step"] == ("start", "torch")
    assert by_head["valid accuracy"] == ("90.00 %", "88.00 to 92.00")
    assert by_head["accuracy changed by"] == ("", "")
    assert by_head["file"] == ("1.00 MB", "")
    assert by_head["batch 1"] == ("1.50 ms", "")


def test_cells_of_a_step_hold_the_value_and_what_it_is_against_parent_and_start(rows):
    heads, (_, step) = cells(rows)
    by_head = dict(zip(heads, step, strict=True))
    assert by_head["accuracy changed by"] == (
        "▼ -1.23 points (-1.63 to -0.83)",
        "≈ +0.10 points (-0.30 to +0.50)",
    )
    assert by_head["file"] == ("410 kB", "2.4x, 2.4x")
    assert by_head["batch 1"] == ("0.357 ms", "4.2x, 4.2x")
    assert by_head["batch 64"] == ("60.0 ms", "4.0x, 4.0x")
    assert by_head["samples/s"] == ("1,066", "900 core-s/1M")
    assert by_head["step took"] == ("2.5 min", "")


def test_factor_of_batch_64_is_left_out_when_it_was_not_compared_with_both(rows):
    compared = make_row("x", latency_64_ms=61.0, against_start=rows[1].against_start)
    heads, (_, step) = cells([rows[0], compared])
    assert step[heads.index("batch 64")] == ("61.0 ms", "")


def test_operators_in_int8_and_share_of_the_peak_have_a_column_each():
    int8 = make_row(operators=32, int8_operators=31, peak_share=0.1234, peak_precision="int8")
    heads, (start, step) = cells([make_row(), int8])
    assert step[heads.index("in int8")] == ("31 of 32", "")
    assert step[heads.index("of peak")] == ("12 %", "int8")
    assert start[heads.index("in int8")] == start[heads.index("of peak")] == ("", "")


def test_float_rows_have_no_column_in_int8_but_the_share_of_their_peak():
    start = make_row(operators=32, int8_operators=0, peak_share=0.4, peak_precision="fp32")
    pruned = make_row(operators=32, int8_operators=0, peak_share=0.0321, peak_precision="fp32")
    heads, lines = cells([start, pruned])
    assert "in int8" not in heads
    assert [line[heads.index("of peak")] for line in lines] == [("40 %", "fp32"), ("3.2 %", "fp32")]
    page = html([start, pruned])
    assert "Of peak:" in page
    assert "In int8:" not in page


def test_rows_without_a_measured_peak_have_no_column_of_it():
    heads, _ = cells([make_row(), make_row(operators=32, int8_operators=31)])
    assert "in int8" in heads
    assert "of peak" not in heads


def test_price_stands_below_the_time_when_there_is_one(rows):
    _, (start, _) = cells([make_row(money_per_million=0.01234), rows[1]])
    assert start[-1] == ("3.0 s", "0.0123 / 1M")


@pytest.mark.parametrize("decision", SYMBOLS)
def test_every_decision_has_its_symbol(decision):
    step = make_row("x", against_parent=(make_verdict("accuracy", decision),))
    heads, (_, line) = cells([make_row(), step])
    assert line[heads.index("accuracy changed by")][0].startswith(f"{SYMBOLS[decision]} ")


def test_column_that_says_nothing_or_the_same_in_all_rows_is_not_shown():
    heads, _ = cells([make_row(), make_row("x", size_bytes=500_000)])
    assert heads == ["step", "valid accuracy", "file"]
    alone, _ = cells([make_row()])
    assert not {"in int8", "of peak"} & set(alone)
    assert "batch 1" in alone, "a single row shows all that it has"


def test_decision_is_a_row_with_its_verdict_reason_and_what_to_do():
    made = Decision("drift", "Two columns moved.", {"psi": 0.4}, "Retrain on the last month.")
    row = Row("monitoring", "monitoring", decision=made, seconds=2.0)
    heads, (_, line) = cells([make_row(), row])
    assert line[heads.index("valid accuracy")] == ("drift", "")
    assert line[heads.index("accuracy changed by")] == (
        "Two columns moved.",
        "Retrain on the last month.",
    )
    assert Row.from_json(row.to_json()) == row
    assert list(frame([make_row(), row]).decision) == ["", "drift"]


def test_latencies_of_version_1_are_read():
    older = {k: v for k, v in make_row().to_json().items() if k != "latencies_ms"}
    assert Row.from_json({**older, "latency_ms": 1.5, "latency_64_ms": 60.0}) == make_row()


def test_batch_sizes_are_columns_of_their_own():
    rows = [make_row(latencies_ms={1: 1.0, 8: 3.0}), make_row("x", latencies_ms={1: 0.5, 8: 2.0})]
    assert [h for h in cells(rows)[0] if h.startswith("batch")] == ["batch 1", "batch 8"]
    assert list(frame(rows)[["latency_ms", "latency_8_ms"]].iloc[1]) == [0.5, 2.0]


def test_mean_over_folds_has_a_column_where_a_row_was_cross_validated():
    cv = {"mean": 0.91, "low": 0.88, "high": 0.94, "n_folds": 5.0}
    note = "Not cross-validated: `x` cannot be trained anew."
    rows = [make_row(cv=cv), make_row("x", notes=("Other.", note))]
    heads, lines = cells(rows)
    assert [line[heads.index("accuracy over folds")] for line in lines] == [
        ("91.00 %", "88.00 to 94.00, 5 folds"),
        ("", ""),
    ]
    legend_text = all_numbers_legend(rows)
    assert f"x: {note}" in legend_text
    assert "Other." not in legend_text
    assert "accuracy over folds" in html(rows)
    assert frame(rows).loc[0, ["cv", "cv_low", "cv_high", "cv_folds"]].tolist() == [*cv.values()]
    assert Row.from_json(json.loads(json.dumps(rows[0].to_json()))) == rows[0]
    older = {k: v for k, v in make_row().to_json().items() if k != "cv"}
    assert Row.from_json(older) == make_row()
    assert "accuracy over folds" not in cells([make_row()])[0]
    assert "cv" not in frame([make_row()]).columns


def test_metric_with_a_unit_of_its_own_is_shown_in_it():
    start = make_row(
        metric="mse", unit="", quality=0.04321, quality_low=0.0401, quality_high=0.0512
    )
    verdict = make_verdict("mse", "better", -0.00123)
    other = type(verdict)(**{**verdict.to_json(), "unit": ""})
    heads, (first, step) = cells(
        [start, make_row("x", metric="mse", unit="", against_start=(other,))]
    )
    assert heads[1:3] == ["valid mse", "mse changed by"]
    assert first[1] == ("0.04321", "0.0401 to 0.0512")
    assert step[2] == ("", "▲ -0.00123 (-0.00523 to +0.00277)")


def test_frame_has_a_row_a_step_with_numbers_and_verdicts(rows):
    table = frame(rows)
    assert list(table.step) == ["start", "pruning"]
    assert {
        "quality",
        "size_bytes",
        "latency_ms",
        "throughput",
        "size_ratio",
        "money_per_million",
    } <= set(table.columns)
    assert not {"against_parent", "against_start", "notes"} & set(table.columns)
    assert list(table.verdict) == ["", "equivalent"], "against the start"
    assert list(table.quality_verdict) == ["", "worse"], "against the parent"
    assert list(table.latency_64_ms_verdict) == ["", "better"]
    assert list(table.latency_ms_verdict) == ["", ""]


def test_ledger_without_rows_is_empty_in_every_form():
    assert cells([]) == ([], [])
    assert frame([]).empty
    assert "<tbody></tbody>" in html([])
    assert rich_table([]).row_count == 0


def _printed(*tables, width=220) -> str:
    from rich.console import Console

    out = io.StringIO()
    for table in tables:
        Console(file=out, width=width).print(table)
    return out.getvalue()


def test_tables_of_all_numbers_hold_every_cell(rows):
    text = _printed(*all_numbers(rows))
    for step in cells(rows)[1]:
        for cell in step:
            assert all(part in text for part in cell)
    assert "undecided" in all_numbers_legend(rows)


def test_short_table_holds_every_cell_and_the_title(rows):
    text = _printed(rich_table(rows, "a run"))
    for line in brief_cells(rows)[1]:
        assert all(cell in text for cell in line)
    assert "a run" in text


def test_names_with_brackets_are_shown_as_they_are(rows):
    named = [rows[0], make_row("prune[bold]")]
    assert "prune[bold]" in _printed(rich_table(named))
    assert "prune[bold]" in _printed(*all_numbers(named))


class _Cells(HTMLParser):
    """The cells of a page as text, row by row."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._inside = False

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        elif tag == "td":
            self.rows[-1].append("")
        self._inside = tag == "td" or (self._inside and tag in ("br", "span"))

    def handle_endtag(self, tag):
        self._inside = self._inside and tag != "td"

    def handle_data(self, data):
        if self._inside:
            self.rows[-1][-1] += data


def test_html_holds_every_row_and_the_test_line(rows, line):
    page = html(rows, line, title="My run")
    parser = _Cells()
    parser.feed(page)
    short = brief_cells(rows)[1]
    full = [[top + below for top, below in step] for step in cells(rows)[1]]
    assert parser.rows == [[], *short, [], *full], "a row of headings before each table"
    assert page.index(summary(rows, line)) < page.index("<table"), "the sentence comes first"
    assert page.index("</table>") < page.index("<details>"), "all numbers are folded away"
    assert "My run" in page
    assert line.text in page


def test_html_escapes_what_came_from_outside(rows):
    nasty = "<script>alert(1)</script>&'"
    page = html([make_row(nasty, runtime=nasty, metric=nasty)], title=nasty)
    assert "<script>" not in page
    # title; step and metric in the sentence; heading, step; of all numbers heading, step, runtime
    assert page.count("&lt;script&gt;") == 8


@pytest.mark.parametrize(
    ("budgets", "shown"), [(("standard", "standard"), False), (("standard", "smoke"), True)]
)
def test_legend_warns_of_smoke_when_any_row_was_one(budgets, shown):
    made = [make_row(f"s{i}", budget=budget) for i, budget in enumerate(budgets)]
    assert (SMOKE in html(made)) is shown
    assert (SMOKE in legend(made)) is shown
    assert (SMOKE in all_numbers_legend(made)) is shown


def test_test_line_says_what_was_reached_and_warns_after_the_first_look(line):
    assert (
        "resnet20 pruning has accuracy 89.00 % (87.00 to 91.00) on 2,000 test rows, against 90.00 "
        "% of the start" in line.text
    )
    assert "look number" not in line.text
    again = TestLine.from_json({**line.to_json(), "looks": 3})
    assert "look number 3 at test" in again.text


@pytest.mark.parametrize(
    ("changes", "title", "text"),
    [
        ({"size_bytes": 999}, "file", "999 bytes"),
        ({"size_bytes": 94_000_000}, "file", "94.0 MB"),
        ({"latency_ms": 0.0123}, "batch 1", "0.0123 ms"),
        ({"latency_ms": 12.345}, "batch 1", "12.3 ms"),
        ({"seconds": 99.0}, "step took", "99.0 s"),
        ({"seconds": 6000.0}, "step took", "100.0 min"),
    ],
)
def test_units_follow_the_size_of_the_number(changes, title, text):
    heads, (line,) = cells([make_row(**changes)])
    assert line[heads.index(title)][0] == text
