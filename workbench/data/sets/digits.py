"""scikit-learn's digits: 1,797 real 8x8 images of handwritten digits.

Source: Alpaydin, Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from workbench.data.rows import Rows, Splits

__all__ = ["digits"]


def digits() -> Splits:
    """The digits in a fixed random order: 1,000 train, 350 valid, 97 calibration, 350 test rows.

    Inputs: `image`, uint8 `(rows, 8, 8)`, 0 to 16. Targets: int64 `(rows,)`, 0 to 9.
    """
    images, targets = _arrays()
    order = np.random.default_rng(0).permutation(len(targets))  # the file is in order of writers
    rows = Rows({"image": images.astype(np.uint8)}, targets.astype(np.int64)).take(order)
    return Splits(
        train=rows.take(slice(0, 1000)),
        valid=rows.take(slice(1000, 1350)),
        calibration=rows.take(slice(1350, 1447)),
        test=rows.take(slice(1447, 1797)),
    )


def _arrays() -> tuple[np.ndarray, np.ndarray]:
    """Images `(rows, 8, 8)` and digits `(rows,)` of scikit-learn's file.

    The file is read without scikit-learn, whose import takes a second, where it lies as usual.
    """
    spec = find_spec("sklearn")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        file = Path(folder) / "datasets" / "data" / "digits.csv.gz"
        if file.exists():
            table = np.loadtxt(file, delimiter=",")
            return table[:, :-1].reshape(-1, 8, 8), table[:, -1]
    from sklearn.datasets import load_digits

    raw = load_digits()
    return raw.images, raw.target
