"""Named arrays with the names, types and ranks of a graph's inputs, for all engines of ONNX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from workbench.errors import CandidateError

__all__ = ["fed"]


def fed(
    signature: Mapping[str, tuple[Any, int]], inputs: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The arrays of `inputs` in the order of `signature` (type and rank of each graph input).

    If the graph and the data have one input each, their names may differ. Raises CandidateError
    when an input is missing.
    """
    if len(signature) == 1 and len(inputs) == 1:
        inputs = {next(iter(signature)): next(iter(inputs.values()))}
    missing = [name for name in signature if name not in inputs]
    if missing:
        raise CandidateError(
            f"The ONNX graph needs the inputs {list(signature)}; the data has {list(inputs)}. "
            "Rename the columns or arrays of the data."
        )
    return {
        name: _shaped(np.asarray(inputs[name]), dtype, rank)
        for name, (dtype, rank) in signature.items()
    }


def _shaped(array: np.ndarray, dtype: Any, rank: int) -> np.ndarray:
    if array.ndim == 1 and rank == 2:
        array = array[:, None]  # a column of a table: graphs of skl2onnx need (rows, 1)
    return array.astype(dtype, copy=False)
