"""Figures of the ledger: their numbers, and that the figures show them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from workbench.errors import DataError
from workbench.figures import palette, plot_ledger, plot_tradeoff
from workbench.figures.tradeoff import _tradeoff
from workbench.figures.units import amount, axis, is_higher_better, is_score, times
from workbench.figures.waterfall import _waterfall


@pytest.fixture
def rows() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "step": ["start", "pruning", "fine-tune", "int8"],
            "latency_ms": [4.0, 2.0, 2.1, 0.5],
            "size_bytes": [2.82e6, 754e3, 754e3, 242e3],
            "quality": [0.990, 0.984, 0.988, 0.985],
        }
    )


def test_waterfall_has_totals_at_both_ends_and_one_change_a_step(rows):
    table = _waterfall(rows, "latency_ms")
    assert table["step"].tolist() == ["start", "pruning", "fine-tune", "int8", "result"]
    assert table["kind"].tolist() == ["total", "change", "change", "change", "total"]
    assert table["bottom"].tolist() == [0.0, 4.0, 2.0, 2.1, 0.0]
    assert table["top"].tolist() == [4.0, 2.0, 2.1, 0.5, 0.5]


def test_changes_add_up_to_the_result(rows):
    table = _waterfall(rows, "latency_ms")
    changes = table.loc[table["kind"] == "change", "delta"].sum()
    assert 4.0 + changes == pytest.approx(table["value"].iloc[-1])


def test_factor_says_how_many_times_better_than_the_start(rows):
    assert _waterfall(rows, "latency_ms")["factor"].tolist() == pytest.approx(
        [1.0, 2.0, 4 / 2.1, 8.0, 8.0]
    )
    faster = rows.assign(throughput=[10.0, 20.0, 20.0, 5.0])
    assert _waterfall(faster, "throughput", higher_is_better=True)[
        "factor"
    ].tolist() == pytest.approx([1, 2, 2, 0.5, 0.5])


def test_verdicts_follow_the_direction(rows):
    assert _waterfall(rows, "latency_ms")["verdict"].tolist() == [
        "total",
        "better",
        "worse",
        "better",
        "total",
    ]
    assert _waterfall(rows, "size_bytes")["verdict"].tolist()[2] == "equivalent"
    assert _waterfall(rows, "quality", higher_is_better=True)["verdict"].tolist()[1:4] == [
        "worse",
        "better",
        "worse",
    ]


def test_a_step_whose_interval_overlaps_the_one_before_is_undecided(rows):
    rows = rows.assign(
        latency_ms_low=rows["latency_ms"] - 0.2, latency_ms_high=rows["latency_ms"] + 0.2
    )
    assert _waterfall(rows, "latency_ms")["verdict"].tolist() == [
        "total",
        "better",
        "undecided",
        "better",
        "total",
    ]


def test_a_verdict_column_replaces_the_verdict_of_the_intervals(rows):
    rows = rows.assign(latency_ms_verdict=["", "equivalent", "worse", None])
    assert _waterfall(rows, "latency_ms")["verdict"].tolist() == [
        "total",
        "equivalent",
        "worse",
        "undecided",
        "total",
    ]


def test_a_score_is_drawn_as_its_difference_to_the_start(rows):
    table = _waterfall(rows, "quality", higher_is_better=True)
    assert table["top"].tolist() == pytest.approx([0.0, -0.006, -0.002, -0.005, -0.005])
    assert table["delta"].iloc[-1] == pytest.approx(-0.005)


def test_a_ledger_of_its_start_alone_is_one_total(rows):
    assert _waterfall(rows.iloc[:1], "latency_ms")["kind"].tolist() == ["total"]
    assert len(plot_ledger(rows.iloc[:1]).layout.annotations) == 1


def test_figure_writes_factors_units_and_the_colors_of_the_verdicts(rows):
    figure = plot_ledger(rows)
    assert [a.text for a in figure.layout.annotations] == [
        "<b>4.00 ms</b>",
        "<b>2.0x</b><br>−2 ms",
        "<b>1.9x</b><br>+0.1 ms",
        "<b>8.0x</b><br>−1.6 ms",
        "<b>8.0x</b><br>0.500 ms",
    ]
    assert figure.layout.yaxis.title.text == "latency (ms)"
    colors = {bar.name: bar.marker.color for bar in figure.data if bar.type == "bar"}
    assert colors == {"total": palette.total, "better": palette.better, "worse": palette.worse}


def test_size_axis_has_the_unit_of_its_largest_value(rows):
    assert plot_ledger(rows, value="size_bytes").layout.yaxis.title.text == "size (MB)"
    small = rows.assign(size_bytes=[60e3, 31e3, 31e3, 8e3])
    assert plot_ledger(small, value="size_bytes").layout.yaxis.title.text == "size (kB)"


def test_steps_of_the_same_name_keep_one_bar_each_and_markup_is_escaped(rows):
    figure = plot_ledger(rows.assign(step=["start", "<b>", "<b>", "int8"]))
    assert list(figure.layout.xaxis.ticktext) == [
        "start",
        "&lt;b&gt;",
        "&lt;b&gt;",
        "int8",
        "result",
    ]
    assert sum(len(bar.x) for bar in figure.data if bar.type == "bar") == 5


def test_intervals_are_drawn_when_the_ledger_has_them(rows):
    def drawn(rows: pd.DataFrame) -> list[np.ndarray]:
        return [t.error_y.array for t in plot_ledger(rows).data if t.error_y.array is not None]

    assert drawn(rows) == []
    rows = rows.assign(
        latency_ms_low=[3.8, 1.9, np.nan, 0.4], latency_ms_high=[4.1, 2.3, np.nan, 0.6]
    )
    assert np.nanmax(np.concatenate(drawn(rows))) == pytest.approx(0.3)


def test_missing_columns_values_and_rows_are_refused_by_name(rows):
    with pytest.raises(DataError, match="no column `memory_mb`; it has step, latency_ms"):
        plot_ledger(rows, value="memory_mb")
    with pytest.raises(DataError, match="`latency_ms` at pruning"):
        plot_ledger(rows.assign(latency_ms=[4.0, np.nan, 2.0, 1.0]))
    with pytest.raises(DataError, match="at least the row of its start"):
        plot_ledger(rows.iloc[:0])


def test_tradeoff_marks_the_rows_that_no_other_row_dominates(rows):
    # int8 is faster, smaller and better than pruning
    assert _tradeoff(rows)["front"].tolist() == [True, False, True, True]
    assert _tradeoff(rows.assign(quality=[0.99, 0.989, 0.988, 0.985]))["front"].tolist() == [
        True,
        True,
        False,
        True,
    ]
    # of two rows with equal quality and latency the smaller one wins
    equal = rows.assign(latency_ms=1.0, quality=0.9, size_bytes=[3.0, 2.0, 1.0, 2.0])
    assert _tradeoff(equal)["front"].tolist() == [False, False, True, False]


def test_tradeoff_draws_areas_by_size_on_a_log_axis(rows):
    figure = plot_tradeoff(
        rows.assign(quality_low=rows["quality"] - 0.01, quality_high=rows["quality"] + 0.01)
    )
    points = [t for t in figure.data if t.name == "worth choosing"]
    assert figure.layout.xaxis.type == "log"
    assert points[0].marker.sizemode == "area"
    assert points[0].marker.size[0] == 2.82e6
    assert points[0].error_y.array[0] == pytest.approx(0.01)
    assert "<b>int8</b><br>242 kB" in [a.text for a in figure.layout.annotations]


def test_tradeoff_works_without_sizes_and_refuses_a_latency_of_zero(rows):
    assert all(
        "kB" not in a.text
        for a in plot_tradeoff(rows.drop(columns="size_bytes")).layout.annotations
    )
    with pytest.raises(DataError, match="above zero"):
        plot_tradeoff(rows.assign(latency_ms=[1.0, 0.0, 1.0, 1.0]))


@pytest.mark.parametrize(
    ("value", "column", "text"),
    [
        (2.82e6, "size_bytes", "2.82 MB"),
        (242_000, "size_bytes", "242 kB"),
        (999_900, "size_bytes", "1.00 MB"),
        (12, "size_bytes", "12.0 bytes"),
        (0.052, "latency_ms", "0.0520 ms"),
        (1240, "latency_ms", "1,240 ms"),
        (31e6, "macs", "31.0 M"),
        (0.98765, "quality", "0.9877"),
    ],
)
def test_amounts_have_the_unit_of_their_size(value, column, text):
    assert amount(value, column) == text


def test_changes_have_a_sign_and_factors_an_x():
    assert [amount(v, "latency_ms", signed=True) for v in (-2.33, 0.003, 0)] == [
        "−2.3 ms",
        "+0.003 ms",
        "±0 ms",
    ]
    assert [times(f) for f in (2.7, 31.4, 0.83, 1.0)] == ["2.7x", "31x", "0.83x", "1.0x"]
    assert axis("latency_p50_ms", 3.0) == ("latency p50 (ms)", 1.0)
    assert is_higher_better("throughput_per_s")
    for name in ("balanced_accuracy", "label_accuracy", "pr_auc", "roc_auc", "f1", "quality_valid"):
        assert is_higher_better(name)
        assert is_score(name)
        assert amount(0.98765, name) == "0.9877"
    for name in ("log_loss", "brier", "calibration_error", "mse", "size_bytes"):
        assert not is_higher_better(name)
        assert not is_score(name)
    assert not is_higher_better("latency_ms")
