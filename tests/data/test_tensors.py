"""Rows as tensors: the same batches whether kept in memory or prepared by batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from workbench.data import tensors
from workbench.data.prepare import Normalize
from workbench.data.rows import DatasetRows, Rows
from workbench.data.tensors import TensorRows, tensor

PREPARE = Normalize(5.0, 2.0)


def _rows(n: int) -> Rows:
    images = np.random.default_rng(0).integers(0, 17, (n, 4, 4)).astype(np.uint8)
    return Rows({"image": images}, np.arange(n, dtype=np.int64))


class _Dataset(torch.utils.data.Dataset):
    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i):
        return torch.from_numpy(self.rows.inputs["image"][i]), int(self.rows.targets[i])


@pytest.fixture(params=["in memory", "by batch", "dataset"])
def as_tensors(request, monkeypatch):
    """`as_tensors(n)` gives `n` rows as tensors, in each of the ways to keep them."""

    def make(n: int, prepare=PREPARE) -> TensorRows:
        monkeypatch.setattr(
            tensors, "IN_MEMORY_BYTES", 1024**3 if request.param == "in memory" else 1
        )
        rows = _rows(n)
        return TensorRows(
            DatasetRows(_Dataset(rows), ("image",)) if request.param == "dataset" else rows,
            prepare,
            "cpu",
        )

    return make


def _targets(rows: TensorRows, size: int, seed: int | None = None) -> list[list[int]]:
    rng = None if seed is None else np.random.default_rng(seed)
    return [targets.tolist() for _, targets in rows.batches(size, rng)]


def test_batches_in_order_are_the_prepared_rows(as_tensors):
    rows = _rows(10)
    batches = list(as_tensors(10).batches(4))
    assert [len(t) for _, t in batches] == [4, 4, 2]
    torch.testing.assert_close(
        torch.cat([inputs["image"] for inputs, _ in batches]),
        torch.from_numpy(PREPARE(dict(rows.inputs))["image"]),
    )
    assert torch.cat([t for _, t in batches]).tolist() == list(range(10))


def test_shuffled_batches_are_those_of_the_generator_and_keep_rows_together(as_tensors):
    order = np.random.default_rng(3).permutation(10).tolist()
    assert _targets(as_tensors(10), 4, seed=3) == [order[:4], order[4:8], order[8:]]
    whole = PREPARE(dict(_rows(10).inputs))["image"]
    for inputs, targets in as_tensors(10).batches(4, np.random.default_rng(3)):
        np.testing.assert_array_equal(inputs["image"].numpy(), whole[targets.numpy()])


def test_last_batch_of_one_row_is_left_out_only_when_shuffled(as_tensors):
    assert [len(t) for t in _targets(as_tensors(9), 4)] == [4, 4, 1]
    assert [len(t) for t in _targets(as_tensors(9), 4, seed=0)] == [4, 4]
    assert [len(t) for t in _targets(as_tensors(10), 4, seed=0)] == [4, 4, 2]


def test_a_single_row_is_never_left_out(as_tensors):
    assert _targets(as_tensors(1), 4, seed=0) == [[0]]


def test_length_is_that_of_the_rows(as_tensors):
    assert len(as_tensors(9)) == 9


def test_rows_without_prepare_keep_their_inputs(as_tensors):
    inputs, _ = next(as_tensors(3, prepare=None).batches(3))
    np.testing.assert_array_equal(inputs["image"].numpy(), _rows(3).inputs["image"])


def test_large_rows_are_prepared_by_batch(monkeypatch):
    sizes = []

    def prepare(inputs):
        sizes.append(len(inputs["image"]))
        return PREPARE(inputs)

    monkeypatch.setattr(tensors, "IN_MEMORY_BYTES", 1)
    list(TensorRows(_rows(10), prepare, "cpu").batches(4))
    assert max(sizes) == 4
    sizes.clear()
    monkeypatch.undo()
    kept = TensorRows(_rows(10), prepare, "cpu")
    sizes.clear()
    list(kept.batches(4))
    assert sizes == []


@pytest.mark.parametrize(
    ("array_type", "tensor_type"),
    [
        ("float64", torch.float32),
        ("float32", torch.float32),
        ("float16", torch.float32),
        ("int8", torch.int64),
        ("int16", torch.int64),
        ("int32", torch.int64),
        ("int64", torch.int64),
        ("bool", torch.bool),
    ],
)
def test_tensor_has_a_type_for_networks(array_type, tensor_type):
    values = tensor(np.array([[0, 1], [1, 0]], array_type), "cpu")
    assert values.dtype == tensor_type
    assert values.tolist() == [[0, 1], [1, 0]]


def test_tensor_takes_arrays_that_are_views():
    turned = np.arange(12, dtype=np.float32).reshape(3, 4)[::-1, ::2].T
    np.testing.assert_array_equal(tensor(turned, "cpu").numpy(), turned)
