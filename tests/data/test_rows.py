"""Rows and DatasetRows: the same methods, each row once, and unsuitable data refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from workbench.data.rows import DatasetRows, Rows, Splits
from workbench.errors import DataError

N = 10


@pytest.fixture
def rows() -> Rows:
    x = np.arange(N * 2, dtype=np.float32).reshape(N, 2)
    return Rows(
        {"x": x, "name": np.array([f"row {i}" for i in range(N)])}, np.arange(N), np.arange(N) // 3
    )


@pytest.fixture
def tensors() -> DatasetRows:
    x = torch.arange(N * 2, dtype=torch.float32).reshape(N, 2)
    return DatasetRows(TensorDataset(x, torch.arange(N)), ("x",))


@pytest.fixture
def samples() -> DatasetRows:
    """Samples as Hugging Face's datasets give them: a dict each, with the target under `labels`."""
    return DatasetRows(
        [{"text": f"row {i}", "ids": torch.tensor([i, i + 1]), "labels": i} for i in range(N)],
        ("text", "ids"),
    )


def _plus_one(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {"x": inputs["x"] + 1}


def _times_ten(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {"x": inputs["x"] * 10}


# ---- Rows ----


@pytest.mark.parametrize("wrong", ["x", "targets", "times"])
def test_rows_refused_with_the_lengths_when_they_are_unequal(wrong):
    lengths = {"x": 3, "targets": 3, "times": 3} | {wrong: 2}
    with pytest.raises(DataError, match=f"unequal length.*'{wrong}': 2"):
        Rows(
            {"x": np.zeros(lengths["x"])}, np.zeros(lengths["targets"]), np.zeros(lengths["times"])
        )


@pytest.mark.parametrize("kind", ["rows", "tensors", "samples"])
@pytest.mark.parametrize("seed", [None, 0])
@pytest.mark.parametrize("size", [1, 3, N, N + 1])
def test_batches_cover_every_row_once_with_its_own_target(request, kind, seed, size):
    data = request.getfixturevalue(kind)
    batches = list(data.batches(size, rng=None if seed is None else np.random.default_rng(seed)))
    targets = np.concatenate([t for _, t in batches])
    assert sorted(targets) == list(range(N))
    assert all(len(t) == size for _, t in batches[:-1])
    for inputs, t in batches:
        if "x" in inputs:
            np.testing.assert_array_equal(inputs["x"][:, 0], t * 2)
        else:
            np.testing.assert_array_equal(inputs["ids"][:, 0], t)
            assert inputs["text"].tolist() == [f"row {i}" for i in t]


@pytest.mark.parametrize("kind", ["rows", "tensors"])
def test_batches_keep_the_order_when_not_shuffled(request, kind):
    data = request.getfixturevalue(kind)
    assert np.concatenate([t for _, t in data.batches(4)]).tolist() == list(range(N))


@pytest.mark.parametrize("kind", ["rows", "tensors"])
def test_shuffled_batches_are_the_same_when_the_seed_is(request, kind):
    data = request.getfixturevalue(kind)

    def order(seed: int) -> list[int]:
        return np.concatenate(
            [t for _, t in data.batches(3, rng=np.random.default_rng(seed))]
        ).tolist()

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert order(1) != list(range(N))


def test_shuffled_batches_differ_between_epochs_of_one_generator(rows):
    rng = np.random.default_rng(0)
    epochs = [np.concatenate([t for _, t in rows.batches(3, rng=rng)]).tolist() for _ in range(2)]
    assert epochs[0] != epochs[1]


def test_rows_and_dataset_rows_shuffle_alike(rows, tensors):
    by_kind = [
        [t.tolist() for _, t in data.batches(3, rng=np.random.default_rng(5))]
        for data in (rows, tensors)
    ]
    assert by_kind[0] == by_kind[1]


@pytest.mark.parametrize("kind", ["rows", "tensors"])
def test_drop_last_leaves_out_only_a_last_batch_that_is_short(request, kind):
    data = request.getfixturevalue(kind)
    assert [len(t) for _, t in data.batches(4, drop_last=True)] == [4, 4]
    assert [len(t) for _, t in data.batches(5, drop_last=True)] == [5, 5]
    assert [len(t) for _, t in data.batches(N + 1, drop_last=True)] == [
        N
    ]  # else nothing would be left to train on


@pytest.mark.parametrize(
    ("indices", "expected"),
    [
        (slice(2, 5), [2, 3, 4]),
        (np.array([7, 0, 7]), [7, 0, 7]),
        (np.arange(N) % 4 == 1, [1, 5, 9]),
    ],
)
@pytest.mark.parametrize("kind", ["rows", "tensors"])
def test_take_gives_the_rows_of_the_indices_in_their_order(request, kind, indices, expected):
    taken = request.getfixturevalue(kind).take(indices)
    assert isinstance(taken, Rows)
    assert taken.targets.tolist() == expected
    assert taken.inputs["x"][:, 0].tolist() == [2 * i for i in expected]


def test_take_keeps_each_rows_time(rows):
    assert rows.take(np.array([9, 0, 4])).times.tolist() == [3, 0, 1]
    assert Rows({"x": np.zeros(3)}, np.zeros(3)).take(slice(0, 2)).times is None


def test_prepared_changes_inputs_only_and_leaves_the_original(rows):
    prepared = rows.prepared(_plus_one)
    np.testing.assert_array_equal(prepared.inputs["x"], rows.inputs["x"] + 1)
    assert set(prepared.inputs) == {"x"}
    np.testing.assert_array_equal(prepared.targets, rows.targets)
    np.testing.assert_array_equal(prepared.times, rows.times)
    assert rows.inputs["x"][0, 0] == 0
    assert set(rows.inputs) == {"x", "name"}
    assert rows.prepared(None) is rows


def test_prepared_refused_when_it_changes_the_number_of_rows(rows):
    with pytest.raises(DataError, match="unequal length"):
        rows.prepared(lambda inputs: {"x": inputs["x"][:-1]})


def test_digest_is_the_same_when_the_content_is(rows):
    again = Rows(
        dict(reversed({k: v.copy() for k, v in rows.inputs.items()}.items())),
        rows.targets.copy(),
        rows.times,
    )
    assert again.digest == rows.digest
    assert len(rows.digest) == 16


@pytest.mark.parametrize("change", ["value", "target", "order", "name", "fewer"])
def test_digest_differs_when_the_content_does(change):
    x, y = np.arange(6.0), np.arange(6)
    other = {
        "value": lambda: Rows({"x": x + (x == 3)}, y),
        "target": lambda: Rows({"x": x}, y + (y == 3)),
        "order": lambda: Rows({"x": x[::-1]}, y[::-1]),
        "name": lambda: Rows({"z": x}, y),
        "fewer": lambda: Rows({"x": x[:5]}, y[:5]),
    }[change]()
    assert other.digest != Rows({"x": x}, y).digest


@pytest.mark.parametrize(
    "other", [np.zeros((2, 2), np.float32).reshape(2, 2, 1), np.zeros((2, 2), np.int32)]
)
def test_digest_differs_when_shape_or_dtype_does(other):
    assert (
        Rows({"x": other}, np.zeros(2)).digest
        != Rows({"x": np.zeros((2, 2), np.float32)}, np.zeros(2)).digest
    )


def test_digest_of_objects_follows_their_values_not_their_addresses():
    first, second = (
        Rows({"x": np.array(["".join(["a", "b"]), None, 1.5], object)}, np.zeros(3))
        for _ in range(2)
    )
    assert first.digest == second.digest
    assert first.digest != Rows({"x": np.array(["ab", None, 2.5], object)}, np.zeros(3)).digest


# ---- DatasetRows ----


def test_tensor_dataset_gives_named_arrays_when_read(tensors):
    inputs, targets = next(tensors.batches(4))
    assert {name: (a.shape, a.dtype) for name, a in inputs.items()} == {"x": ((4, 2), np.float32)}
    assert targets.tolist() == [0, 1, 2, 3]
    assert len(tensors) == N
    assert tensors.targets.tolist() == list(range(N))


def test_tensor_dataset_gives_each_input_its_name_when_there_are_two():
    data = DatasetRows(
        TensorDataset(torch.zeros(3), torch.ones(3), torch.arange(3)), ("first", "second")
    )
    taken = data.take(slice(None))
    assert {name: a.tolist() for name, a in taken.inputs.items()} == {
        "first": [0, 0, 0],
        "second": [1, 1, 1],
    }
    assert taken.targets.tolist() == [0, 1, 2]


def test_dict_samples_give_arrays_without_the_target(samples):
    taken = samples.take(slice(0, 3))
    assert set(taken.inputs) == {"text", "ids"}
    assert taken.inputs["text"].tolist() == ["row 0", "row 1", "row 2"]
    assert taken.inputs["ids"].shape == (3, 2)
    assert taken.targets.tolist() == [0, 1, 2]


@pytest.mark.parametrize("key", ["labels", "label", "targets", "target", "y"])
def test_dict_samples_find_the_target_under_its_usual_names(key):
    taken = DatasetRows([{"x": 1.0, key: 7}, {"x": 2.0, key: 8}], ("x",)).take(slice(None))
    assert taken.targets.tolist() == [7, 8]
    assert list(taken.inputs) == ["x"]


def test_inputs_in_a_dict_with_a_separate_target_keep_their_names():
    taken = DatasetRows([({"a": 1.0, "b": 2.0}, 0), ({"a": 3.0, "b": 4.0}, 1)], ()).take(
        slice(None)
    )
    assert {name: a.tolist() for name, a in taken.inputs.items()} == {"a": [1, 3], "b": [2, 4]}


def test_collate_of_the_user_is_used_when_given():
    def padded(samples: list) -> tuple[torch.Tensor, torch.Tensor]:
        x = torch.nn.utils.rnn.pad_sequence(
            [torch.tensor(ids) for ids, _ in samples], batch_first=True
        )
        return x, torch.tensor([target for _, target in samples])

    taken = DatasetRows([([1], 0), ([2, 3, 4], 1)], ("ids",), collate=padded).take(slice(None))
    assert taken.inputs["ids"].tolist() == [[1, 0, 0], [2, 3, 4]]


def test_tensors_with_gradients_become_arrays():
    x = torch.ones(3, 2, requires_grad=True)
    assert (
        DatasetRows(TensorDataset(x, torch.arange(3)), ("x",)).take(slice(None)).inputs["x"].sum()
        == 6
    )


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (
            [{"x": 1.0, "label_id": 1}] * 2,
            r"keys \['label_id', 'x'\] holds no target; name it `labels`, `target` or `y`",
        ),
        (TensorDataset(torch.zeros(2)), r"tuple \(inputs, \.\.\., targets\)"),
        (
            torch.zeros(2, 3),
            r"must be a mapping or a tuple \(inputs, \.\.\., targets\), got Tensor",
        ),
    ],
    ids=["dict", "tuple", "bare"],
)
def test_batches_refused_with_the_way_out_when_there_is_no_target(dataset, message):
    with pytest.raises(DataError, match=message):
        next(DatasetRows(dataset, ("x",)).batches(2))


def test_inputs_in_a_nested_tuple_are_named_or_refused():
    data = DatasetRows([((torch.zeros(2), torch.ones(2)), i) for i in range(3)], ("a", "b"))
    try:
        inputs, targets = next(data.batches(3))
    except DataError:
        return
    assert {name: len(a) for name, a in inputs.items()} == {"a": len(targets), "b": len(targets)}


def test_dataset_rows_prepared_applies_when_rows_are_read(tensors):
    prepared = tensors.prepared(_plus_one)
    np.testing.assert_array_equal(prepared.take(slice(0, 2)).inputs["x"], [[1, 2], [3, 4]])
    np.testing.assert_array_equal(next(prepared.batches(1))[0]["x"], [[1, 2]])
    np.testing.assert_array_equal(tensors.take(slice(0, 1)).inputs["x"], [[0, 1]])


@pytest.mark.parametrize(
    "kind",
    ["rows", "tensors"],
)
def test_prepared_twice_applies_both_in_order(request, kind):
    data = request.getfixturevalue(kind).prepared(_plus_one).prepared(_times_ten)
    np.testing.assert_array_equal(data.take(slice(0, 1)).inputs["x"], [[10, 20]])


def test_digest_of_dataset_rows_tells_length_and_first_rows(tensors):
    assert tensors.digest == f"{len(tensors)}-{tensors.take(slice(None)).digest}"


# ---- Splits ----


def test_splits_hold_no_test_rows_when_asked_to_leave_them_out(rows):
    splits = Splits(
        rows.take(slice(0, 4)),
        rows.take(slice(4, 6)),
        rows.take(slice(6, 7)),
        rows.take(slice(7, N)),
    )
    assert splits.sizes() == {"train": 4, "valid": 2, "calibration": 1, "test": 3}
    assert splits.without_test().sizes() == {"train": 4, "valid": 2, "calibration": 1}
    assert splits.test is not None
