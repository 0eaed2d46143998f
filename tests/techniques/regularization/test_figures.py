"""Figures of regularization show the numbers of their tables."""

from __future__ import annotations

import pandas as pd
import pytest

from workbench.errors import DataError
from workbench.techniques.regularization.figures import (
    plot_gap,
    plot_stopping,
    plot_switches,
    plot_validation_curve,
    plot_weights,
)

HISTORY = pd.DataFrame(
    {
        "training": ["regularized"] * 3 + ["control"] * 2,
        "epoch": [1, 2, 3, 1, 2],
        "train_score": [0.5, 0.7, 0.8, 0.8, 1.0],
        "held_out_score": [0.5, 0.65, 0.75, 0.6, 0.7],
        "gap": [0.0, 0.05, 0.05, 0.2, 0.3],
        "weight_norm": [9.0, 8.0, 7.0, 9.0, 10.0],
        "sparsity": [0.0, 0.2, 0.4, 0.0, 0.0],
    }
)
STOPS = pd.DataFrame(
    {
        "training": ["regularized", "control"],
        "best_epoch": [3, 2],
        "last_epoch": [3, 2],
        "planned": [3, 8],
        "stopped": [False, True],
    }
)
SUMMARY = pd.DataFrame(
    {
        "value": [0.0, 1.0, 10.0],
        "n": 3,
        "train": [1.0, 0.9, 0.8],
        "train_low": [0.99, 0.88, 0.7],
        "train_high": [1.0, 0.92, 0.9],
        "held_out": [0.7, 0.8, 0.79],
        "held_out_low": [0.6, 0.75, 0.7],
        "held_out_high": [0.8, 0.85, 0.88],
        "is_chosen": [False, False, True],
    }
)
GAINS = pd.DataFrame(
    {
        "switch": ["none", "dropout", "<b>"],
        "value": ["", "0.2", ""],
        "gain": [0.0, 0.02, -0.01],
        "low": [0.0, 0.01, -0.03],
        "high": [0.0, 0.03, 0.01],
        "n": 3,
        "verdict": ["", "better", "undecided"],
    }
)


def test_gap_is_the_area_between_train_and_held_out_rows():
    drawn = plot_gap(HISTORY)
    assert [t.fill for t in drawn.data] == [None, "tonexty", None, "tonexty"]
    assert list(drawn.data[2].y) == [80, 100]
    assert "regularized 5.00, control 30.00" in drawn.layout.title.subtitle.text


def test_stop_is_marked_where_it_cut():
    drawn = plot_stopping(HISTORY, STOPS)
    assert "control cut after 2 of 8 epochs" in drawn.layout.title.subtitle.text
    assert "regularized not cut" in drawn.layout.title.subtitle.text
    assert [shape.x0 for shape in drawn.layout.shapes] == [2]
    assert list(drawn.data[1].y) == [75], "the epoch whose weights are kept"


def test_weights_have_a_norm_and_zeros_in_percent():
    drawn = plot_weights(HISTORY)
    assert list(drawn.data[0].y) == [9, 8, 7]
    assert list(drawn.data[1].y) == [0, 20, 40]


def test_validation_curve_has_bands_and_the_chosen_value():
    drawn = plot_validation_curve(SUMMARY)
    assert "dotted: 10, by the one-standard-error rule" in drawn.layout.title.subtitle.text
    assert [shape.x0 for shape in drawn.layout.shapes] == [2]
    assert sum(t.fill == "toself" for t in drawn.data) == 2
    alone = SUMMARY.assign(n=1, held_out_low=float("nan"), train_low=float("nan"))
    assert not any(t.fill == "toself" for t in plot_validation_curve(alone).data)


def test_switches_show_gains_in_points_with_intervals():
    drawn = plot_switches(GAINS)
    assert list(drawn.data[0].y) == ["&lt;b&gt;", "dropout 0.2"]
    assert list(drawn.data[0].x) == pytest.approx([-1, 2])
    assert list(drawn.data[0].error_x.array) == pytest.approx([2, 1])


def test_other_metrics_keep_their_unit():
    assert list(plot_gap(HISTORY, metric="mse").data[2].y) == [0.8, 1.0]


@pytest.mark.parametrize(
    ("plot", "table"),
    [
        (plot_gap, HISTORY),
        (plot_weights, HISTORY),
        (plot_validation_curve, SUMMARY),
        (plot_switches, GAINS),
    ],
)
def test_table_without_a_column_or_rows_is_refused(plot, table):
    with pytest.raises(DataError, match="missing"):
        plot(table.drop(columns=table.columns[0]))
    with pytest.raises(DataError, match="at least one row"):
        plot(table.iloc[:0])
