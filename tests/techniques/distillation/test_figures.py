"""Figures of distillation: what they show, and what they refuse."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from workbench.errors import DataError
from workbench.techniques.distillation.figures import (
    plot_agreement,
    plot_gain,
    plot_grid,
    plot_reliability,
)

GRID = pd.DataFrame(
    [
        {"temperature": t, "alpha": a, "seed": s, "score": 0.9 + 0.01 * t * a + 0.001 * s}
        for t in (1.0, 4.0)
        for a in (0.0, 1.0)
        for s in (0, 1)
    ]
)
GAIN = pd.DataFrame(
    {
        "seed": [0, 1, 2],
        "with": [0.93, 0.94, 0.95],
        "without": [0.92, 0.92, 0.92],
        "difference": [0.01, 0.02, 0.03],
    }
)


def test_grid_frames_the_best_cell_and_names_the_control():
    drawn = plot_grid(GRID)
    np.testing.assert_allclose(drawn.data[0].z, [[90.05, 90.05], [91.05, 94.05]])
    assert (drawn.layout.shapes[0].x0, drawn.layout.shapes[0].y0) == (
        pytest.approx(0.53),
        pytest.approx(0.53),
    )
    assert drawn.layout.yaxis.ticktext[0] == "0 (no teacher)"
    lowest = plot_grid(GRID, metric="mse")
    assert lowest.layout.shapes[0].y0 == pytest.approx(-0.47), "of an error the smallest is best"


def test_gain_shows_every_seed_and_the_interval_of_the_mean():
    drawn = plot_gain(GAIN)
    assert [list(t.y) for t in drawn.data[:3]] == [[92, 93], [92, 94], [92, 95]]
    mean = drawn.data[-1]
    assert mean.y[0] == pytest.approx(2)
    assert mean.error_y.array[0] == pytest.approx(4.303 / 3**0.5, rel=1e-3)
    assert not plot_gain(GAIN[:1]).data[-1].error_y.visible, "one seed bounds nothing"


def test_agreement_draws_the_control_where_there_is_one():
    table = pd.DataFrame(
        {"class": ["all", "<i>coat"], "n": [10, 5], "student_agreement": [0.9, 0.8]}
    )
    assert [t.name for t in plot_agreement(table).data] == ["student"]
    both = plot_agreement(table.assign(control_agreement=[0.7, 0.6]))
    assert [t.name for t in both.data if t.name] == ["same student without a teacher", "student"]
    assert "<i>" not in "".join(both.data[-1].y)


def test_reliability_tells_the_calibration_error_of_each_model():
    table = pd.DataFrame(
        {"model": ["student"] * 2, "confidence": [0.6, 0.9], "accuracy": [0.5, 0.9], "n": [10, 30]}
    )
    assert [t.name for t in plot_reliability(table).data[1:]] == ["student <b>2.5 %</b>"]


@pytest.mark.parametrize("plot", [plot_grid, plot_gain, plot_agreement, plot_reliability])
def test_wrong_or_empty_tables_are_refused(plot):
    with pytest.raises(DataError, match="missing, got"):
        plot(pd.DataFrame({"x": [1]}))
    with pytest.raises(DataError, match="at least one row"):
        plot(
            {plot_grid: GRID, plot_gain: GAIN}.get(
                plot,
                pd.DataFrame(
                    {
                        "class": [],
                        "model": [],
                        "n": [],
                        "student_agreement": [],
                        "confidence": [],
                        "accuracy": [],
                    }
                ),
            )[:0]
        )
