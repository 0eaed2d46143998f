"""Rows in chains and clusters, such as overlapping windows of one record, parted at random.

The number of neighbours of a row grows with the distance `r` as `r ** dimensions`. Rows that were
drawn one by one have as many dimensions near by as far away. Where each row is one of several of
one person or one record, its nearest neighbours are those few, and the dimensions near by are far
fewer (Levina and Bickel, "Maximum Likelihood Estimation of Intrinsic Dimension", NIPS 2004, on the
estimate at several distances).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from workbench.measure.leakage.findings import Finding
from workbench.measure.leakage.points import Points, nearest, some_inputs
from workbench.measure.leakage.time_order import goes_forward
from workbench.measure.leakage.view import View

__all__ = ["rows_in_chains"]

N_ASKED = 300  # valid rows whose neighbours are found
MOST_ROWS = 20_000  # train rows among which they are found
LEAST_ROWS = 300
LEAST_CONTINUOUS = 4  # columns: fewer values repeat by nature
NEAR = 10  # neighbours near by
FAR = 400  # neighbours far away, at most a quarter of the rows
FEWER = 0.55  # dimensions near by, as a part of those far away


def rows_in_chains(view: View, seed: int = 0) -> Iterator[Finding]:
    """A finding where valid rows have a few train rows far nearer than all others."""
    train, valid = view.whole["train"], view.whole["valid"]
    if not view.are_columns or not view.common or goes_forward(view):
        return
    if min(len(train), len(valid)) < LEAST_ROWS:
        return
    points = Points(train, view.common)
    if points.n_continuous < LEAST_CONTINUOUS:
        return
    rng = np.random.default_rng(seed)
    base = points(some_inputs(train, MOST_ROWS, rng)[0])
    asked = points(some_inputs(valid, N_ASKED, rng)[0])
    far = min(FAR, len(base) // 4)
    distances = nearest(asked, base, far)
    distances = distances[distances[:, 0] > 0]
    if len(distances) < N_ASKED // 2:
        return
    near_by = _dimensions(distances, 1, NEAR)
    far_away = _dimensions(distances, far // 4, far)
    if not near_by < FEWER * far_away:
        return
    part = float(np.median(distances[:, 0] / distances[:, NEAR - 1]))
    usual = float(NEAR ** (-1 / far_away))
    yield Finding(
        "near_duplicates",
        ("train", "valid"),
        f"The nearest train row of a valid row is at {part:.2f} of the distance of its tenth "
        f"neighbour (the median of {len(distances):,} rows); rows drawn one by one would be at "
        f"{usual:.2f}, as farther rows show. So each row has a few others that belong to it.",
        "Ask whether several rows come from one person, machine or record, such as windows that "
        "overlap. Keep them in one split (`groups` of `make_task`), unless the model will predict "
        "for ones that it has seen.",
        severity="look at it",
        numbers={"value": part, "chance": usual},
    )


def _dimensions(distances: np.ndarray, first: int, last: int) -> float:
    """Dimensions in which the neighbours grow from `first` to `last`, by the median row."""
    growth = float(np.median(distances[:, last - 1] / distances[:, first - 1]))
    return float(np.log(last / first) / np.log(growth)) if growth > 1 else np.inf
