"""Factors come from one place, and agree with the milliseconds and sizes beside them."""

from __future__ import annotations

import itertools
import json
import random
import re
from dataclasses import replace

import pytest

from tests.factories import make_row, make_verdict
from workbench.figures.units import amount, times
from workbench.figures.waterfall import _waterfall
from workbench.ledger.factors import factor, is_busy, result_of, with_factors
from workbench.ledger.frame import frame
from workbench.ledger.rows import Row
from workbench.ledger.summary import summary
from workbench.ledger.tables import brief_cells, cells
from workbench.measure.timing.latency import TOO_BUSY
from workbench.technique import Decision

SESSIONS = [  # the start, the row before and the row itself, at batch 1, in the session of each row
    (None, None, 2.60),
    (2.60, 2.60, 0.70),
    (2.40, 0.66, 0.30),
    (2.00, 0.25, 0.10),
]
STEPS = ("start", "onnx", "pruning", "quantization")


def session_rows(sessions=SESSIONS, steps=STEPS, sizes=None) -> list[Row]:
    """Rows as runs write them: milliseconds of the start and of the row before in each session."""
    rows = []
    for number, (start, parent, own) in enumerate(sessions):
        step = steps[number]
        changes = {
            "candidate": "net" if number < 2 else f"net-{step}",
            "runtime": "torch" if number == 0 else "onnxruntime",
            "latencies_ms": {1: own, 64: 20 * own},
            "size_bytes": (sizes or [1_000_000, 900_000, 400_000, 110_000])[number],
            "n_valid": 1000,
        }
        if number:
            of_score = make_verdict("accuracy", "worse", -0.012)
            of_latency = make_verdict("batch-1 latency", "better")
            changes |= {
                "parent": steps[number - 1],
                "start_latencies_ms": {1: start, 64: 20 * start},
                "parent_latencies_ms": {1: parent, 64: 20 * parent},
                "against_start": (of_score, replace(of_latency, difference=own / start)),
                "against_parent": (of_score, replace(of_latency, difference=own / parent)),
                "speedup_start": start / own,
                "speedup_parent": parent / own,
                "flipped_start": 31,
                "flipped_parent": 12,
            }
        rows.append(make_row(step, "" if number < 2 else step, **changes))
    return rows


def test_rows_are_brought_to_the_session_of_the_last_row():
    shown = with_factors(session_rows())
    assert [r.latency_ms for r in shown] == pytest.approx([2.0, 0.25 * 0.66 / 0.30, 0.25, 0.10])
    assert shown[-1].latencies_ms == {1: 0.10, 64: 2.0}, "as measured"


def test_every_factor_is_the_ratio_of_two_shown_numbers():
    start, onnx, pruning, quantization = with_factors(session_rows())
    assert quantization.speedup_start == pytest.approx(2.0 / 0.10)
    assert quantization.speedup_parent == pytest.approx(0.25 / 0.10)
    assert pruning.speedup_start == pytest.approx(2.0 / 0.25), "not 2.40 / 0.30 of its own session"
    assert pruning.speedup_parent == pytest.approx(onnx.latency_ms / 0.25)
    assert onnx.speedup_start == pytest.approx(start.latency_ms / onnx.latency_ms)
    assert quantization.size_ratio == pytest.approx(1_000_000 / 110_000)
    assert quantization.size_ratio_parent == pytest.approx(400_000 / 110_000)


def test_table_figure_sentence_and_frame_have_the_same_factor():
    rows = session_rows()
    heads, lines = cells(rows)
    assert lines[-1][heads.index("batch 1")] == ("0.100 ms", "2.5x, 20x")
    assert lines[-1][heads.index("batch 64")] == ("2.00 ms", "2.5x, 20x")
    table = frame(rows)
    figure = _waterfall(table, "latency_ms")
    assert times(figure["factor"].iloc[-1]) == times(table.speedup_start.iloc[-1]) == "20x"
    shown = [line[brief_cells(rows)[0].index("latency")] for line in brief_cells(rows)[1]]
    assert shown == [amount(ms, "ms") for ms in table.latency_ms]
    result = result_of(rows)
    assert result.reference.step == "onnx"
    onnx, last = (amount(r.latency_ms, "ms") for r in (result.reference, result.last))
    assert (onnx, last) == ("0.550 ms", "0.100 ms")
    assert "5.5 times faster than the same model in ONNX Runtime" in summary(rows)


@pytest.mark.parametrize("seed", range(30))
def test_printed_factors_agree_with_the_printed_numbers_beside_them(seed):
    chance = random.Random(seed)
    noise = [chance.uniform(0.7, 1.4) for _ in range(12)]
    own = sorted((10 ** chance.uniform(-2, 1.5) for _ in range(4)), reverse=True)
    sessions = [(None, None, own[0])]
    for n in range(1, 4):
        drift = noise[3 * n]
        pair = own[0] * drift * noise[3 * n + 1], own[n - 1] * drift * noise[3 * n + 2]
        sessions.append((*pair, own[n] * drift))
    sizes = [int(10 ** chance.uniform(3, 8)) for _ in range(4)]
    rows = session_rows(sessions, sizes=sizes)
    heads, lines = cells(rows)
    for column in ("batch 1", "batch 64", "file"):
        column_cells = [line[heads.index(column)] for line in lines]
        values = [_number(value) for value, _ in column_cells]
        for number in range(1, 4):
            to_parent, to_start = column_cells[number][1].split(", ")
            assert _agrees(to_parent, values[number - 1] / values[number])
            assert _agrees(to_start, values[0] / values[number])


def _number(text: str) -> float:
    value, unit = text.replace(",", "").split()
    scale = {"bytes": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "ms": 1}
    return float(value) * scale[unit]


def _agrees(printed: str, ratio: float) -> bool:
    """Whether a printed factor is the ratio of two numbers printed with three digits."""
    value = float(re.sub("[x,]", "", printed))
    possible = (ratio * (1 + error) for error in (-0.0101, 0.0, 0.0101))
    low, _, high = (float(re.sub("[x,]", "", times(r))) for r in possible)
    return low <= value <= high


def test_shown_rows_are_shown_as_they_are():
    shown = with_factors(session_rows())
    again = with_factors(shown)
    for one, two in itertools.zip_longest(shown, again):
        assert two.latencies_ms == pytest.approx(one.latencies_ms)
        assert two.speedup_start == pytest.approx(one.speedup_start)
        assert two.throughput == pytest.approx(one.throughput)


def test_throughput_follows_the_shown_latency_of_the_largest_batch():
    rows = [replace(r, throughput=64_000 / r.latencies_ms[64]) for r in session_rows()]
    for row in with_factors(rows):
        assert row.throughput == pytest.approx(64_000 / row.latencies_ms[64])


def test_rows_of_an_earlier_version_get_the_milliseconds_from_their_paired_factors():
    older = [
        replace(r, parent="", start_latencies_ms={}, parent_latencies_ms={}, n_valid=None)
        for r in session_rows()
    ]
    shown = with_factors(older)
    assert [r.latency_ms for r in shown] == pytest.approx([2.0, 0.25 * 0.66 / 0.30, 0.25, 0.10])
    assert shown[-1].speedup_start == pytest.approx(20.0)


def test_run_that_goes_on_from_an_earlier_one_is_compared_with_the_first_start():
    first = (replace(make_verdict("accuracy"), difference=0.0),)
    rows = session_rows()
    rows[0] = replace(
        rows[0],
        against_start=first,
        start_latencies_ms={1: 5.2, 64: 104.0},
        speedup_start=2.0,
        size_ratio=3.0,
    )
    rows = [replace(r, size_ratio=3.0 * 1e6 / r.size_bytes) for r in rows]
    shown = with_factors(rows)
    assert shown[-1].speedup_start == pytest.approx(2.0 / 0.10), "the first start of the session"
    assert shown[-1].size_ratio == pytest.approx(3.0 * 1e6 / 110_000)
    assert shown[0].latency_ms == pytest.approx(shown[1].latency_ms * 2.60 / 0.70)
    assert "than the first start" in summary(rows)


def test_row_beside_which_the_next_one_was_not_timed_comes_through_the_start():
    rows = session_rows()
    rows[3] = replace(rows[3], parent="ab_test-choice")
    shown = with_factors(rows)
    assert shown[2].latency_ms == pytest.approx(0.30 * 2.00 / 2.40)
    assert shown[3].speedup_parent == pytest.approx(0.25 / 0.10), "the model that was chosen"


def test_rows_without_timing_keep_their_place():
    rows = session_rows()
    rows[2] = replace(
        rows[2],
        latencies_ms={},
        start_latencies_ms={},
        parent_latencies_ms={},
        speedup_start=None,
        speedup_parent=None,
        throughput=None,
    )
    decided = Row("monitoring", "monitoring", decision=Decision("drift", "", {}, ""))
    shown = with_factors([*rows, decided])
    assert shown[2].latencies_ms == {}
    assert shown[2].speedup_start is None
    assert shown[1].latency_ms == pytest.approx(0.70 * 2.00 / 2.60)
    assert shown[-1].latencies_ms == {}
    assert with_factors([]) == []


def test_factor_of_an_unmeasured_number_is_none():
    assert factor(None, 1.0) is None
    assert factor(2.0, None) is None
    assert factor(2.0, 0) is None
    assert factor(3.0, 2.0) == 1.5


def test_busy_is_told_from_the_share_of_the_cores():
    assert not is_busy(make_row())
    assert not is_busy(make_row(busy=TOO_BUSY))
    assert is_busy(make_row(busy=TOO_BUSY + 0.01))


def test_new_fields_come_back_from_json():
    rows = session_rows()
    read = [Row.from_json(json.loads(json.dumps(r.to_json()))) for r in rows]
    assert read == rows
    assert read[-1].start_latencies_ms == {1: 2.0, 64: 40.0}
