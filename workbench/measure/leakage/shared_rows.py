"""Rows with the same inputs, or the same long text, in two splits, and their labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from workbench.data.overlap import copies_are_natural, share_of_copies
from workbench.data.rows import Rows
from workbench.measure.leakage.findings import Finding
from workbench.measure.leakage.hashes import column_hashes
from workbench.measure.leakage.view import View
from workbench.system.wording import percent

__all__ = ["shared_rows"]

PAIRS = (("train", "valid"), ("train", "test"), ("valid", "test"))
SHARED = 0.01  # more than this share of a split seen elsewhere is a leak
CONTRADICTING = 3  # rows
TIMES_CHANCE = 2  # columns depend on one another, and chance is then more than permuting gives
MOST_PERMUTED = 4  # columns
MOST_STRATA = 6  # columns of few values, within which others are permuted
UNCHANGED = 0.2  # share of values that a permutation leaves where they were, at most
ROWS_A_VALUE = 20  # of such a column, at least
MANY_VALUES = 0.1  # probability that two values of a column agree, up to which it is permuted
DIFFERENT = 0.95  # share of different values of a column that hides copies
LEAST_COLUMNS = 3  # that are left without such columns
LEAST_WORDS = 5  # of a long text
MOST_COPIES = 0.5  # share of texts with a copy in their split, from which they are phrases


def shared_rows(view: View) -> Iterator[Finding]:
    """Findings for rows with the same inputs in two splits, and for their labels in valid.

    Rows are compared once more without columns of numbers and texts that are different in every
    row: such a column hides copies.
    """
    if not view.common:
        return
    told: set[tuple[str, str]] = set()
    for left_out in dict.fromkeys(((), _different_in_every_row(view))):
        compared = Compared.of(view, left_out)
        if compared is None:
            continue
        for pair in PAIRS:
            if pair not in told:
                for finding in compared.shared(*pair):
                    told.add(pair)
                    yield finding
        if not left_out and not compared.is_natural:
            yield from _contradicting(view, compared)
    for name in view.common:
        if len(view.common) > 1 and _is_long_text(view, name):
            yield from _same_texts(view, name, told)


def _is_long_text(view: View, name: str) -> bool:
    """Whether an input is a text of which half of the values have `LEAST_WORDS` words."""
    column = next((c for c in view.columns if c.name == name), None)
    if column is None or column.type != "text":
        return False
    words = [str(text).count(" ") + 1 for text in column.train[:1000].tolist()]
    return float(np.median(words)) >= LEAST_WORDS


def _same_texts(view: View, name: str, told: set[tuple[str, str]]) -> Iterator[Finding]:
    """Findings where texts of a split are in another one, which other columns of the row hide."""
    hashes = {s: column_hashes(name, rows.inputs[name]) for s, rows in view.whole.items()}
    for one, other in PAIRS:
        if (one, other) in told or not len(hashes.get(other, ())):
            continue
        shared = np.isin(hashes[other], hashes[one])
        n, share = int(shared.sum()), float(shared.mean())
        copies = share_of_copies(hashes[one])
        if n < 3 or share < SHARED or copies > MOST_COPIES:
            continue
        if share <= TIMES_CHANCE * copies + 3 * np.sqrt(share * (1 - share) / len(shared)):
            continue  # phrases, which are repeated within the split as well
        yield Finding(
            "same_rows",
            (one, other, name),
            f"{n:,} of {len(shared):,} {other} rows ({percent(share, None)}) have the `{name}` of "
            f"a row in {one}, the first is row {int(shared.argmax())} of {other}. Within {one}, "
            f"{percent(copies, None)} of the rows have the `{name}` of another row.",
            f"Find out why texts are there twice, such as one that was posted again, and keep rows "
            f"of one `{name}` in one split (`groups` of `make_task` does so).",
            numbers={"value": share, "chance": copies},
        )


@dataclass(frozen=True, eq=False)
class Compared:
    """Hashes of rows by split, without some columns; `is_natural`: rows have copies by nature."""

    view: View
    left_out: tuple[str, ...]
    hashes: Mapping[str, np.ndarray]
    is_natural: bool

    @classmethod
    def of(cls, view: View, left_out: tuple[str, ...]) -> Compared | None:
        """The rows of a task; None where too few columns are left."""
        hashes, train = dict(view.hashes), view.whole["train"]
        if not left_out:
            return cls(view, left_out, hashes, _are_natural(train, hashes["train"]))
        names = [name for name in view.common if name not in left_out]
        if len(names) < LEAST_COLUMNS:
            return None
        for split, rows in view.whole.items():
            for name in left_out:
                hashes[split] = hashes[split] - column_hashes(name, rows.inputs[name])
        few = Rows({name: train.inputs[name] for name in names}, train.targets)
        return cls(view, left_out, hashes, _are_natural(few, hashes["train"]))

    def shared(self, one: str, other: str) -> Iterator[Finding]:
        """A finding where more rows than by chance are in both splits."""
        if other not in self.hashes or not len(self.hashes[other]):
            return
        shared = np.isin(self.hashes[other], self.hashes[one])
        n, share = int(shared.sum()), float(shared.mean())
        if n < 2 or share < SHARED:
            return
        times = 1 if self.is_natural else TIMES_CHANCE
        expected = self.by_chance(one, other, share / times)
        n_independent = _independent(shared) if self.is_natural else len(shared)
        deviation = np.sqrt(expected * (1 - expected) / n_independent)
        if share < times * expected + 3 * deviation + SHARED * (expected > 0):
            return
        apart = ", ".join(f"`{name}`" for name in self.left_out[:3])
        yield Finding(
            "same_rows",
            (one, other),
            f"{n:,} of {len(shared):,} {other} rows ({percent(share, None)}) have the inputs of a "
            f"row in {one}{f', apart from {apart}' if apart else ''}, the first is row "
            f"{int(shared.argmax())} of {other}. By chance it would be {percent(expected, None)}.",
            f"Keep each row in one split: drop its copies, or cut the splits so that copies stay "
            f"together (`make_task` does so). The score on {other} counts rows that were learned.",
            numbers={"value": share, "chance": expected},
        )

    def by_chance(self, one: str, other: str, enough: float = 1.0) -> float:
        """The share of rows of one split that agree with a row of the other by chance.

        The values of one column are permuted, so that copies are parted and all else stays as it
        is; the largest share for the columns of many values. Rows of few different values have
        copies among the rows of one split as well. Values are also permuted among rows of one
        value of another column, such as the temperature in a month. Copies among the rows of one
        split count once, unless they are natural. It stops where the share is `enough`.
        """
        expected = share_of_copies(self.hashes[one]) if self.is_natural else 0.0
        rng = np.random.default_rng(0)
        inputs = self.view.whole[one].inputs
        hashes = self.hashes[one]
        if not self.is_natural:
            first = np.unique(hashes, return_index=True)[1]
            hashes, inputs = hashes[first], {n: a[first] for n, a in inputs.items()}
        names = [n for n in self.view.common if n not in self.left_out and inputs[n].ndim == 1]
        if len(names) + len(self.left_out) < 2 or len(self.view.common) < 2:
            return expected
        parts = {n: column_hashes(n, inputs[n]) for n in names[:: max(1, len(names) // 50)]}
        agree = {n: _agreement(part) for n, part in parts.items()}
        ranked = sorted(agree, key=agree.__getitem__)
        usable = [name for name in ranked[:MOST_PERMUTED] if agree[name] < MANY_VALUES]
        few = [n for n in ranked[::-1] if len(np.unique(parts[n])) * ROWS_A_VALUE < len(parts[n])]
        for name in usable or ranked[:1]:
            rest = hashes - parts[name]
            is_usual = parts[name] == _most_frequent(parts[name])
            for stratum in (np.zeros(len(rest)), *(parts[n] for n in few[:MOST_STRATA])):
                values = _permuted(parts[name], stratum, rng)
                is_same = (values == parts[name])[~is_usual]
                if stratum.any() and len(is_same) and is_same.mean() > UNCHANGED:
                    continue  # the other column determines this one
                share = float(np.isin(self.hashes[other], rest + values).mean())
                expected = max(expected, share)
                if expected >= enough:
                    return expected
        return expected


def _independent(shared: np.ndarray) -> float:
    """The number of independent rows that such an array `(rows,)` of yes and no stands for.

    Rows of one day lie together and find their copies together: by the correlation of neighbours.
    """
    if shared.all() or not shared.any():
        return float(len(shared))
    r = max(0.0, float(np.corrcoef(shared[:-1], shared[1:])[0, 1]))
    return max(1.0, len(shared) * (1 - r) / (1 + r)) if np.isfinite(r) else float(len(shared))


def _different_in_every_row(view: View) -> tuple[str, ...]:
    """Names of columns of whole numbers, codes or dates, nearly all of them different."""
    names = []
    for column in view.columns:
        array = view.whole["train"].inputs.get(column.name)
        if (
            array is None
            or array.ndim > 1
            or column.type == "text"
            or column.name not in view.common
        ):
            continue
        if array.dtype.kind == "f" and (array[np.isfinite(array)] % 1 != 0).any():
            continue
        if len(np.unique(column_hashes(column.name, array))) > DIFFERENT * len(array):
            names.append(column.name)
    return tuple(names)


def _permuted(values: np.ndarray, stratum: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Values in random order among rows of one stratum."""
    permuted = np.empty_like(values)
    order = np.argsort(stratum, kind="stable")
    permuted[order] = values[np.lexsort((rng.random(len(values)), stratum))]
    return permuted


def _most_frequent(values: np.ndarray) -> int:
    """The value `(rows,)` that most rows have, such as that of a gap."""
    different, counts = np.unique(values, return_counts=True)
    return int(different[counts.argmax()])


def _agreement(values: np.ndarray) -> float:
    """The probability that two values `(rows,)` are equal."""
    shares = np.unique(values, return_counts=True)[1] / max(1, len(values))
    return float((shares**2).sum())


def _are_natural(train: Rows, hashes: np.ndarray) -> bool:
    """Whether rows have copies because they are made of few different values."""
    if len(np.unique(hashes)) == len(hashes):
        return False
    return copies_are_natural(train)


def _contradicting(view: View, compared: Compared) -> Iterator[Finding]:
    """A finding where valid rows have other labels than train rows with the same inputs."""
    hashes = compared.hashes
    kind = view.task.kind
    train, valid = view.whole["train"].targets, view.whole["valid"].targets
    if kind not in ("classification", "binary") or train.ndim > 1 or valid.ndim > 1:
        return
    values, first = np.unique(hashes["train"], return_index=True)
    place = np.searchsorted(values, hashes["valid"]).clip(0, len(values) - 1)
    is_shared = values[place] == hashes["valid"]
    differs = is_shared & (train[first[place]] != valid)
    n, n_shared = int(differs.sum()), int(is_shared.sum())
    if n < CONTRADICTING or n < 0.1 * n_shared:
        return
    by_chance = compared.by_chance("train", "valid") * len(valid)
    if n_shared < CONTRADICTING + TIMES_CHANCE * by_chance + 3 * np.sqrt(by_chance):
        return
    _, counts = np.unique(train, return_counts=True)
    chance = 1 - float(((counts / counts.sum()) ** 2).sum())
    yield Finding(
        "contradicting_labels",
        ("valid",),
        f"{n:,} of the {n_shared:,} valid rows that are in train too have another label there, the "
        f"first is row {int(differs.argmax())} of valid. Labels without any relation would differ "
        f"in {percent(chance, None)} of them.",
        "Find out which label is right: labels are wrong, a column that tells these rows apart is "
        "missing, or valid was labelled in another way.",
        severity="look at it",
        numbers={"value": n / n_shared, "chance": chance},
    )
