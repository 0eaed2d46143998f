"""The embedded Fashion-MNIST: the published images in their order, split as declared."""

from __future__ import annotations

import gzip
import hashlib

import numpy as np
import pytest

from tests.published import PUBLISHED, needs_published
from workbench.data.rows import SPLIT_NAMES, Splits
from workbench.data.sets import fashion as module
from workbench.data.sets.fashion import CLASSES, fashion, fashion_full, pack
from workbench.errors import DataError

CONTENT = {  # split: rows, sha256 of the images' bytes, sha256 of the labels as int64
    "train": (
        14_000,
        "75601c9c635763ebbed77ea15ad858ddcd6d1071a1c0d8d2d6bf97809169a918",
        "8bf97e1b483fc9306101881b77e7c442f459166d11c09fa65488036a16a653ac",
    ),
    "valid": (
        5_000,
        "a5fa667921d9dfdc370b02034c133a627fa282a2f8eebfb8a7ac29b9064d0f6c",
        "a8d73d3b350ccc456c1d1ad26f8ab8f041e94153d493ac19efa398c8adc0d5a9",
    ),
    "calibration": (
        1_000,
        "68687b66636dc3ac1eddc18d8b479cee17af9d39796eed0660ca4a70416fcffe",
        "4c27e2928cc5530965d5d31e62dfb3589853c11f91459bb07ab892ab8d4cf266",
    ),
    "test": (
        10_000,
        "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
        "d51d859896c55775b9e9e219b77ff03bcec1b6ac322f313544dc3f9e7bc94fae",
    ),
}


@pytest.fixture(scope="module")
def splits() -> Splits:
    return fashion()


@pytest.fixture(scope="module")
def full() -> Splits:
    return fashion_full()


def _published(name: str) -> np.ndarray:
    """Images `(rows, 28, 28)` or labels `(rows,)`, uint8, of a published file, read here."""
    content = gzip.decompress((PUBLISHED / f"{name}.gz").read_bytes())
    return (
        np.frombuffer(content[16:], np.uint8).reshape(-1, 28, 28)
        if "images" in name
        else np.frombuffer(content[8:], np.uint8)
    )


def _distinct(splits: Splits, name: str) -> set[bytes]:
    return {image.tobytes() for image in getattr(splits, name).inputs["image"]}


@pytest.mark.parametrize("name", SPLIT_NAMES)
def test_split_holds_exactly_the_published_rows(splits, name):
    rows, (n, images, labels) = getattr(splits, name), CONTENT[name]
    assert (rows.inputs["image"].shape, rows.inputs["image"].dtype) == ((n, 28, 28), np.uint8)
    assert (rows.targets.shape, rows.targets.dtype) == ((n,), np.int64)
    assert hashlib.sha256(rows.inputs["image"].tobytes()).hexdigest() == images
    assert hashlib.sha256(rows.targets.astype("<i8").tobytes()).hexdigest() == labels


def test_test_split_has_1000_of_each_class(splits):
    assert np.bincount(splits.test.targets).tolist() == [1_000] * len(CLASSES)


def test_every_split_has_every_class(splits):
    for name in SPLIT_NAMES:
        assert set(getattr(splits, name).targets) == set(range(len(CLASSES)))


def test_no_image_is_in_two_splits(splits):
    images = {name: _distinct(splits, name) for name in SPLIT_NAMES}
    assert len(set.union(*images.values())) == sum(map(len, images.values())) == 30_000


@needs_published
def test_test_images_equal_the_published_ones(splits):
    np.testing.assert_array_equal(splits.test.inputs["image"], _published("t10k-images-idx3-ubyte"))
    np.testing.assert_array_equal(splits.test.targets, _published("t10k-labels-idx1-ubyte"))


@needs_published
def test_train_valid_and_calibration_are_the_first_20000_published_train_rows_in_order(splits):
    parts = (splits.train, splits.valid, splits.calibration)
    np.testing.assert_array_equal(
        np.concatenate([p.inputs["image"] for p in parts]),
        _published("train-images-idx3-ubyte")[:20_000],
    )
    np.testing.assert_array_equal(
        np.concatenate([p.targets for p in parts]), _published("train-labels-idx1-ubyte")[:20_000]
    )


@needs_published
def test_full_trains_on_54000_rows_and_keeps_every_other_split(splits, full):
    assert full.sizes() == {"train": 54_000, "valid": 5_000, "calibration": 1_000, "test": 10_000}
    for name in ("valid", "calibration", "test"):
        assert getattr(full, name).digest == getattr(splits, name).digest


@needs_published
def test_full_train_holds_no_row_of_another_split(full):
    train = _distinct(full, "train")
    for name in ("valid", "calibration", "test"):
        assert not train & _distinct(full, name)


@needs_published
def test_full_train_pairs_images_with_their_own_labels(full):
    chosen = np.r_[0:14_000, 20_000:60_000]
    np.testing.assert_array_equal(full.train.targets, _published("train-labels-idx1-ubyte")[chosen])
    np.testing.assert_array_equal(
        full.train.inputs["image"], _published("train-images-idx3-ubyte")[chosen]
    )


def _write_idx(folder, prefix: str, images: np.ndarray, labels: np.ndarray) -> None:
    """Write IDX files: two zeros, type 8 (uint8), number of dimensions, their sizes, the values."""
    for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
        head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
        (folder / f"{prefix}-{kind}-ubyte.gz").write_bytes(gzip.compress(head + array.tobytes(), 1))


def test_full_names_the_way_out_when_the_files_are_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_FASHION", str(tmp_path))
    with pytest.raises(DataError, match="WORKBENCH_FASHION"):
        fashion_full()


def test_full_refuses_rows_in_another_order(splits, tmp_path, monkeypatch):
    parts = (splits.train, splits.valid, splits.calibration)
    images, labels = (
        np.concatenate([p.inputs["image"] for p in parts]),
        np.concatenate([p.targets for p in parts]),
    )
    _write_idx(tmp_path, "train", images[::-1], labels[::-1].astype(np.uint8))
    monkeypatch.setenv("WORKBENCH_FASHION", str(tmp_path))
    with pytest.raises(DataError, match="published order"):
        fashion_full()


def test_pack_writes_files_that_fashion_reads(splits, tmp_path, monkeypatch):
    small = splits.test.take(slice(0, 50))
    for prefix in ("train", "t10k"):
        _write_idx(tmp_path, prefix, small.inputs["image"], small.targets.astype(np.uint8))
    pack(tmp_path, tmp_path)
    monkeypatch.setattr(module, "FILES", tmp_path)
    assert fashion().test.digest == small.digest
    assert fashion().train.digest == small.digest
