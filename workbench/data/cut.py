"""The cut of train rows into splits, by a seed or by time.

By a seed it is stratified, and identical rows and rows of one group stay in one split.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.data.labels import with_targets
from workbench.data.notices import notice
from workbench.data.overlap import copies_are_natural, row_hashes
from workbench.data.rows import SPLIT_NAMES, AnyRows, Rows, Splits
from workbench.data.tables import groups_of, times_of
from workbench.errors import DataError

if TYPE_CHECKING:
    from workbench.data.labels import Kind

__all__ = ["cut", "hold_out", "strata_of", "taken"]

# Shares of the given train rows; the other rows stay train.
SHARES = {"valid": 0.20, "calibration": 0.05, "test": 0.15}
ENOUGH_CALIBRATION = 64  # rows; small data use up to MOST_CALIBRATION of their rows for it
MOST_CALIBRATION = 0.1
UNEVEN = 2  # a split with more than twice, or less than half of its share is far from it
RARE = 10  # a class with fewer rows may be missing in calibration
N_DRAWS = 20  # orders of the groups, of which the one with the most even classes is taken


def cut(
    rows: Mapping[str, AnyRows],
    kind: Kind,
    seed: int,
    times: np.ndarray | None = None,
    groups: np.ndarray | None = None,
) -> Splits:
    """All four splits; those that are not given are cut from train.

    `times` and `groups` `(rows,)` are labels of the train rows. Raises DataError for labels of
    another length, times of a torch dataset, both at once, and for too few rows.
    """
    train = _labelled(rows["train"], times, groups)
    shares = _shares(rows)
    if not shares:
        return Splits(**{**rows, "train": train})
    rng = np.random.default_rng(seed)
    strata = strata_of(np.asarray(train.targets), kind)
    if train.times is not None:
        parts = _parts_in_time(train.times, shares)
    else:
        if train.groups is not None:
            parts = _parts_of_groups(train.groups, strata, shares, rng)
        else:
            parts = _random_parts(train, strata, shares, rng)
        parts = {split: rng.permutation(index) for split, index in parts.items()}
    return Splits(**{**rows, **{split: taken(train, index) for split, index in parts.items()}})


def _labelled(train: AnyRows, times: np.ndarray | None, groups: np.ndarray | None) -> AnyRows:
    """The train rows with their times or groups."""
    if times is not None:
        times = times_of(times)
        if len(times) != len(train):
            raise DataError(
                f"`times` has {len(times):,} values for {len(train):,} train rows; give one a row."
            )
        if not isinstance(train, Rows):
            raise DataError(
                "`times` needs rows in memory, and a torch dataset is read by batch: give arrays, "
                "a DataFrame or `Rows`."
            )
        train = replace(train, times=times)
    if groups is not None:
        train = replace(train, groups=groups_of(groups, len(train)))
    if train.times is not None and train.groups is not None:
        raise DataError(
            "`times` and `groups` exclude each other: rows with times are cut in their order, so "
            "rows of one group come into several splits. Give `groups` if the model will predict "
            "for new groups, `times` if it will predict for later times."
        )
    return train


def hold_out(
    rows: AnyRows, kind: Kind, share: float, *, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers `(rest, held)` of train rows of which a share is held out, as `cut` cuts them.

    Rows ordered in time give their latest rows, and rows of one group are never parted; other rows
    are stratified, unless a class has too few rows for that. Raises DataError for too few rows.
    """
    shares = {"valid": share}
    rng = np.random.default_rng(seed)
    strata = strata_of(np.asarray(rows.targets), kind)
    if rows.times is not None:
        parts = _parts_in_time(rows.times, shares)
    elif rows.groups is not None:
        parts = _parts_of_groups(rows.groups, strata, shares, rng)
    else:
        try:
            parts = _random_parts(rows, strata, shares, rng)
        except DataError:
            parts = _random_parts(rows, np.zeros(len(rows), np.int64), shares, rng)
    return np.sort(parts["train"]), np.sort(parts["valid"])


def _parts_in_time(times: np.ndarray, shares: Mapping[str, float]) -> dict[str, np.ndarray]:
    _, keys = np.unique(times, return_inverse=True)
    return _parts(np.zeros(len(times), np.int64), keys, shares, noun="times")


def _parts_of_groups(
    groups: np.ndarray, strata: np.ndarray, shares: Mapping[str, float], rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Row numbers of each split, of whole groups in a random order.

    Of several orders it is the one whose splits have the shares of the strata that are nearest to
    those of all rows.
    """
    _, numbers = np.unique(groups, return_inverse=True)
    one_stratum = np.zeros(len(groups), np.int64)
    _, strata = np.unique(strata, return_inverse=True)
    whole = np.bincount(strata) / len(strata)
    best: dict[str, np.ndarray] = {}
    least = np.inf
    for _ in range(N_DRAWS if len(whole) > 1 else 1):
        keys = rng.permutation(int(numbers.max()) + 1)[numbers]
        parts = _parts(one_stratum, keys, shares, noun="groups")
        away = sum(
            np.abs(np.bincount(strata[index], minlength=len(whole)) / len(index) - whole).sum()
            for index in parts.values()
            if len(index)
        )
        if away < least:
            best, least = parts, away
    return best


def _shares(rows: Mapping[str, AnyRows]) -> dict[str, float]:
    """The shares of train for the splits that are not given."""
    shares = {split: share for split, share in SHARES.items() if split not in rows}
    if "calibration" in shares:
        enough = min(MOST_CALIBRATION, ENOUGH_CALIBRATION / len(rows["train"]))
        shares["calibration"] = max(SHARES["calibration"], enough)
    return shares


def strata_of(targets: np.ndarray, kind: Kind) -> np.ndarray:
    """The stratum of each row `(rows,)`: its class, or the rarest of its labels."""
    if kind == "multilabel":
        by_rarity = np.argsort(targets.sum(axis=0))
        ranked = targets[:, by_rarity] > 0
        return np.where(ranked.any(axis=1), ranked.argmax(axis=1), len(by_rarity))
    if kind in ("classification", "binary") and targets.ndim == 1:
        return targets
    return np.zeros(len(targets), np.int64)


def _random_parts(
    rows: AnyRows, strata: np.ndarray, shares: Mapping[str, float], rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Row numbers of each split, cut at random; copies of a row stay together where they can.

    Rows of few different values have too many copies for that. They are cut without regard to
    copies, as a random draw would have them, with a warning.
    """
    try:
        parts = _parts(strata, _random_ranks(rows, rng), shares)
        reason = _uneven(parts, shares, len(rows))
    except DataError:
        if not copies_are_natural(rows):
            raise
        parts, reason = {}, "they cannot be cut without parting copies"
    if not reason or not isinstance(rows, Rows) or not copies_are_natural(rows):
        return parts
    parts = _parts(strata, rng.permutation(len(rows)), shares)
    n_different = len(np.unique(row_hashes(rows)))
    notice(
        f"train has {n_different:,} different rows among {len(rows):,}, and {reason}: the cut is "
        "random, so copies of a row are in several splits. The score on test says little about "
        "rows that were never seen; to keep rows apart, give the splits."
    )
    return parts


def _uneven(parts: Mapping[str, np.ndarray], shares: Mapping[str, float], n: int) -> str:
    """The split that is far from its share, in words; empty where none is."""
    for split, share in shares.items():
        if not 1 / UNEVEN < len(parts[split]) / (share * n) < UNEVEN:
            return f"{split} would be {len(parts[split]):,} rows with all copies kept together"
    return ""


def _random_ranks(rows: AnyRows, rng: np.random.Generator) -> np.ndarray:
    """A random rank for each row `(rows,)`, equal for identical rows.

    So no copy of a train row comes into test.
    """
    if not isinstance(rows, Rows):
        return rng.permutation(len(rows))
    _, first, inverse = np.unique(row_hashes(rows), return_index=True, return_inverse=True)
    # The rank of the first of the identical rows: hashes differ from process to process.
    return rng.permutation(len(rows))[first][inverse]


def _parts(
    strata: np.ndarray, keys: np.ndarray, shares: Mapping[str, float], *, noun: str = "rows"
) -> dict[str, np.ndarray]:
    """Row numbers of each split: each stratum in the order of `keys`, cut where a key changes."""
    splits = [name for name in SPLIT_NAMES if name == "train" or name in shares]
    parts: dict[str, list[np.ndarray]] = {split: [] for split in splits}
    strata_values, counts = np.unique(strata, return_counts=True)
    for stratum in strata_values:
        index = np.flatnonzero(strata == stratum)
        index = index[np.argsort(keys[index], kind="stable")]
        sorted_keys = keys[index]
        n = len(index)
        is_rare = n < RARE <= counts.max()
        least = {split: 0 if split == "calibration" and is_rare else 1 for split in shares}
        sizes = {split: max(least[split], round(share * n)) for split, share in shares.items()}
        ends = np.cumsum([n - sum(sizes.values()), *sizes.values()])[:-1]
        changes = [_nearest_change(sorted_keys, int(end)) for end in ends]
        pieces = dict(zip(splits, np.split(index, changes), strict=True))
        if any(len(piece) < least.get(split, 1) for split, piece in pieces.items()):
            is_class = len(strata_values) > 1
            subject = f"class number {stratum} has {n:,} rows" if is_class else f"{n:,} rows"
            way_out = "leave rare classes out, " if is_class else ""
            raise DataError(
                f"{subject} with {len(np.unique(sorted_keys)):,} different {noun} cannot be cut "
                f"into {', '.join(pieces)}: give more {noun}, {way_out}or give the splits."
            )
        for split, piece in pieces.items():
            parts[split].append(piece)
    return {split: np.concatenate(pieces) for split, pieces in parts.items()}


def _nearest_change(sorted_keys: np.ndarray, end: int) -> int:
    """The position nearest to `end` at which the sorted keys change."""
    if not 0 < end < len(sorted_keys):
        return max(0, min(end, len(sorted_keys)))
    left = int(np.searchsorted(sorted_keys, sorted_keys[end], "left"))
    right = int(np.searchsorted(sorted_keys, sorted_keys[end], "right"))
    return left if end - left <= right - end else right


def taken(rows: AnyRows, index: np.ndarray) -> AnyRows:
    """The rows of these numbers; those of a torch dataset stay unread."""
    if isinstance(rows, Rows):
        return rows.take(index)
    groups = None if rows.groups is None else rows.groups[index]
    chosen = replace(rows, dataset=_chosen(rows.dataset, index), groups=groups)
    return with_targets(chosen, rows.targets[index])


def _chosen(dataset: Any, index: np.ndarray) -> Any:
    """The chosen samples of a dataset, without the others where the samples are in memory.

    A split that is sent to another process must not hold the rows of another split.
    """
    from torch.utils.data import Subset, TensorDataset

    if type(dataset) is TensorDataset:
        return TensorDataset(*(t[index] for t in dataset.tensors))
    if isinstance(dataset, (list, tuple)):
        return [dataset[i] for i in index]
    return Subset(dataset, index.tolist())
