"""Fashion-MNIST (Zalando, MIT): 28x28 grey images of ten kinds of clothing.

Embedded are the real 10,000 test images and the first 20,000 train images. Of these 20,000, rows
0-13,999 train, 14,000-18,999 are valid and 19,000-19,999 calibration. `fashion-full` has all
60,000: valid, calibration and test stay exactly the same rows, and everything else trains.

Source: Xiao, Rasul, Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine
Learning Algorithms", 2017, https://github.com/zalandoresearch/fashion-mnist
"""

from __future__ import annotations

import gzip
import lzma
import os
from pathlib import Path

import numpy as np

from workbench.data.rows import Rows, Splits
from workbench.errors import DataError

__all__ = ["CLASSES", "fashion", "fashion_full", "pack"]

CLASSES = (
    "T-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
FILES = Path(__file__).parent / "files"
DEBIAN = Path(
    "/usr/share/datasets/fashion-mnist"
)  # where Debian's package dataset-fashion-mnist puts its files
N_EMBEDDED, N_TRAIN, N_VALID = 20_000, 14_000, 5_000


def fashion() -> Splits:
    """The embedded rows: 14,000 train, 5,000 valid, 1,000 calibration, 10,000 test; inputs `image`
    uint8 (rows, 28, 28).
    """
    rows = _embedded("train")
    return Splits(
        train=rows.take(slice(0, N_TRAIN)),
        valid=rows.take(slice(N_TRAIN, N_TRAIN + N_VALID)),
        calibration=rows.take(slice(N_TRAIN + N_VALID, N_EMBEDDED)),
        test=_embedded("test"),
    )


def fashion_full() -> Splits:
    """All 60,000 train images, from the folder in WORKBENCH_FASHION or Debian's package; 54,000 of
    them train.

    Raises DataError when the files are in neither place.
    """
    folder = Path(os.environ.get("WORKBENCH_FASHION") or DEBIAN)
    images, labels = folder / "train-images-idx3-ubyte.gz", folder / "train-labels-idx1-ubyte.gz"
    if not (images.exists() and labels.exists()):
        raise DataError(
            f"`fashion-full` needs {images.name} and {labels.name} in {folder}. Install Debian's "
            "package dataset-fashion-mnist, or set WORKBENCH_FASHION to a folder that holds them. "
            "`fashion` needs nothing."
        )
    small = fashion()
    rows = Rows({"image": _idx(images).reshape(-1, 28, 28)}, _idx(labels).astype(np.int64))
    held = slice(N_TRAIN, N_EMBEDDED)
    known = [
        (
            np.concatenate([part.inputs["image"] for part in (small.valid, small.calibration)]),
            rows.inputs["image"][held],
        )
    ]
    known.append(
        (np.concatenate([small.valid.targets, small.calibration.targets]), rows.targets[held])
    )
    if not all(np.array_equal(*pair) for pair in known):
        raise DataError(
            f"{images} is not Fashion-MNIST in its published order; its rows would mix with valid."
        )
    train = rows.take(np.r_[0:N_TRAIN, N_EMBEDDED : len(rows)])
    return Splits(train, small.valid, small.calibration, small.test)


def pack(source: Path = DEBIAN, folder: Path = FILES) -> None:
    """Write the embedded files from the published ones (how `files/fashion-*.xz` were made)."""
    for split, prefix in (("train", "train"), ("test", "t10k")):
        images = _idx(source / f"{prefix}-images-idx3-ubyte.gz").reshape(-1, 28, 28)[:N_EMBEDDED]
        labels = _idx(source / f"{prefix}-labels-idx1-ubyte.gz")[:N_EMBEDDED]
        content = lzma.compress(labels.tobytes() + images.tobytes(), preset=9 | lzma.PRESET_EXTREME)
        (folder / f"fashion-{split}.xz").write_bytes(content)


def _embedded(split: str) -> Rows:
    content = np.frombuffer(
        lzma.decompress((FILES / f"fashion-{split}.xz").read_bytes()), np.uint8
    ).copy()  # writable, for torch
    n = len(content) // (28 * 28 + 1)  # labels first, then the images
    return Rows({"image": content[n:].reshape(n, 28, 28)}, content[:n].astype(np.int64))


def _idx(path: Path) -> np.ndarray:
    content = gzip.decompress(path.read_bytes())
    n_dims = content[
        3
        # an IDX file: two zeros, a type, the number of dimensions, their sizes (4 bytes each), the data
    ]
    return np.frombuffer(content, np.uint8, offset=4 + 4 * n_dims)
