"""Measuring files: any ONNX file, whatever batch it was made for."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from workbench.errors import CandidateError, WorkbenchError
from workbench.measure.file import measure_file


def _graph(path, batch):
    weight = helper.make_tensor("w", TensorProto.FLOAT, [16, 4], np.ones(64, np.float32))
    value = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, size])
        for name, size in (("x", 16), ("y", 4))
    ]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], "g", value[:1], value[1:], [weight]
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path
    )
    return path


def test_file_with_a_fixed_batch_is_timed_at_that_batch_only(tmp_path):
    card = measure_file(_graph(tmp_path / "fixed.onnx", 3), budget="smoke")
    assert [b.batch_size for b in card.leading.batches] == [3]
    assert card.macs == 64
    assert card.parameters == 64


def test_file_with_a_free_batch_is_timed_at_both(tmp_path):
    card = measure_file(
        _graph(tmp_path / "free.onnx", "n"), budget="smoke", price_per_core_hour=1.0
    )
    assert [b.batch_size for b in card.leading.batches] == [1, 64]
    assert card.money_per_million == pytest.approx(card.core_seconds_per_million / 3600)
    assert card.quality == ()


def test_file_with_a_free_batch_is_timed_at_the_sizes_asked_for(tmp_path):
    path = _graph(tmp_path / "free.onnx", "n")
    card = measure_file(path, budget="smoke", batch_sizes=(2,))
    assert [b.batch_size for b in card.leading.batches] == [2]


def test_arguments_of_the_task_go_to_the_function_that_makes_it(tmp_path):
    path = _graph(tmp_path / "free.onnx", "n")
    with pytest.raises(WorkbenchError, match="no_such_argument"):
        measure_file(path, task="digits", task_args={"no_such_argument": 1})


def test_missing_file_is_told(tmp_path):
    with pytest.raises(CandidateError, match="There is no file"):
        measure_file(tmp_path / "nothing.onnx")
