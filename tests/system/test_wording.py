"""Numbers as text: percent, points and intervals, one wording for the whole package."""

from __future__ import annotations

import pytest

from workbench.system.wording import (
    difference_text,
    interval_text,
    percent,
    points,
    threshold_text,
    value_text,
)


@pytest.mark.parametrize(
    ("share", "decimals", "text"),
    [
        (0.925, 2, "92.50 %"),
        (1.0, 2, "100.00 %"),
        (-0.001, 2, "-0.10 %"),
        (0.925, 0, "92 %"),
        (0.5, 1, "50.0 %"),
        (0.95, None, "95 %"),
        (1 - 0.05 / 3, None, "98.3 %"),
    ],
)
def test_percent_shows_a_share_with_the_decimals_given(share, decimals, text):
    assert percent(share, decimals) == text


def test_points_are_signed_unless_the_sentence_has_the_direction():
    assert points(0.0042) == "+0.42 points"
    assert points(-0.0042) == "-0.42 points"
    assert points(0.0042, signed=False) == "0.42 points"


@pytest.mark.parametrize(
    ("unit", "value", "difference", "threshold"),
    [("points", "92.35 %", "+92.35 points", "92 points"), ("", "0.9235", "+0.924", "0.92")],
)
def test_unit_decides_how_values_differences_and_thresholds_are_shown(
    unit, value, difference, threshold
):
    assert value_text(0.92351, unit) == value
    assert difference_text(0.92351, unit) == difference
    assert difference_text(0.92351, unit, signed=False) == difference.lstrip("+")
    assert threshold_text(0.92351, unit) == threshold


def test_interval_shows_its_bounds_without_a_unit():
    assert interval_text(0.918, 0.9315) == "91.80 to 93.15"
    assert interval_text(-0.003, 0.0006, signed=True) == "-0.30 to +0.06"
    assert interval_text(0.12345, 2, "") == "0.1235 to 2"
    assert interval_text(-0.12345, 2, "", signed=True) == "-0.123 to +2"
