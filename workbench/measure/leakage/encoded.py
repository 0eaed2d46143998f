"""Columns made from targets before the split, as mean targets of a category are."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from workbench.measure.leakage.findings import Finding
from workbench.measure.leakage.view import Aim, Column, View, codes_of

__all__ = ["encoded_with_targets", "stronger_on_train"]

LEAST_VALUES = 20  # different values of an encoded column
SMOOTHINGS = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)  # rows with the mean of all
TOO_NEAR = 0.4  # of the distance from the means that chance gives
TIMES_NEARER = 1.8  # to the means of train and held-out rows than to those of train
TIMES_IN_UNIT = 1.5  # the same, for a column in the unit of the targets
LEAST = 0.04  # of the distance that chance gives, from the means of train
CORRELATED = 0.3  # correlation on train from which valid is compared
FEW = 60  # different values, which rows of several groups share
GAP = 0.25  # of correlations
DEVIATIONS = 4.0


def encoded_with_targets(view: View) -> Iterator[Finding]:
    """A finding for each column that holds mean targets of train and held-out rows.

    The mean target of all rows of one value differs from that of a true number by chance, as the
    rows are a sample. A column made of these targets lies much nearer. Test targets are not used.
    """
    if view.task.kind == "custom" or not view.aims or not view.are_columns:
        return
    splits = [s for s in ("train", "valid", "calibration") if s in view.whole]
    train, joined = view.whole["train"], [view.whole[s].targets for s in splits]
    if train.targets.ndim != 1:
        return
    targets = np.concatenate(joined).astype(np.float64)
    for column in view.columns:
        array = train.inputs.get(column.name)
        if column.type != "number" or array is None or array.dtype.kind != "f":
            continue
        values = np.concatenate([view.whole[s].inputs[column.name] for s in splits])
        finite = np.isfinite(values)
        (codes,), n = codes_of(values[finite])
        if not LEAST_VALUES <= n <= len(codes) / 2:
            continue
        is_train = (np.arange(len(values)) < len(train))[finite]
        for y in _each(targets[finite], view.task.kind):
            ratios = _distances(values[finite].astype(np.float64), codes, n, y, is_train)
            has_unit = ratios is not None and _has_unit_of_targets(values[finite], codes, n, y)
            if ratios is not None and _is_made_of(ratios, n, has_unit):
                yield _encoded(column, ratios, splits)
                break


def _each(targets: np.ndarray, kind: str) -> Iterator[np.ndarray]:
    """The targets, or whether each is of a class, for up to ten classes."""
    if kind != "classification":
        yield targets
        return
    for value in np.unique(targets)[:10]:
        yield (targets == value).astype(np.float64)


def _distances(
    values: np.ndarray, codes: np.ndarray, n: int, targets: np.ndarray, is_train: np.ndarray
) -> tuple[float, float] | None:
    """Squared distances from the means of train and from those of all, in units of chance."""
    of_value = np.zeros(n)
    of_value[codes] = values
    if np.ptp(of_value) == 0:
        return None
    return _chi(of_value, codes[is_train], n, targets[is_train]), _chi(of_value, codes, n, targets)


def _chi(of_value: np.ndarray, codes: np.ndarray, n: int, targets: np.ndarray) -> float:
    """The mean squared distance of means from a line in the column, 1 for a true number."""
    counts = np.bincount(codes, minlength=n).astype(np.float64)
    has = counts > 0
    means = np.bincount(codes, weights=targets, minlength=n)[has] / counts[has]
    within = float(((targets - np.where(has, 0, 0)[codes] - _expand(means, has, codes)) ** 2).sum())
    freedom = len(codes) - has.sum()
    if freedom < 1 or within <= 0:
        return np.inf
    variance = within / freedom
    best = np.inf
    for smoothing in SMOOTHINGS:
        # Smoothed means are a line in the column where it was smoothed so; weights undo it.
        factor = counts[has] / (counts[has] + smoothing)
        smoothed = factor * means + (1 - factor) * targets.mean()
        weights = counts[has] / factor**2
        x = np.column_stack([np.ones(has.sum()), of_value[has]])
        root = np.sqrt(weights)
        line = np.linalg.lstsq(x * root[:, None], smoothed * root, rcond=None)[0]
        rest = float((weights * (smoothed - x @ line) ** 2).sum())
        best = min(best, rest / variance / max(1, has.sum() - 2))
        if abs(line[1]) < 1e-12:
            return np.inf
    return best


def _expand(means: np.ndarray, has: np.ndarray, codes: np.ndarray) -> np.ndarray:
    whole = np.zeros(len(has))
    whole[has] = means
    return whole[codes]


def _has_unit_of_targets(values: np.ndarray, codes: np.ndarray, n: int, y: np.ndarray) -> bool:
    """Whether the values are the mean targets themselves, and not just a line in them."""
    counts = np.bincount(codes, minlength=n)
    means = np.bincount(codes, weights=y, minlength=n) / counts
    of_value = np.zeros(n)
    of_value[codes] = values
    within = float(((y - means[codes]) ** 2).sum()) / max(1, len(y) - n)
    rest = float((counts * (means - of_value) ** 2).sum()) / n
    return rest < TOO_NEAR * within


def _is_made_of(ratios: tuple[float, float], n: int, has_unit: bool) -> bool:
    from scipy.stats import chi2

    of_train, of_all = ratios
    if not np.isfinite(of_all) or of_all > TOO_NEAR or of_train < LEAST:
        return False
    is_rare = chi2.cdf(of_all * (n - 2), n - 2) < (1e-4 if has_unit else 1e-5)
    return bool(is_rare) and of_train > (TIMES_IN_UNIT if has_unit else TIMES_NEARER) * of_all


def _encoded(column: Column, ratios: tuple[float, float], splits: list[str]) -> Finding:
    rows = " and ".join(splits)
    return Finding(
        "encoded_with_targets",
        (column.name,),
        f"`{column.name}` is a mean of targets: its distance from the mean targets of {rows} is "
        f"{ratios[1]:.2g} of the one that chance gives (1 without a leak), from those of train "
        f"alone {ratios[0]:.2g}.",
        f"Compute `{column.name}` inside the folds, from train rows only (scikit-learn's "
        "TargetEncoder in the pipeline): now it holds the targets of the rows to predict.",
        numbers={"value": ratios[1], "chance": 1.0},
    )


def stronger_on_train(view: View) -> Iterator[Finding]:
    """A finding for each number that goes with the target on train, and not on valid.

    So do columns that were made from each train row's own target. Rows in order of time are left
    out, as relations change with time.
    """
    if view.in_time or not view.are_columns:
        return
    from scipy.stats import norm

    limit = max(DEVIATIONS, float(norm.isf(0.0005 / max(1, len(view.columns)))))
    for column in view.columns:
        if column.type != "number":
            continue
        for aim in view.aims:
            gap = _gap(column, aim, limit)
            if gap is not None:
                yield _stronger(column, aim, *gap)
                break


def _gap(column: Column, aim: Aim, limit: float) -> tuple[float, float] | None:
    """The correlations on train and valid, where they differ by more deviations than `limit`."""
    numbers = {s: column.numbers(s) for s in ("train", "valid")}
    known = {s: np.isfinite(v) for s, v in numbers.items()}
    if min(k.sum() for k in known.values()) < 20:
        return None
    for i in range(aim.train.shape[1]):
        train = _correlation(numbers["train"], aim.train[:, i], known["train"])
        valid = _correlation(numbers["valid"], aim.valid[:, i], known["valid"])
        if abs(train) < CORRELATED or np.sign(train) * (train - valid) < GAP:
            continue
        size = {s: _size(numbers[s][known[s]]) for s in known}
        deviation = np.sqrt(1 / (size["train"] - 3) + 1 / (size["valid"] - 3))
        apart = abs(
            np.arctanh(np.clip(train, -0.999, 0.999)) - np.arctanh(np.clip(valid, -0.999, 0.999))
        )
        if apart > limit * deviation:
            return train, valid
    return None


def _size(numbers: np.ndarray) -> int:
    """The number of rows; rows with equal values may be of one group then, and count as one."""
    n_different = len(np.unique(numbers))
    return n_different if n_different > FEW else len(numbers)


def _correlation(numbers: np.ndarray, aim: np.ndarray, known: np.ndarray) -> float:
    x, y = numbers[known], aim[known]
    edge = len(x) // 200
    if edge:  # a few extreme values must not decide
        low, high = np.partition(x, [edge, len(x) - 1 - edge])[[edge, len(x) - 1 - edge]]
        x = np.clip(x, low, high)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    return float(np.corrcoef(x, y)[0, 1])


def _stronger(column: Column, aim: Aim, train: float, valid: float) -> Finding:
    return Finding(
        "stronger_on_train",
        (column.name, "train"),
        f"The correlation of `{column.name}` with the {aim.name} is {train:+.2f} on train and "
        f"{valid:+.2f} on valid; without a leak they would differ by chance only.",
        f"Find out how `{column.name}` was made. If it was computed from targets, as a mean target "
        "of a category is, compute it inside the folds, for each row without its own target.",
        numbers={"value": abs(train), "chance": abs(valid)},
    )
