"""Types in which networks get arrays."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from workbench.data.dtypes import AsFloat, for_network
from workbench.data.tensors import tensor

WHOLE = ("int8", "int16", "int32", "int64", "uint16", "uint32", "uint64")
FLOATS = ("float16", "float32", "float64", "longdouble", ">f4", ">f8", "<f2")


@pytest.mark.parametrize("dtype", FLOATS)
def test_floats_become_float32(dtype):
    made = tensor(np.array([[1.5, -2.0]], dtype), "cpu")
    assert made.dtype is torch.float32
    assert made.tolist() == [[1.5, -2.0]]


@pytest.mark.parametrize("dtype", [*WHOLE, ">i2", ">i8", ">u4"])
def test_whole_numbers_become_int64(dtype):
    made = tensor(np.array([3, 100], dtype), "cpu")
    assert made.dtype is torch.int64
    assert made.tolist() == [3, 100]


@pytest.mark.parametrize(("dtype", "kept"), [("uint8", torch.uint8), ("bool", torch.bool)])
def test_bytes_and_truth_values_stay(dtype, kept):
    assert tensor(np.array([1, 0], dtype), "cpu").dtype is kept


def test_bfloat16_of_numpy_becomes_float32():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    array = np.array([1.5, 2.0], ml_dtypes.bfloat16)
    assert tensor(array, "cpu").tolist() == [1.5, 2.0]


def test_an_array_of_the_right_type_is_not_copied():
    array = np.zeros((2, 3), np.float32)
    assert for_network(array) is array


def test_views_in_other_orders_and_read_only_arrays_are_taken():
    array = np.arange(6.0).reshape(2, 3).T
    array.flags.writeable = False
    assert tensor(array, "cpu").tolist() == [[0, 3], [1, 4], [2, 5]]


def test_as_float_changes_the_named_inputs_after_another_prepare():
    prepare = AsFloat(("a",), lambda inputs: {**inputs, "b": np.array([7])})
    made = prepare({"a": np.array([1, 2], np.int16)})
    assert made["a"].dtype == np.float32
    assert made["b"].dtype.kind == "i"
