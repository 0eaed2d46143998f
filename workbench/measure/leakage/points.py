"""Points, the rows of a task as vectors whose distances say how alike two rows are."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np

from workbench.data.rows import Rows
from workbench.measure.leakage.view import numbers_of, sampled

__all__ = ["Points", "nearest", "some_inputs"]

N_DIMENSIONS = 64  # of a random projection, for rows of more values
WORDS = 2**14
N_FITTED = 20_000  # rows that scales are computed on


class Points:
    """Rows as points: numbers scaled by train, categories one of many, texts as hashed words."""

    def __init__(self, train: Rows, names: tuple[str, ...]) -> None:
        self.scales: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self.words: list[str] = []
        self.categories: list[str] = []
        self.projections: dict[str, np.ndarray] = {}
        self.names = names
        self.n_continuous = 0  # columns most of whose values differ; a text counts as three
        self._fit(train)

    def _fit(self, train: Rows) -> None:
        places = np.linspace(0, len(train) - 1, min(len(train), N_FITTED)).astype(int)
        few = train.take(np.unique(places))
        for name in self.names:
            array = few.inputs[name]
            if array.dtype.kind in "biufMm":
                self.scales[name] = self._scale(array)
                continue
            texts = [str(v) for v in array.ravel()[:500].tolist()]
            if np.mean([len(t.split()) for t in texts]) >= 3:
                self.words.append(name)
                self.n_continuous += 3
            else:
                self.categories.append(name)

    def _scale(self, array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation of each column; constant ones are divided by infinity."""
        numbers = _matrix(array)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", RuntimeWarning)
            mean, deviation = np.nanmean(numbers, 0), np.nanstd(numbers, 0)
        usable = np.isfinite(mean) & np.isfinite(deviation)
        mean = np.where(usable, mean, 0.0)
        deviation = np.where(usable & (deviation > 0), deviation, np.inf)
        if array.ndim > 2:  # pixels have one scale
            finite = deviation[np.isfinite(deviation)]
            whole = np.sqrt(np.mean(finite**2)) if len(finite) else np.inf
            deviation = np.where(np.isfinite(deviation), whole, np.inf)
            self.n_continuous += len(finite)
        else:
            for i in range(min(numbers.shape[1], 50)):
                self.n_continuous += 2 * len(np.unique(numbers[:, i])) > len(numbers)
        return mean, deviation

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Points `(rows, dimensions)`, float32."""
        parts = []
        for name, (mean, deviation) in self.scales.items():
            with np.errstate(invalid="ignore", over="ignore"):
                scaled = np.clip((_matrix(inputs[name]) - mean) / deviation, -20, 20)
            scaled = np.nan_to_num(scaled)
            parts.append(self._projected(name, scaled.astype(np.float32)))
        parts += [self._words(inputs[name]) for name in self.words]
        parts += [_category(inputs[name]) for name in self.categories]
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


def some_inputs(
    rows: Rows, most: int, rng: np.random.Generator
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The inputs of at most `most` rows, drawn at random, and the places of these rows."""
    places = sampled(len(rows), most, rng)
    return {name: array[places] for name, array in rows.inputs.items()}, places


def nearest(asked: np.ndarray, base: np.ndarray, n: int) -> np.ndarray:
    """Distances of each asked point to its `n` nearest ones `(asked, n)`, in ascending order."""
    n = min(n, len(base))
    norms = (base.astype(np.float64) ** 2).sum(axis=1).astype(np.float32)
    nearest = np.empty((len(asked), n))
    size = max(1, int(2e7 // max(1, len(base))))
    for start in range(0, len(asked), size):
        part = asked[start : start + size]
        squares = norms[None] - 2 * part @ base.T
        best = np.argpartition(squares, n - 1, axis=1)[:, :n]
        # Again in double precision: the difference of two large squares is not exact.
        differences = part[:, None].astype(np.float64) - base[best].astype(np.float64)
        nearest[start : start + size] = np.sort(np.sqrt((differences**2).sum(axis=2)), axis=1)
    return nearest
