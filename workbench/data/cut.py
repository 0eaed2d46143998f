"""The cut of rows into splits: decided by a seed or by time, stratified, with identical rows kept
together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.data.labels import with_targets
from workbench.data.overlap import row_hashes
from workbench.data.rows import SPLIT_NAMES, AnyRows, Rows, Splits
from workbench.errors import DataError

if TYPE_CHECKING:
    from workbench.data.labels import Kind

__all__ = ["cut"]

SHARES = {
    "valid": 0.20,
    "calibration": 0.05,
    "test": 0.15,
}  # of the train rows given; the rest stays train
ENOUGH_CALIBRATION = 64  # rows; small data give up to a tenth of their rows to get there


def cut(rows: Mapping[str, AnyRows], kind: Kind, seed: int, times: np.ndarray | None) -> Splits:
    """All four splits, those not given cut from train."""
    train = rows["train"]
    if times is None:
        times = train.times
    elif len(times) != len(train):
        raise DataError(
            f"`times` has {len(times):,} values for {len(train):,} train rows: give one a row."
        )
    elif isinstance(train, Rows):
        train = replace(train, times=times)
    else:
        raise DataError(
            "`times` needs rows in memory, and a torch dataset is read as it goes: give arrays, a "
            "DataFrame or `Rows`."
        )
    shares = {n: s for n, s in SHARES.items() if n not in rows}
    if not shares:
        return Splits(**{**rows, "train": train})
    if "calibration" in shares:
        shares["calibration"] = max(
            SHARES["calibration"], min(0.1, ENOUGH_CALIBRATION / len(train))
        )
    rng = np.random.default_rng(seed)
    if times is not None:
        strata, keys = np.zeros(len(train), np.int64), np.unique(times, return_inverse=True)[1]
    else:
        strata, keys = _strata(np.asarray(train.targets), kind), _grouped(train, rng)
    parts = _parts(strata, keys, shares, stratified=times is None)
    chosen = {n: i if times is not None else rng.permutation(i) for n, i in parts.items()}
    return Splits(**{**rows, **{n: _taken(train, i) for n, i in chosen.items()}})


def _strata(targets: np.ndarray, kind: Kind) -> np.ndarray:
    """What to stratify by, one number a row: the class, or the rarest of a row's labels."""
    if kind == "multilabel":
        by_rarity = np.argsort(targets.sum(axis=0))
        ranked = targets[:, by_rarity] > 0
        return np.where(ranked.any(axis=1), ranked.argmax(axis=1), len(by_rarity))
    return (
        targets
        if kind in ("classification", "binary") and targets.ndim == 1
        else np.zeros(len(targets), np.int64)
    )


def _grouped(rows: AnyRows, rng: np.random.Generator) -> np.ndarray:
    """A random rank a row `(rows,)`, the same for identical rows, so that no copy of a train row
    lands in test.
    """
    if not isinstance(rows, Rows):
        return rng.permutation(len(rows))
    _, first, inverse = np.unique(row_hashes(rows), return_index=True, return_inverse=True)
    return rng.permutation(len(rows))[first][
        inverse
    ]  # by first appearance: hashes differ from process to process


def _parts(
    strata: np.ndarray, keys: np.ndarray, shares: Mapping[str, float], *, stratified: bool
) -> dict[str, np.ndarray]:
    """Row numbers of each split: each stratum in the order of `keys`, cut where a key changes."""
    parts: dict[str, list[np.ndarray]] = {n: [] for n in SPLIT_NAMES if n == "train" or n in shares}
    values, counts = np.unique(strata, return_counts=True)
    for stratum in values:
        index = np.flatnonzero(strata == stratum)
        index = index[np.argsort(keys[index], kind="stable")]
        n, ordered = len(index), keys[index]
        rare = n < 10 <= counts.max()  # calibration can do without a rare class, the others cannot
        least = {s: 0 if s == "calibration" and rare else 1 for s in shares}
        sizes = {s: max(least[s], round(share * n)) for s, share in shares.items()}
        ends = np.cumsum([n - sum(sizes.values()), *sizes.values()])[:-1]
        pieces = dict(
            zip(parts, np.split(index, [_at_change(ordered, int(e)) for e in ends]), strict=True)
        )
        short = [s for s, piece in pieces.items() if len(piece) < least.get(s, 1)]
        if short:
            what = (
                f"class number {stratum} has {n:,} rows"
                if stratified and len(values) > 1
                else f"{n:,} rows"
            )
            raise DataError(
                f"{what} with {len(np.unique(ordered)):,} different "
                f"{'rows' if stratified else 'times'} cannot be cut into {', '.join(pieces)}: give "
                "more rows, leave rare classes out, or give the splits."
            )
        for split, piece in pieces.items():
            parts[split].append(piece)
    return {split: np.concatenate(pieces) for split, pieces in parts.items()}


def _at_change(ordered: np.ndarray, end: int) -> int:
    """The position nearest to `end` at which the sorted keys change."""
    if not 0 < end < len(ordered):
        return max(0, min(end, len(ordered)))
    left, right = (int(np.searchsorted(ordered, ordered[end], side)) for side in ("left", "right"))
    return left if end - left <= right - end else right


def _taken(rows: AnyRows, index: np.ndarray) -> AnyRows:
    if isinstance(rows, Rows):
        return rows.take(index)
    return with_targets(replace(rows, dataset=_chosen(rows.dataset, index)), rows.targets[index])


def _chosen(dataset: Any, index: np.ndarray) -> Any:
    """The chosen samples alone where they lie in memory: what one split holds, no other may carry
    to another process.
    """
    from torch.utils.data import Subset, TensorDataset

    if type(dataset) is TensorDataset:
        return TensorDataset(*(t[index] for t in dataset.tensors))
    if isinstance(dataset, (list, tuple)):
        return [dataset[i] for i in index]
    return Subset(dataset, index.tolist())
