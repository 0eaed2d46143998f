"""A scorecard keeps what was measured through JSON, and says what it costs."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from workbench.errors import DataError
from workbench.measure import BatchTiming, Quality, Scorecard, Timing, compare_timings

BLOCKS = ((1.0, 1.1, 1.0), (1.2, 1.2, 1.3), (1.1, 1.1, 1.1))
TIMING = Timing(
    name="net",
    runtime="onnxruntime",
    device="cpu",
    threads=1,
    batches=(
        BatchTiming(1, 1.0, 1.1, 1.2, 1.5, 1.1, 300, *BLOCKS),
        BatchTiming(50, 20.0, 21.0, 25.0, 30.0, 36.0, 90, *BLOCKS),
    ),
    load_time_ms=12.0,
    import_time_ms=200.0,
    peak_memory_bytes=90_000_000,
    model_memory_bytes=30_000_000,
    busy=0.5,
    warning="Other work used 50 %.",
    session="s1",
    budget="smoke",
    rounds=3,
    block_seconds=0.06,
    details={"threads": 1},
)
CARD = Scorecard(
    name="net",
    quality=(Quality("accuracy", 0.9, 0.88, 0.92, 1000, "points", True, "valid"),),
    size_bytes=1_000_000,
    size_gzip_bytes=900_000,
    parameters=250_000,
    macs=31_000_000,
    timing={"onnxruntime": TIMING},
    runtime="onnxruntime",
    price_per_core_hour=0.05,
    host={"name": "here", "versions": {"torch": "2"}},
    budget="smoke",
    measured_at="2026-01-01T00:00:00+00:00",
)


def test_scorecard_reads_back_from_json() -> None:
    assert Scorecard.from_json(json.loads(json.dumps(CARD.to_json()))) == CARD
    bare = replace(CARD, timing={}, runtime="", parameters=None, macs=None)
    assert Scorecard.from_json(json.loads(json.dumps(bare.to_json()))) == bare


def test_cost_comes_from_processor_time_at_the_largest_batch() -> None:
    assert TIMING.throughput == pytest.approx(50 / 0.025)
    assert CARD.core_seconds_per_million == pytest.approx(0.036 / 50 * 1e6)
    assert CARD.money_per_million == pytest.approx(720 / 3600 * 0.05)
    assert replace(CARD, price_per_core_hour=None).money_per_million is None
    assert replace(CARD, timing={}, runtime="").core_seconds_per_million is None


def test_table_for_people_holds_intervals_units_and_the_warning() -> None:
    table = CARD.to_frame().set_index("measure")
    assert table.loc["accuracy (valid)", "value"] == "90.00 %"
    assert table.loc["accuracy (valid)", "note"] == "88.00 % to 92.00 %, n = 1,000"
    assert table.loc["latency, batch 1", "value"] == "1.20 ms"
    assert "warning" in table.index
    assert len(replace(CARD, timing={}, runtime="").to_frame()) == 4


def test_leading_runtime_must_have_been_timed() -> None:
    with pytest.raises(DataError, match="`torch` was not timed; timed: onnxruntime"):
        replace(CARD, runtime="torch")


def test_quality_is_found_by_metric_and_split_or_refused_with_what_there_is() -> None:
    assert CARD.quality_of("accuracy").split == "valid"
    with pytest.raises(DataError, match="accuracy on valid"):
        CARD.quality_of("accuracy", "test")


def test_timings_of_different_sessions_do_not_compare() -> None:
    assert compare_timings(TIMING, TIMING, batch_size=50).decision == "equivalent"
    with pytest.raises(DataError, match="time them together"):
        compare_timings(TIMING, replace(TIMING, session="s2"))
    with pytest.raises(DataError, match="measured: 1, 50"):
        compare_timings(TIMING, TIMING, batch_size=8)
