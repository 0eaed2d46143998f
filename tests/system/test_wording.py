"""Numbers as text: percent, points, intervals, sizes and times, worded alike everywhere."""

from __future__ import annotations

import pytest

from workbench.system.wording import (
    bytes_text,
    difference_text,
    duration_text,
    gib_text,
    interval_text,
    ms_text,
    percent,
    points,
    seconds_text,
    threshold_text,
    times_text,
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


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [(0, "0 kB"), (410_400, "410 kB"), (1_018_000, "1.02 MB"), (2**30, "1.07 GB")],
)
def test_size_has_the_unit_in_which_it_is_short(n_bytes, text):
    assert bytes_text(n_bytes) == text


def test_size_in_mb_is_shown_with_the_decimals_given():
    assert bytes_text(123_456_789, 0) == "123 MB"


def test_memory_is_shown_in_gib():
    assert gib_text(3 * 2**29) == "1.5 GiB"


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0 ms"),
        (0.00123, "0.0012 ms"),
        (0.3571, "0.357 ms"),
        (1.5, "1.50 ms"),
        (60, "60.0 ms"),
        (1240, "1,240 ms"),
    ],
)
def test_milliseconds_have_about_three_digits(ms, text):
    assert ms_text(ms) == text


def test_seconds_become_minutes_from_100_on():
    assert seconds_text(3) == "3.0 s"
    assert seconds_text(150) == "2.5 min"


def test_factor_of_a_loss_has_two_decimals():
    assert times_text(2.71) == "2.7x"
    assert times_text(0.834) == "0.83x"


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.2, 0.2, "1 s"),
        (7.4, 7.4, "7 s"),
        (38.0, 41.0, "40 s"),
        (58.0, 62.0, "1 min"),
        (21.0, 44.0, "20 to 45 s"),
        (40.0, 170.0, "40 s to 3 min"),
        (62.0, 175.0, "1 to 3 min"),
        (100.0, 700.0, "1.5 to 12 min"),
        (5300.0, 5400.0, "88 min to 1.5 h"),
        (9000.0, 9000.0, "2.5 h"),
    ],
)
def test_an_estimated_time_is_rounded_and_names_its_unit_once(low, high, text):
    assert duration_text(low, high) == text
