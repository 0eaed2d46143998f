"""Named arrays as a graph takes them, for all engines of ONNX: names, types, ranks, fixed batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from workbench.errors import CandidateError

__all__ = ["fed", "graph_names", "in_batches"]

UNNAMED = "unnamed"


def graph_names(names: Iterable[str]) -> dict[str, str]:
    """The name in an ONNX graph of each input of the data: the same, but for an empty one.

    An empty name means "no input" to ONNX. Its place is taken by `unnamed`, or `unnamed_2` and so
    on where the data have an input of that name.
    """
    known = list(names)
    free = UNNAMED
    number = 2
    while free in known:
        free = f"{UNNAMED}_{number}"
        number += 1
    return {name: name or free for name in known}


def fed(
    signature: Mapping[str, tuple[Any, int]], inputs: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The arrays of `inputs` in the order of `signature` (type and rank of each graph input).

    If the graph and the data have one input each, their names may differ. An input without a name
    is the one that `graph_names` says. Raises CandidateError when an input is missing.
    """
    if len(signature) == 1 and len(inputs) == 1:
        inputs = {next(iter(signature)): next(iter(inputs.values()))}
    names = graph_names(inputs)
    inputs = {names[name]: array for name, array in inputs.items()}
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


def in_batches(
    predict: Callable[[dict[str, np.ndarray]], np.ndarray],
    inputs: Mapping[str, np.ndarray],
    size: int,
) -> np.ndarray:
    """Outputs `(rows, ...)` of a graph that takes `size` rows at a time, any number if it is 0.

    The last batch is filled up with copies of its last row, whose outputs are left out.
    """
    n_rows = len(next(iter(inputs.values())))
    if size in (0, n_rows):
        return predict(dict(inputs))
    outputs = []
    for start in range(0, n_rows, size):
        chosen = np.minimum(np.arange(start, start + size), n_rows - 1)
        outputs.append(predict({name: np.asarray(a)[chosen] for name, a in inputs.items()}))
    return np.concatenate(outputs)[:n_rows]


def _shaped(array: np.ndarray, dtype: Any, rank: int) -> np.ndarray:
    if array.ndim == 1 and rank == 2:
        array = array[:, None]  # a column of a table: graphs of skl2onnx need (rows, 1)
    if array.dtype.name == "bfloat16":  # numpy casts it to float32 only
        array = array.astype(np.float32)
    return array.astype(dtype, copy=False)
