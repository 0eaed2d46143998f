"""Fashion-MNIST (Zalando, MIT): 28x28 grey images of ten kinds of clothing.

The package contains the 10,000 published test images and the first 20,000 train images. Of these,
rows 0 to 13,999 are train, 14,000 to 18,999 valid and 19,000 to 19,999 calibration. `fashion-full`
has all 60,000 train images: valid, calibration and test are the same rows, all others are train.

Source: Xiao, Rasul, Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine
Learning Algorithms", 2017, https://github.com/zalandoresearch/fashion-mnist
"""

from __future__ import annotations

import gzip
import lzma
import os
from pathlib import Path
from typing import Any

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
# the folder of Debian's package dataset-fashion-mnist
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
N_EMBEDDED = 20_000
N_TRAIN = 14_000
N_VALID = 5_000
N_PIXELS = 28 * 28


def fashion() -> Splits:
    """The embedded rows: 14,000 train, 5,000 valid, 1,000 calibration, 10,000 test.

    Inputs: `image`, uint8 `(rows, 28, 28)`. Targets: int64 `(rows,)`, an index of CLASSES.
    """
    rows = _embedded("train")
    return Splits(
        train=rows.take(slice(0, N_TRAIN)),
        valid=rows.take(slice(N_TRAIN, N_TRAIN + N_VALID)),
        calibration=rows.take(slice(N_TRAIN + N_VALID, N_EMBEDDED)),
        test=_embedded("test"),
    )


def fashion_full() -> Splits:
    """All rows: 54,000 train, and the valid, calibration and test rows of `fashion`.

    The files are read from the folder in WORKBENCH_FASHION, or from that of Debian's package.
    Raises DataError when they are missing, or when their rows are in another order.
    """
    folder = Path(os.environ.get("WORKBENCH_FASHION") or DEBIAN)
    images, labels = folder / "train-images-idx3-ubyte.gz", folder / "train-labels-idx1-ubyte.gz"
    if not (images.exists() and labels.exists()):
        raise DataError(
            f"`fashion-full` needs {images.name} and {labels.name} in {folder}. Install Debian's "
            "package dataset-fashion-mnist, or set WORKBENCH_FASHION to a folder that has them. "
            "`fashion` needs no files."
        )
    embedded = fashion()
    rows = Rows(
        {"image": _read_idx(images).reshape(-1, 28, 28)}, _read_idx(labels).astype(np.int64)
    )
    if not _has_published_order(rows, embedded):
        raise DataError(
            f"{images} must be Fashion-MNIST in its published order; here train would contain rows "
            "of valid. Get the published files."
        )
    train = rows.take(np.r_[0:N_TRAIN, N_EMBEDDED : len(rows)])
    return Splits(train, embedded.valid, embedded.calibration, embedded.test)


def _has_published_order(rows: Rows, embedded: Splits) -> bool:
    """Whether valid and calibration are rows 14,000 to 19,999 of the published train rows."""
    held_out = rows.take(slice(N_TRAIN, N_EMBEDDED))
    parts: tuple[Any, ...] = (embedded.valid, embedded.calibration)
    images = np.concatenate([part.inputs["image"] for part in parts])
    targets = np.concatenate([part.targets for part in parts])
    same_images = np.array_equal(images, held_out.inputs["image"])
    return same_images and np.array_equal(targets, held_out.targets)


def pack(source: Path = DEBIAN, folder: Path = FILES) -> None:
    """Write the embedded files `files/fashion-*.xz` from the published ones."""
    for split, prefix in (("train", "train"), ("test", "t10k")):
        images = _read_idx(source / f"{prefix}-images-idx3-ubyte.gz").reshape(-1, 28, 28)[
            :N_EMBEDDED
        ]
        labels = _read_idx(source / f"{prefix}-labels-idx1-ubyte.gz")[:N_EMBEDDED]
        content = lzma.compress(labels.tobytes() + images.tobytes(), preset=9 | lzma.PRESET_EXTREME)
        (folder / f"fashion-{split}.xz").write_bytes(content)


def _embedded(split: str) -> Rows:
    """Rows of a file of `pack`: all labels, then all images, a byte each label and pixel."""
    content = lzma.decompress((FILES / f"fashion-{split}.xz").read_bytes())
    values = np.frombuffer(content, np.uint8).copy()  # a copy, as torch needs writable memory
    n = len(values) // (N_PIXELS + 1)
    return Rows({"image": values[n:].reshape(n, 28, 28)}, values[:n].astype(np.int64))


def _read_idx(path: Path) -> np.ndarray:
    """The values of an IDX file, flat.

    The file has two zero bytes, a type, the number of dimensions, a size of four bytes for each,
    and the values.
    """
    content = gzip.decompress(path.read_bytes())
    n_dims = content[3]
    return np.frombuffer(content, np.uint8, offset=4 + 4 * n_dims)
