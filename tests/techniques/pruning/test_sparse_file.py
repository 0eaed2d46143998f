"""The compressed file: weights are restored bit for bit, and zeros need little space."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from workbench.errors import CandidateError
from workbench.models.resnet import resnet20
from workbench.techniques.pruning import PruningSettings, compress, decompress
from workbench.techniques.pruning.masks import apply
from workbench.techniques.pruning.sparse_file import compressed_table, dense_bytes
from workbench.techniques.pruning.unstructured import masks_of


def _bits(t):
    return t.contiguous().reshape(-1).view(torch.uint8) if t.numel() else t.reshape(-1)


def _same(state, other):
    assert list(state) == list(other)
    for name, tensor in state.items():
        assert (tensor.dtype, tensor.shape) == (other[name].dtype, other[name].shape), name
        assert torch.equal(_bits(tensor), _bits(other[name])), name


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.99, 0.9999, 1.0])
@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int8, torch.int64]
)
def test_everything_comes_back_bit_for_bit(share, dtype):
    torch.manual_seed(0)
    values = torch.randn(64, 33) * 100
    values[torch.rand(64, 33) < share] = 0
    _same({"w": values.to(dtype)}, decompress(compress({"w": values.to(dtype)})))


def test_odd_tensors_come_back_too():
    state = {
        "negative zero": torch.tensor([0.0, -0.0, 1.0, 0.0, -0.0]),
        "not a number": torch.tensor([float("nan"), 0.0, float("inf"), -float("inf"), 0.0]),
        "empty": torch.empty(0, 3),
        "one": torch.tensor(7),
        "flags": torch.tensor([True, False, False]),
        "not contiguous": torch.arange(12.0).reshape(3, 4).T,
        "all zero": torch.zeros(1000),
        "far apart": torch.zeros(100_000).index_fill(
            0, torch.tensor([0, 254, 255, 510, 99_999]), 1.5
        ),
    }
    _same(state, decompress(compress(state)))


def test_file_at_90_percent_is_at_most_a_fifth_of_the_dense_one_and_loads_into_the_network():
    torch.manual_seed(0)
    model = resnet20()
    apply(model, masks_of(model, PruningSettings(method="unstructured", pruning_ratio=0.9)))
    content = compress(model)
    table = compressed_table(model, content)
    assert table.ratio.item() == len(content) / dense_bytes(model) <= 0.2
    again = resnet20()
    again.load_state_dict(decompress(content))
    _same(model.state_dict(), again.state_dict())


def test_dense_weights_cost_hardly_more_than_their_own_file():
    model = nn.Linear(200, 100)
    assert len(compress(model)) < 1.02 * dense_bytes(model)


def test_damaged_and_foreign_files_are_refused():
    with pytest.raises(CandidateError, match="not a file of sparse weights"):
        decompress(b"something else")
    content = compress({"w": torch.randn(100)})
    with pytest.raises(CandidateError, match="damaged.*write it again"):
        decompress(content[:-20])
