"""The exporter's table of operators: read once, the same file, and put back afterwards."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.onnx._internal.exporter._registration import ONNXRegistry

from workbench.runtimes import exporter_operators, torch_export


@pytest.fixture
def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.GELU(), torch.nn.LayerNorm(3)).eval()


INPUTS = {"x": np.ones((2, 4), np.float32)}


def test_file_is_the_one_that_torch_writes_with_a_new_table(network, monkeypatch):
    kept = torch_export.exported(network, INPUTS, "net")
    monkeypatch.setattr(
        exporter_operators, "_operators", lambda registry, own: own.__get__(None, registry)
    )
    assert torch_export.exported(network, INPUTS, "net") == kept


def test_table_is_read_once_and_exports_outside_of_the_block_read_their_own():
    with exporter_operators.kept_operators():
        first, second = ONNXRegistry.from_torchlib(), ONNXRegistry().from_torchlib()
        assert first is second
    assert isinstance(ONNXRegistry.__dict__["from_torchlib"], classmethod)
    assert ONNXRegistry.from_torchlib() is not first


def test_table_is_read_again_when_torch_has_more_operators():
    """A network trained for int8 needs operators that come with the library, after an export."""
    with exporter_operators.kept_operators():
        before = ONNXRegistry.from_torchlib()
        with torch.library._scoped_library("workbench_test", "DEF") as library:
            library.define("twice(Tensor x) -> Tensor")
            assert ONNXRegistry.from_torchlib() is not before
        assert ONNXRegistry.from_torchlib() is before


def test_it_is_put_back_after_an_error():
    with pytest.raises(KeyError), exporter_operators.kept_operators():
        raise KeyError
    assert isinstance(ONNXRegistry.__dict__["from_torchlib"], classmethod)


def test_another_version_of_torch_without_the_table_exports_as_before(network, monkeypatch):
    monkeypatch.delattr(ONNXRegistry, "from_torchlib")
    with exporter_operators.kept_operators():
        assert not hasattr(ONNXRegistry, "from_torchlib")
