"""Held-out rows that are nearly equal to a train row: noise, rounding, small changes of text."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from workbench.measure.leakage.findings import Finding
from workbench.measure.leakage.points import Points, nearest, some_inputs
from workbench.measure.leakage.view import View, sampled
from workbench.system.wording import percent

__all__ = ["near_duplicates"]

N_ASKED = 500  # rows whose neighbours are found
MOST_ROWS = 120_000  # train rows among which they are found
NEIGHBOURS = 10
NEAR = 0.05  # of the distance to the tenth neighbour
LEAST_ROWS = 40
N_PERMUTED = 2  # columns
LEAST_CONTINUOUS = 3  # columns, from which near rows are no coincidence of a few values
SHARED = 0.01
SHARED_OF_FEW = 0.03  # in tables of few continuous columns
TOGETHER = 0.95  # rank correlation from which two columns are permuted as one
TIMES_CHANCE = 2  # columns depend on one another, and chance is then more than permuting gives


def near_duplicates(view: View, seed: int = 0) -> Iterator[Finding]:
    """Findings for held-out rows that lie much nearer to a train row than to its other neighbours.

    Distances are of scaled numbers, categories, hashed words and pixels. Chance is estimated by the
    number of dimensions that the distances of neighbours show: a share `NEAR` of the distance
    holds `NEAR ** dimensions` of the neighbours. Rows of few values and texts of few words have
    near neighbours by nature: rows are compared with train rows of which one column is permuted as
    well. Rows that are exactly the same are not counted.
    """
    names = view.common
    train = view.whole["train"]
    if not names or len(train) < LEAST_ROWS:
        return
    rng = np.random.default_rng(seed)
    points = Points(train, names)
    inputs, _ = some_inputs(train, MOST_ROWS, rng)
    base = points(inputs)
    for other in ("valid", "test"):
        rows = view.whole.get(other)
        if rows is None or not len(rows):
            continue
        few, places = some_inputs(rows, N_ASKED, rng)
        asked = points(few)
        distances = nearest(asked, base, NEIGHBOURS)
        near = _are_near(distances) & ~np.isin(view.hashes[other][places], view.hashes["train"])
        n, share = int(near.sum()), float(near.mean())
        if n < 3 or share < SHARED:
            continue
        by_chance = NEIGHBOURS * NEAR ** _dimensions(distances)
        if points.n_continuous < LEAST_CONTINUOUS or _can_be_parted(points, inputs):
            by_chance = max(by_chance, TIMES_CHANCE * _permuted(points, inputs, asked, rng))
        least = SHARED if points.n_continuous >= LEAST_CONTINUOUS else SHARED_OF_FEW
        if share < least + by_chance + 4 * np.sqrt(by_chance / len(near)):
            continue
        yield Finding(
            "near_duplicates",
            ("train", other),
            f"{n:,} of {len(near):,} {other} rows ({percent(share, None)}) are {1 / NEAR:.0f} "
            f"times nearer to a train row than to its tenth neighbour, the first is row "
            f"{int(places[near.argmax()])} of {other}. By chance it would be "
            f"{percent(min(1.0, by_chance), None)}.",
            "Find out where such pairs come from (copies with noise, rounded values, one thing "
            "recorded twice, augmented or reworded rows), and keep each pair in one split.",
            numbers={"value": share, "chance": min(1.0, by_chance)},
        )


def _can_be_parted(points: Points, inputs: dict[str, np.ndarray]) -> bool:
    """Whether permuting a column of numbers parts copies: rows of templated texts stay near."""
    return len(inputs) > 1 and any(inputs[n].ndim == 1 for n in points.scales)


def _are_near(distances: np.ndarray) -> np.ndarray:
    """Whether the first neighbour of each row is much nearer than the last."""
    return distances[:, 0] < NEAR * distances[:, -1]


def _dimensions(distances: np.ndarray) -> float:
    """The number of dimensions in which the number of neighbours grows with the distance."""
    middle, last = distances[:, NEIGHBOURS // 2 - 1], distances[:, -1]
    usable = (middle > 0) & (last > middle)
    if not usable.any():
        return 1.0
    growth = np.log(2.0) / np.log(np.median(last[usable] / middle[usable]))
    return float(max(1.0, growth))


def _permuted(
    points: Points, inputs: dict[str, np.ndarray], asked: np.ndarray, rng: np.random.Generator
) -> float:
    """The share of rows that are near to a train row if the values of one column are permuted.

    This parts copies. Columns that grow together are permuted as one. The result is the largest
    share of the `N_PERMUTED` columns of most values; without two columns to part, that of train
    rows among themselves.
    """
    n_values = {n: len(np.unique(inputs[n])) for n in points.scales if inputs[n].ndim == 1}
    names = sorted(n_values, key=lambda n: -n_values[n])[:N_PERMUTED]
    if len(inputs) < 2 or not names:
        base = points(inputs)
        places = sampled(len(base), N_ASKED, rng)
        return float(_are_near(nearest(base[places], base, NEIGHBOURS + 1)[:, 1:]).mean())
    shares = []
    for name in names:
        order = rng.permutation(len(inputs[name]))
        moved = [n for n in n_values if n == name or _grow_together(inputs[n], inputs[name])]
        parted = points({**inputs, **{n: inputs[n][order] for n in moved}})
        distances = nearest(asked, parted, NEIGHBOURS)
        shares.append(float((_are_near(distances) & (distances[:, 0] > 0)).mean()))
    return max(shares)


def _grow_together(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two columns of numbers or dates have nearly the same order, as ids and dates do."""
    numbers = []
    for values in (one, other):
        if values.dtype.kind not in "biufM":
            return False
        numbers.append(values.astype(np.float64))
    usable = np.isfinite(numbers[0]) & np.isfinite(numbers[1])
    if usable.sum() < LEAST_ROWS:
        return False
    ranks = [np.argsort(np.argsort(v[usable], kind="stable")) for v in numbers]
    return abs(float(np.corrcoef(ranks[0], ranks[1])[0, 1])) > TOGETHER
