"""Columns of a table as one matrix: scales of numbers of any size, and columns that never vary."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from workbench.data.prepare import Columns, Normalize
from workbench.data.rows import Rows


def prepared(train: list[float], values: list[float]) -> np.ndarray:
    """The scaled values, made without a warning of numpy."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = Rows({"a": np.array(train)}, np.zeros(len(train)))
        return Columns.fitted(rows)({"a": np.array(values)})["x"][:, 0]


@pytest.mark.parametrize("size", [1e308, 1e300, 1.0, 1e-160, 1e-300])
def test_numbers_of_any_size_are_scaled_to_mean_0_and_deviation_1(size):
    scaled = prepared([size, -size, size, -size], [size, -size, 0.0])
    np.testing.assert_allclose(scaled, [1, -1, 0], rtol=1e-6)


@pytest.mark.parametrize("size", [0.0, 0.1, 1e308])
def test_column_that_never_varies_is_0_and_other_values_keep_their_distance(size):
    np.testing.assert_array_equal(prepared([size] * 90, [size, np.nan]), [0, 0])
    assert prepared([0.1] * 90, [1.1])[0] == pytest.approx(1)


def test_value_too_large_for_float32_is_the_largest():
    largest = np.finfo(np.float32).max
    np.testing.assert_array_equal(
        prepared([1e-200, 2e-200, 3e-200], [1e300, -1e300]), [largest, -largest]
    )


def test_missing_and_infinite_values_are_the_median():
    columns = Columns.fitted(Rows({"a": np.array([1.0, 2.0, 9.0, np.nan])}, np.zeros(4)))
    median, mean, std = columns.numeric["a"]
    assert (median, mean, std) == (2.0, 3.5, np.std([1.0, 2.0, 9.0, 2.0]))
    scaled = columns({"a": np.array([np.nan, np.inf, 2.0])})["x"][:, 0]
    assert scaled[0] == scaled[1] == scaled[2]


def test_images_of_one_value_are_0():
    rows = Rows({"image": np.full((4, 2, 2), 7, np.uint8)}, np.zeros(4))
    assert not Normalize.fitted(rows)(rows.inputs)["image"].any()
