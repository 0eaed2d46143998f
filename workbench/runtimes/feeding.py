"""Named arrays under the names, in the types and the ranks that a graph wants: the same for every
engine that runs ONNX.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from workbench.errors import CandidateError

__all__ = ["fed"]


def fed(
    wanted: Mapping[str, tuple[Any, int]], inputs: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The arrays of `inputs` in the order of `wanted` (a type and a rank by name); a single one
    takes whatever name it has.

    Raises CandidateError when an input is missing.
    """
    if len(wanted) == 1 and len(inputs) == 1:
        inputs = {next(iter(wanted)): next(iter(inputs.values()))}
    missing = [name for name in wanted if name not in inputs]
    if missing:
        raise CandidateError(
            f"The ONNX graph wants the inputs {list(wanted)}; the data has {list(inputs)}."
        )
    return {
        name: _shaped(np.asarray(inputs[name]), dtype, rank)
        for name, (dtype, rank) in wanted.items()
    }


def _shaped(array: np.ndarray, dtype: Any, rank: int) -> np.ndarray:
    if array.ndim == 1 and rank == 2:
        array = array[:, None]  # a column of a table: skl2onnx wants (rows, 1)
    return array.astype(dtype, copy=False)
