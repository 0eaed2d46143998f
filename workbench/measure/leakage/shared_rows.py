"""Rows that are in two splits: exactly, or nearly (noise, rounding, small changes of text)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from workbench.data.overlap import copies_are_natural
from workbench.data.rows import Rows
from workbench.measure.leakage.findings import Finding
from workbench.measure.leakage.hashes import input_hashes
from workbench.measure.leakage.view import View, numbers_of
from workbench.system.wording import percent

__all__ = ["near_duplicates", "shared_rows"]

PAIRS = (("train", "valid"), ("train", "test"), ("valid", "test"))
SHARED = 0.01  # more than this share of a split seen elsewhere is a leak
N_ASKED = 1_000  # held-out rows whose nearest neighbour is found
MOST_NEIGHBOURS = 300_000  # rows among which it is found
NEAR = 0.1  # of the median distance between neighbours
N_DIMENSIONS = 64  # of a random projection, for rows of more values
WORDS = 2**14
LEAST_ROWS = 20
CONTRADICTING = 3  # rows


def shared_rows(view: View) -> Iterator[Finding]:
    """Findings for rows with the same inputs in two splits, and for their labels in valid."""
    names = _common(view.whole)
    if not names:
        return
    hashes = input_hashes(view.whole, names)
    is_natural = _are_natural(view.whole["train"], hashes["train"])
    for one, other in PAIRS:
        if other not in hashes or not len(hashes[other]):
            continue
        shared = np.isin(hashes[other], hashes[one])
        n, share = int(shared.sum()), float(shared.mean())
        expected = _expected(hashes[one]) if is_natural else 0.0
        deviation = np.sqrt(expected * (1 - expected) / len(shared))
        if n < 2 or share < max(SHARED, expected + 3 * deviation + SHARED * (expected > 0)):
            continue
        yield Finding(
            "same_rows",
            (one, other),
            f"{n:,} of {len(shared):,} {other} rows ({percent(share, None)}) have the inputs of a "
            f"row in {one}, the first is row {int(shared.argmax())} of {other}. By chance it would "
            f"be {percent(expected, None)}.",
            f"Keep each row in one split: drop its copies, or cut the splits so that copies stay "
            f"together (`make_task` does so). The score on {other} counts rows that were learned.",
            numbers={"value": share, "chance": expected},
        )
    if not is_natural:
        yield from _contradicting(view, hashes)


def _common(splits: Mapping[str, Rows]) -> tuple[str, ...]:
    names = [n for n in splits["train"].inputs if all(n in r.inputs for r in splits.values())]
    shape = {n: splits["train"].inputs[n].shape[1:] for n in names}
    return tuple(
        n for n in names if all(r.inputs[n].shape[1:] == shape[n] for r in splits.values())
    )


def _are_natural(train: Rows, hashes: np.ndarray) -> bool:
    """Whether rows have copies because they are made of few different values."""
    if len(np.unique(hashes)) == len(hashes):
        return False
    return copies_are_natural(train)


def _expected(hashes: np.ndarray) -> float:
    """The share of rows that have another copy among the same rows."""
    _, counts = np.unique(hashes, return_counts=True)
    return float(counts[counts > 1].sum() / max(1, len(hashes)))


def _contradicting(view: View, hashes: Mapping[str, np.ndarray]) -> Iterator[Finding]:
    """A finding where valid rows have other labels than train rows with the same inputs."""
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


def near_duplicates(view: View, seed: int = 0) -> Iterator[Finding]:
    """Findings for held-out rows that lie much nearer to a train row than train rows do.

    Distances are of scaled numbers, categories, hashed words and pixels. Rows that are exactly the
    same are not counted.
    """
    names = _common(view.whole)
    train = view.whole["train"]
    if not names or len(train) < LEAST_ROWS:
        return
    rng = np.random.default_rng(seed)
    chosen = _sample(len(train), MOST_NEIGHBOURS, rng)
    points = _Points.of(train, names)
    if points.n_parts < 2:
        return
    base = points(train.take(chosen))
    asked = _sample(len(base), N_ASKED, rng)
    within = _nearest(base[asked], base, skip=asked)
    usual = float(np.median(within))
    if usual <= 1e-9:
        return  # most rows have an exact copy: made of few different values
    by_chance = float(((within < NEAR * usual) & (within > 1e-9)).mean())
    for other in ("valid", "test"):
        if other not in view.whole or not len(view.whole[other]):
            continue
        rows = view.whole[other]
        places = _sample(len(rows), N_ASKED, rng)
        distances = _nearest(points(rows.take(places)), base)
        near = (distances < NEAR * usual) & (distances > 1e-7)
        n, share = int(near.sum()), float(near.mean())
        limit = by_chance + 4 * np.sqrt(max(by_chance, 1 / len(near)) / len(near)) + SHARED
        if n < 3 or share < limit:
            continue
        yield Finding(
            "near_duplicates",
            ("train", other),
            f"{n:,} of {len(near):,} {other} rows ({percent(share, None)}) differ from a train row "
            f"by less than a tenth of the usual distance between neighbours, the first is row "
            f"{int(places[near.argmax()])} of {other}. Among train rows it is "
            f"{percent(by_chance, None)}.",
            "Find out where such pairs come from (copies with noise, rounded values, one thing "
            "recorded twice, augmented or reworded rows), and keep each pair in one split.",
            numbers={"value": share, "chance": by_chance},
        )


def _sample(n: int, most: int, rng: np.random.Generator) -> np.ndarray:
    return np.arange(n) if n <= most else np.sort(rng.choice(n, most, replace=False))


class _Points:
    """Rows as points: numbers scaled by train, categories one of many, texts as hashed words."""

    def __init__(self, train: Rows, names: tuple[str, ...]) -> None:
        self.scales: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self.words: list[str] = []
        self.categories: list[str] = []
        self.projections: dict[str, np.ndarray] = {}
        self.names = names
        self._fit(train)

    @classmethod
    def of(cls, train: Rows, names: tuple[str, ...]) -> _Points:
        return cls(train, names)

    @property
    def n_parts(self) -> int:
        """How many values a row has at least; one alone is near another by chance."""
        n = sum(len(mean) for mean, _ in self.scales.values())
        return n + 2 * len(self.words)

    def _fit(self, train: Rows) -> None:
        few = train.take(np.linspace(0, len(train) - 1, min(len(train), 20_000)).astype(int))
        for name in self.names:
            array = few.inputs[name]
            if array.dtype.kind in "biufMm":
                numbers = _matrix(array)
                with np.errstate(all="ignore"):
                    import warnings

                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore", RuntimeWarning)
                        mean, deviation = np.nanmean(numbers, 0), np.nanstd(numbers, 0)
                usable = np.isfinite(mean) & np.isfinite(deviation)
                mean = np.where(usable, mean, 0.0)
                deviation = np.where(usable & (deviation > 0), deviation, np.inf)
                if array.ndim > 2:  # pixels have one scale
                    whole = np.sqrt(np.mean(deviation[np.isfinite(deviation)] ** 2) or 1.0)
                    deviation = np.where(np.isfinite(deviation), whole, np.inf)
                self.scales[name] = mean, deviation
            else:
                texts = [str(v) for v in array.ravel()[:500].tolist()]
                is_text = np.mean([len(t.split()) for t in texts]) >= 3
                (self.words if is_text else self.categories).append(name)

    def __call__(self, rows: Rows) -> np.ndarray:
        """Points `(rows, dimensions)`, float32."""
        parts = []
        for name, (mean, deviation) in self.scales.items():
            with np.errstate(invalid="ignore", over="ignore"):
                scaled = np.clip((_matrix(rows.inputs[name]) - mean) / deviation, -20, 20)
            scaled = np.nan_to_num(scaled)
            parts.append(self._projected(name, scaled.astype(np.float32)))
        parts += [self._words(rows.inputs[name]) for name in self.words]
        parts += [_category(rows.inputs[name]) for name in self.categories]
        whole = np.concatenate(parts, axis=1)
        return self._projected("", whole)

    def _projected(self, name: str, points: np.ndarray) -> np.ndarray:
        n = points.shape[1]
        if n <= N_DIMENSIONS:
            return points
        if name not in self.projections:
            rng = np.random.default_rng(n)
            drawn = rng.standard_normal((n, N_DIMENSIONS)) / np.sqrt(N_DIMENSIONS)
            self.projections[name] = drawn.astype(np.float32)
        return points @ self.projections[name]

    def _words(self, texts: np.ndarray) -> np.ndarray:
        from sklearn.feature_extraction.text import HashingVectorizer

        hashed = HashingVectorizer(n_features=WORDS, alternate_sign=False, ngram_range=(1, 2))
        counts = hashed.transform([str(v) for v in texts.ravel().tolist()])
        rng = np.random.default_rng(0)
        drawn = rng.standard_normal((WORDS, N_DIMENSIONS)).astype(np.float32)
        return np.asarray(counts @ drawn, np.float32) / np.float32(np.sqrt(N_DIMENSIONS / 8))


def _matrix(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind in "Mm":
        return numbers_of(array, "date")[:, None]
    return array.reshape(len(array), -1).astype(np.float64)


def _category(values: np.ndarray) -> np.ndarray:
    """A point for each category, the same in every call: other categories are far apart."""
    from pandas.util import hash_array

    texts = np.array([str(v) for v in values.ravel().tolist()], object)
    codes = hash_array(texts)
    unique, places = np.unique(codes, return_inverse=True)
    drawn = np.stack(
        [np.random.default_rng(int(code)).standard_normal(8) for code in unique]
    ).astype(np.float32)
    return drawn[places] / np.float32(2.0)


def _nearest(asked: np.ndarray, points: np.ndarray, skip: np.ndarray | None = None) -> np.ndarray:
    """The distance of each asked point to its nearest one; `skip` are the places of themselves."""
    norms = (points.astype(np.float64) ** 2).sum(axis=1)
    nearest = np.empty(len(asked))
    size = max(1, int(4e7 // max(1, len(points))))
    for start in range(0, len(asked), size):
        part = asked[start : start + size]
        squares = norms[None].astype(np.float32) - 2 * part @ points.T
        if skip is not None:
            squares[np.arange(len(part)), skip[start : start + size]] = np.inf
        best = squares.argmin(axis=1)
        # Again in double precision: the difference of two large squares is not exact.
        difference = part.astype(np.float64) - points[best].astype(np.float64)
        nearest[start : start + size] = np.sqrt((difference**2).sum(axis=1))
    return nearest
