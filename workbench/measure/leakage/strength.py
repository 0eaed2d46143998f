"""Strength, how well one column alone predicts the target, on rows that it was not fitted on.

Values of a column are put into bins, and the mean target of a bin predicts its rows: out of fold on
train, and fitted on train for valid. The share explained is 1 - SSE / SST, summed over classes (it
is the Brier skill score), or of the ranks of amounts; without a relation it is 0 or less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.measure.leakage.view import Aim, Column, View, codes_of

__all__ = [
    "Strength",
    "as_numbers",
    "chance_of",
    "explained",
    "folds_of",
    "of_codes",
    "score_of",
    "squared_rank_correlation",
    "strength_of",
    "strengths",
    "together",
]

N_FOLDS = 5
MOST_BINS = 64
ROWS_A_BIN = 12
PRIOR = 0.3  # rows; of a bin's mean that is the mean of all
N_TREES = 25  # columns that are looked at with a tree as well, the strongest ones
N_PERMUTED = 100
WORDS = 2**12  # hashed words of a text
MOST_TEXTS = 5_000


@dataclass(frozen=True, eq=False)
class Strength:
    """The share of a target that one column explains, on train (out of fold) and on valid.

    `predicted` are predictions of valid rows `(rows, k)`; `codes` are the bins of train rows.
    `seen` is the share of valid rows whose value is in train.
    """

    column: Column
    aim: Aim
    train: float
    valid: float
    predicted: np.ndarray
    codes: np.ndarray
    seen: float = 1.0

    @property
    def least(self) -> float:
        """The smaller share of train and valid."""
        return min(self.train, self.valid)


def explained(predicted: np.ndarray, aim: np.ndarray, mean: np.ndarray) -> float:
    """The share of a target `(rows, k)` that predictions explain beyond the mean of train."""
    total = float(((aim - mean) ** 2).sum())
    return 1.0 - float(((aim - predicted) ** 2).sum()) / total if total > 0 else 0.0


def score_of(aim: Aim, labels: np.ndarray, predicted: np.ndarray) -> tuple[str, float, float]:
    """Name and value of a usual score of predictions `(rows, k)`, and its value by chance."""
    if aim.kind == "amount":
        return "R2 of ranks", explained(predicted, _ranked(aim, labels), np.array(0.5)), 0.0
    if predicted.shape[1] > 1:
        is_best = predicted.argmax(1)
        truth = _class_places(aim, labels)
        share = np.bincount(truth[truth >= 0], minlength=1).max() / max(1, len(truth))
        return "accuracy", float((is_best == truth).mean()), float(share)
    from sklearn.metrics import roc_auc_score

    is_one = labels == aim.labels[aim.train[:, 0] == 1][0]
    if is_one.all() or not is_one.any():
        return "AUC", 0.5, 0.5
    return "AUC", float(roc_auc_score(is_one, predicted[:, 0])), 0.5


def _ranked(aim: Aim, labels: np.ndarray) -> np.ndarray:
    return aim.train if len(labels) == len(aim.train) else aim.valid


def _class_places(aim: Aim, labels: np.ndarray) -> np.ndarray:
    hot = aim.train if len(labels) == len(aim.train) else aim.valid
    return np.where(hot.any(axis=1), hot.argmax(axis=1), -1)


def folds_of(n: int, seed: int = 0) -> np.ndarray:
    """The number of the fold of each row `(rows,)`."""
    return np.random.default_rng(seed).permutation(np.arange(n) % N_FOLDS)


def strengths(view: View, aim: Aim) -> list[Strength]:
    """The strength of every column of a task."""
    folds = folds_of(len(aim.train))
    every = [strength_of(column, aim, folds) for column in view.columns]
    ranked = sorted(
        range(len(every)),
        key=lambda i: -max(every[i].train, squared_rank_correlation(every[i].column, aim)),
    )
    for i in ranked[:N_TREES]:
        every[i] = _with_tree(every[i], folds)
    return every


def strength_of(column: Column, aim: Aim, folds: np.ndarray) -> Strength:
    """The strength of one column; a number with repeated values is taken as a category too."""
    if column.type == "text":
        return _of_text(column, aim, folds)
    if column.type == "category":
        codes, n = codes_of(column.train, column.values["valid"])
        return of_codes(column, aim, folds, codes[0], codes[1], n)
    numbers = column.numbers("train"), column.numbers("valid")
    train, valid, n = _bins(*numbers)
    by_bins = of_codes(column, aim, folds, train, valid, n)
    n_different = len(np.unique(numbers[0][np.isfinite(numbers[0])]))
    if not MOST_BINS < n_different < len(train) / 2:
        return by_bins
    codes, n = codes_of(*numbers)
    by_values = of_codes(column, aim, folds, codes[0], codes[1], n)
    return by_values if by_values.least > by_bins.least else by_bins


def _bins(train: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Numbers of bins of equal size, or of values where there are few; missing has its own."""
    finite = train[np.isfinite(train)]
    values = np.unique(finite)
    most = int(np.clip(len(train) // ROWS_A_BIN, 4, MOST_BINS))
    if len(values) <= most:
        edges = (values[:-1] + values[1:]) / 2
    else:
        edges = np.unique(np.quantile(finite, np.linspace(0, 1, most + 1)[1:-1]))
    n = len(edges) + 2
    parts = [
        np.where(np.isnan(v), n - 1, np.searchsorted(edges, v, "right")) for v in (train, valid)
    ]
    return parts[0], parts[1], n


def of_codes(
    column: Column, aim: Aim, folds: np.ndarray, train: np.ndarray, valid: np.ndarray, n: int
) -> Strength:
    """By the mean target of each code."""
    mean = aim.train.mean(axis=0)
    counts, sums = _sums(train, aim.train, n)
    predicted = (sums + PRIOR * mean) / (counts + PRIOR)[:, None]
    on_valid = predicted[valid]
    return Strength(
        column,
        aim,
        explained(_out_of_fold(train, aim.train, folds, n), aim.train, mean),
        explained(on_valid, aim.valid, mean),
        on_valid,
        train,
        float((counts[valid] > 0).mean()) if len(valid) else 1.0,
    )


def _out_of_fold(codes: np.ndarray, aim: np.ndarray, folds: np.ndarray, n: int) -> np.ndarray:
    k, mean = aim.shape[1], aim.mean(axis=0)
    by_fold = codes * N_FOLDS + folds
    counts, sums = _sums(by_fold, aim, n * N_FOLDS)
    counts, sums = counts.reshape(n, N_FOLDS), sums.reshape(n, N_FOLDS, k)
    others = counts.sum(1)[codes] - counts[codes, folds]
    total = sums.sum(1)[codes] - sums[codes, folds]
    return (total + PRIOR * mean) / (others + PRIOR)[:, None]


def _sums(codes: np.ndarray, aim: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    counts = np.bincount(codes, minlength=n).astype(np.float64)
    sums = [np.bincount(codes, weights=aim[:, i], minlength=n) for i in range(aim.shape[1])]
    return counts, np.stack(sums, axis=1)


def squared_rank_correlation(column: Column, aim: Aim) -> float:
    """The squared correlation of the ranks of a number with the target; 0 for other columns."""
    if column.type in ("text", "category"):
        return 0.0
    numbers = column.numbers("train")
    is_finite = np.isfinite(numbers)
    if is_finite.sum() < 4 or np.ptp(numbers[is_finite]) == 0:
        return 0.0
    ranks = np.argsort(np.argsort(numbers[is_finite])).astype(np.float64)
    targets = aim.train[is_finite]
    with np.errstate(invalid="ignore", divide="ignore"):
        r = [np.corrcoef(ranks, targets[:, i])[0, 1] for i in range(targets.shape[1])]
    return float(np.nanmax(np.square([0.0, *r])))


def _with_tree(strength: Strength, folds: np.ndarray) -> Strength:
    """The same, or that of a tree on the numbers where it is stronger: few rows give few bins."""
    column, aim = strength.column, strength.aim
    if column.type in ("text", "category"):
        return strength
    from sklearn.tree import DecisionTreeRegressor

    def filled(split: str) -> np.ndarray:
        numbers = column.numbers(split)
        lowest = np.nanmin(numbers) if np.isfinite(numbers).any() else 0.0
        return np.nan_to_num(numbers, nan=lowest - 1.0, posinf=1e30, neginf=-1e30)[:, None]

    train, valid = np.clip(filled("train"), -1e30, 1e30), np.clip(filled("valid"), -1e30, 1e30)
    tree = DecisionTreeRegressor(max_leaf_nodes=MOST_BINS, min_samples_leaf=3, random_state=0)
    mean = aim.train.mean(axis=0)
    predicted = np.zeros_like(aim.train)
    for fold in range(N_FOLDS):
        held = folds == fold
        if held.any() and not held.all():
            tree.fit(train[~held], aim.train[~held])
            predicted[held] = tree.predict(train[held]).reshape(held.sum(), -1)
    tree.fit(train, aim.train)
    on_valid = tree.predict(valid).reshape(len(valid), -1)
    shares = (explained(predicted, aim.train, mean), explained(on_valid, aim.valid, mean))
    if min(shares) <= strength.least:
        return strength
    leaves = np.unique(tree.apply(train), return_inverse=True)[1]
    return Strength(column, aim, *shares, on_valid, leaves, strength.seen)


def _of_text(column: Column, aim: Aim, folds: np.ndarray) -> Strength:
    """By a ridge regression on hashed words."""
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.linear_model import Ridge

    words = HashingVectorizer(n_features=WORDS, alternate_sign=False, token_pattern=r"(?u)\b\w+\b")
    x, y = (
        words.transform([str(v) for v in column.values[split][:MOST_TEXTS].tolist()])
        for split in ("train", "valid")
    )
    folds, aim_train, aim_valid = folds[:MOST_TEXTS], aim.train[:MOST_TEXTS], aim.valid[:MOST_TEXTS]
    mean = aim_train.mean(axis=0)
    predicted = np.tile(mean, (len(aim_train), 1))
    model = Ridge(alpha=0.1, solver="sparse_cg", tol=1e-3)
    for fold in range(N_FOLDS):
        held = folds == fold
        if held.any() and not held.all():
            predicted[held] = (
                model.fit(x[~held], aim_train[~held]).predict(x[held]).reshape(held.sum(), -1)
            )
    on_valid = model.fit(x, aim_train).predict(y).reshape(len(aim_valid), -1)
    all_valid = np.tile(mean, (len(aim.valid), 1))
    all_valid[: len(on_valid)] = on_valid
    return Strength(
        column,
        aim,
        explained(predicted, aim_train, mean),
        explained(on_valid, aim_valid, mean),
        all_valid,
        np.zeros(len(aim.train), np.int64),
    )


def chance_of(strength: Strength, seed: int = 0) -> tuple[float, float]:
    """Mean and standard deviation of the share explained on train for permuted targets."""
    rng = np.random.default_rng(seed)
    aim, codes = strength.aim.train, strength.codes
    mean, n = aim.mean(axis=0), int(codes.max(initial=0)) + 1
    folds = folds_of(len(aim))
    values = [
        explained(_out_of_fold(codes, permuted, folds, n), permuted, mean)
        for permuted in (rng.permutation(aim) for _ in range(N_PERMUTED))
    ]
    return float(np.mean(values)), float(np.std(values))


def together(columns: list[Column], aim: Aim, seed: int = 0) -> float:
    """The share of valid that many columns together explain, by a forest fitted on train."""
    from sklearn.ensemble import ExtraTreesRegressor

    if not columns:
        return 0.0
    n, m = min(len(aim.train), 4_000), min(len(aim.valid), 4_000)
    train = np.column_stack([as_numbers(c, "train")[:n] for c in columns])
    valid = np.column_stack([as_numbers(c, "valid")[:m] for c in columns])
    forest = ExtraTreesRegressor(
        60, min_samples_leaf=2, max_features=0.5, max_depth=14, random_state=seed, n_jobs=1
    )
    forest.fit(train, aim.train[:n, 0] if aim.train.shape[1] == 1 else aim.train[:n])
    predicted = forest.predict(valid).reshape(m, -1)
    return explained(predicted, aim.valid[:m], aim.train.mean(axis=0))


def as_numbers(column: Column, split: str) -> np.ndarray:
    """A column as finite numbers; categories in the order of their texts."""
    if column.type in ("number", "date"):
        return np.clip(np.nan_to_num(column.numbers(split), nan=-1e9), -1e30, 1e30)
    texts = sorted({str(v) for v in column.train.tolist()})
    number = {text: i for i, text in enumerate(texts)}
    return np.array([number.get(str(v), -1) for v in column.values[split].tolist()], np.float64)
