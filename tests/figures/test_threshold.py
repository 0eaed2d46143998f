"""The figure of a threshold: its numbers, its marks, and refused tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from workbench.errors import DataError
from workbench.figures import plot_threshold


def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "threshold": [0.5, 0.0, 1.0],
            "cost": [0.2, 0.5, 0.4],
            "cost_low": [0.1, 0.4, 0.3],
            "cost_high": [0.3, 0.6, 0.5],
            "precision": [0.8, 0.5, np.nan],
            "recall": [0.7, 1.0, 0.0],
            "share_flagged": [0.4, 1.0, 0.0],
        }
    )


def test_lines_are_in_the_order_of_thresholds_with_a_band_and_shares_in_percent():
    lines = {t.name: t for t in plot_threshold(table(), 0.2).data if t.name}
    assert list(lines) == [
        "95 % interval",
        "expected cost",
        "precision",
        "recall",
        "share of rows flagged",
    ]
    assert all(line.x.tolist() == [0.0, 0.5, 1.0] for line in lines.values())
    assert lines["expected cost"].y.tolist() == [0.5, 0.2, 0.4]
    assert lines["95 % interval"].y.tolist() == [0.6, 0.3, 0.5]
    assert lines["95 % interval"].fill == "tonexty"
    assert lines["recall"].y.tolist() == [100.0, 70.0, 0.0]
    assert np.isnan(lines["precision"].y[-1])
    assert len({line.line.dash for line in list(lines.values())[2:]}) == 3


def test_chosen_and_usual_threshold_are_marked_through_both_panels():
    shown = plot_threshold(table(), 0.2)
    assert [shape.x0 for shape in shown.layout.shapes] == [0.2, 0.5]
    assert all((shape.y0, shape.y1, shape.yref) == (0, 1, "paper") for shape in shown.layout.shapes)
    assert [a.text for a in shown.layout.annotations] == ["<b>chosen 0.2</b>", "usual 0.5"]


def test_labels_of_near_thresholds_stand_on_opposite_sides_of_their_lines():
    for chosen, sides in ((0.45, ["right", "left"]), (0.55, ["left", "right"])):
        labels = plot_threshold(table(), chosen).layout.annotations
        assert [label.xanchor for label in labels] == sides
    assert len(plot_threshold(table(), 0.5).layout.annotations) == 1


@pytest.mark.parametrize(("chosen", "side"), [(0.02, "left"), (0.98, "right"), (0.3, "center")])
def test_label_stays_inside_the_figure(chosen, side):
    assert plot_threshold(table(), chosen).layout.annotations[0].xanchor == side


def test_missing_columns_empty_tables_and_thresholds_outside_0_to_1_are_refused():
    with pytest.raises(DataError, match="missing: `recall`"):
        plot_threshold(table().drop(columns="recall"), 0.2)
    with pytest.raises(DataError, match="at least one row"):
        plot_threshold(table().iloc[:0], 0.2)
    with pytest.raises(DataError, match=r"`chosen` must be from 0 to 1, got 1\.5"):
        plot_threshold(table(), 1.5)
