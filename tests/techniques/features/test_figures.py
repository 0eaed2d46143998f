"""The figures show the numbers of their tables."""

from __future__ import annotations

import pandas as pd
import pytest

from workbench.errors import DataError
from workbench.techniques.features.figures import (
    plot_correlation,
    plot_importance,
    plot_scores,
    plot_stability,
)

IMPORTANCE = pd.DataFrame(
    {
        "column": ["a", "b"],
        "importance": [0.2, 0.01],
        "low": [0.1, -0.02],
        "high": [0.3, 0.04],
        "n_folds": 3,
    }
)
STABILITY = pd.DataFrame(
    {
        "feature": ["a", "a", "b", "b", "c", "c"],
        "set": ["s, fold 1", "s, fold 2"] * 3,
        "chosen": [True, True, True, False, False, False],
    }
)
SCORES = pd.DataFrame(
    {"fold": [1, 1, 2, 2], "n_features": [1, 4, 1, 4], "score": [0.5, 0.7, 0.6, 0.8]}
)
CORRELATION = pd.DataFrame(
    {
        "feature": ["a", "a", "b", "b"],
        "other": ["a", "b"] * 2,
        "r": [1, 0.9, 0.9, 1],
        "cluster": 1,
    }
)


def test_importance_has_the_best_column_on_top_and_its_interval():
    points = plot_importance(IMPORTANCE, metric="accuracy").data[0]
    assert list(points.y) == ["b", "a"]
    assert list(points.x) == [1.0, 20.0]
    assert points.error_x.array[1] == pytest.approx(10)


def test_stability_shows_the_features_that_any_fold_chooses_with_their_shares():
    heat = plot_stability(STABILITY).data[0]
    assert list(heat.y) == ["b  50 %", "a  100 %"]
    assert heat.z.tolist() == [[1, 0], [1, 1]]


def test_scores_show_folds_their_mean_and_the_chosen_number():
    drawn = plot_scores(SCORES, n_features=4)
    assert list(drawn.data[-1].y) == pytest.approx([55, 75])
    assert drawn.layout.shapes[0].x0 == 4


def test_correlation_is_square_in_the_order_of_the_table():
    heat = plot_correlation(CORRELATION).data[0]
    assert list(heat.x) == ["a (1)", "b (1)"]
    assert heat.z.tolist() == [[1, 0.9], [0.9, 1]]


@pytest.mark.parametrize(
    ("plot", "table"),
    [
        (plot_importance, IMPORTANCE),
        (plot_stability, STABILITY),
        (plot_scores, SCORES),
        (plot_correlation, CORRELATION),
    ],
)
def test_missing_columns_and_rows_are_refused(plot, table):
    with pytest.raises(DataError, match="missing"):
        plot(table.iloc[:, 1:])
    with pytest.raises(DataError, match="at least one row"):
        plot(table.head(0))
