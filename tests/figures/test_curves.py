"""Curves: order, gaps and refused tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from workbench.errors import DataError
from workbench.figures import plot_curves
from workbench.figures.curves import _curves


def table(**columns) -> pd.DataFrame:
    points = {
        "name": ["train", "valid", "train", "train"],
        "x": [2, 1, 1, 3],
        "y": [0.5, 0.9, 1.0, np.inf],
    }
    return pd.DataFrame({**points, **columns})


def test_points_are_sorted_and_names_keep_their_order():
    points = _curves(table())
    assert points["name"].tolist() == ["train", "train", "train", "valid"]
    assert points["x"].tolist() == [1, 2, 3, 1]


def test_a_value_that_is_not_finite_becomes_a_gap():
    assert _curves(table())["y"].isna().tolist() == [False, False, True, False]


def test_figure_has_one_line_a_name_with_its_last_value_and_numpy_arrays():
    lines = [trace for trace in plot_curves(table()).data if trace.showlegend is not False]
    assert [line.name for line in lines] == ["train <b>0.5</b>", "valid <b>0.9</b>"]
    assert all(isinstance(line.y, np.ndarray) for line in lines)
    assert len({(line.line.color, line.line.dash) for line in lines}) == 2


def test_markup_in_names_is_escaped():
    assert "<i>" not in plot_curves(table(name=["<i>a"] * 4)).data[0].name


def test_y_axis_is_logarithmic_when_log_y_is_set():
    assert plot_curves(table(), log_y=True).layout.yaxis.type == "log"


def test_missing_columns_and_empty_tables_are_refused():
    with pytest.raises(DataError, match="y missing"):
        plot_curves(table().drop(columns="y"))
    with pytest.raises(DataError, match="at least one point"):
        plot_curves(table().iloc[:0])
