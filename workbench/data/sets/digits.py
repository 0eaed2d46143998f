"""scikit-learn's digits: 1,797 real 8x8 images of handwritten digits.

Source: Alpaydin, Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998.
"""

from __future__ import annotations

import numpy as np

from workbench.data.rows import Rows, Splits

__all__ = ["digits"]


def digits() -> Splits:
    """The digits in a fixed random order: 1,000 train, 350 valid, 97 calibration, 350 test rows.

    Inputs: `image`, uint8 `(rows, 8, 8)`, 0 to 16. Targets: int64 `(rows,)`, 0 to 9.
    """
    from sklearn.datasets import load_digits

    raw = load_digits()
    order = np.random.default_rng(0).permutation(len(raw.target))  # the file is in order of writers
    rows = Rows({"image": raw.images.astype(np.uint8)}, raw.target.astype(np.int64)).take(order)
    return Splits(
        train=rows.take(slice(0, 1000)),
        valid=rows.take(slice(1000, 1350)),
        calibration=rows.take(slice(1350, 1447)),
        test=rows.take(slice(1447, 1797)),
    )
