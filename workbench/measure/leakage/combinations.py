"""A few columns that together give the target: exactly for amounts, by a limit for classes.

For amounts, sums and products with factors are fitted; a date counts as its time. For classes, the
pairs whose difference or ratio goes most with a class are found by the correlations of all columns,
and the difference, sum, ratio or product of the best ones is then judged as one column.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from workbench.measure.leakage.evidence import (
    explained_by_others,
    is_beyond_chance,
    score_in_words,
)
from workbench.measure.leakage.findings import Finding
from workbench.measure.leakage.strength import Strength, explained, folds_of, strength_of
from workbench.measure.leakage.view import Aim, Column, View
from workbench.system.wording import percent

__all__ = ["combinations_to_target"]

FUNCTIONS = 0.99999  # share explained by an exact sum or product of columns
MOST_SUMMED = 300  # columns that are fitted together
MOST_SUMMED_IN_MOST = 60  # columns of which a sum is looked for that holds in most rows
MOST_MISSED = 0.4  # of the valid rows, in which such a sum is not the target
EQUAL = 1e-5  # standard deviations of the target; ten times as far still counts as equal
N_ROUNDS = 50
LEAST_VALID = 30  # rows
MOST_TERMS = 6  # columns of an exact sum or product, at most
MOST_PAIRED = 200  # columns whose pairs are compared
MOST_ROWS = 5_000  # rows that correlations are computed on
MOST_CLASSES = 5  # classes for which pairs are looked for
MOST_TRIED = 12  # pairs that are judged, those with the largest gain
GAIN = 0.1  # of the squared correlation by the second column
EXACT = 0.97  # share explained by any pair,
# ... and by the difference or ratio of two columns that go with one another, by their correlation
NEEDED = ((0.6, 0.7), (0.3, 0.78))
PART = 0.5  # of it, which each column alone explains at most,
FAR = 0.6  # and all other columns together


def combinations_to_target(view: View, notes: list[str]) -> Iterator[Finding]:
    """A finding where a sum, difference, ratio or product of a few columns is the target."""
    if not view.are_columns:
        return
    columns = [c for c in view.columns if c.type in ("number", "date")]
    numbers = [c for c in columns if c.type == "number"]
    for aim in view.aims:
        if aim.kind == "amount" and 2 <= len(columns) <= MOST_SUMMED:
            for is_product, terms in ((False, columns), (True, numbers)):
                names, where = _exact(terms, aim, is_product)
                if names:
                    yield _combination(names, where, aim, is_product)
                    break
        elif aim.kind == "classes":
            yield from _pairs(view, aim, notes)


def _pairs(view: View, aim: Aim, notes: list[str]) -> Iterator[Finding]:
    columns = [c for c in view.columns if c.type in ("number", "date")]
    if len(columns) > MOST_PAIRED:
        notes.append(
            f"Differences and ratios of two columns were looked at for {MOST_PAIRED} of the "
            f"{len(columns):,} columns of numbers and dates, evenly spaced."
        )
        places = np.unique(np.linspace(0, len(columns) - 1, MOST_PAIRED).astype(int))
        columns = [columns[i] for i in places.tolist()]
    if len(columns) < 2 or len(aim.train) < 60:
        return
    folds = folds_of(len(aim.train))
    n_tried = 4 * len(columns) ** 2
    told: set[str] = set()
    for one, other, is_log, alike in _candidates(columns, aim):
        if {one.name, other.name} & told:
            continue
        best = max(_combined(one, other, is_log, aim, folds), key=lambda c: c[1].least)
        sign, strength = best
        needed = next((n for least, n in NEEDED if sign in "-/" and alike > least), EXACT)
        if strength.least < needed or not is_beyond_chance(strength, n_tried):
            continue
        alone = max(strength_of(c, aim, folds).least for c in (one, other))
        if alone > PART * strength.least:
            continue
        rest = explained_by_others(view.columns, aim, one.name, other.name)
        if rest > FAR * strength.least:
            continue
        told |= {one.name, other.name}
        yield _pair(one, other, sign, strength, alone, rest)


def _candidates(
    columns: Sequence[Column], aim: Aim
) -> Iterator[tuple[Column, Column, bool, float]]:
    """The pairs with the largest gain, whether by logarithms, and their correlation."""
    step = max(1, len(aim.train) // MOST_ROWS)
    x = np.column_stack([c.numbers("train")[::step] for c in columns])
    y = aim.train[::step, :MOST_CLASSES]
    found: list[tuple[float, int, int, bool, float]] = []
    for is_log in (False, True):
        usable = np.isfinite(x).mean(axis=0) > 0.05
        if is_log:
            x = np.where(x == 0, _smallest_positive(x) / 2, x)  # counts have zeros
            usable &= np.nanmin(np.where(np.isfinite(x), x, np.inf), axis=0) > 0
            usable &= np.array([c.type == "number" for c in columns])
        places = np.flatnonzero(usable)
        if len(places) < 2:
            continue
        gains, alike = _gains(np.log(x[:, places]) if is_log else x[:, places], y)
        upper = np.triu_indices(len(places), 1)
        best = np.argsort(-gains[upper])[:MOST_TRIED]
        for i, j in zip(upper[0][best].tolist(), upper[1][best].tolist(), strict=True):
            if gains[i, j] > GAIN:
                pair = int(places[i]), int(places[j])
                found.append((float(gains[i, j]), *pair, is_log, float(alike[i, j])))
    for _, i, j, by_log, r in sorted(found, key=lambda f: -f[0])[:MOST_TRIED]:
        yield columns[i], columns[j], by_log, r


def _smallest_positive(x: np.ndarray) -> np.ndarray:
    """The smallest number above 0 of each column `(columns,)`; infinite where there is none."""
    return np.where(x > 0, x, np.inf).min(axis=0)


def _gains(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each pair of columns, the gain in R2 of a class over the better one; and correlations."""
    z = x - np.nanmean(x, axis=0)
    z = np.where(np.isfinite(z), z, 0.0)
    deviation = np.sqrt((z**2).mean(axis=0))
    z = z / np.where(deviation > 0, deviation, np.inf)
    t = (y - y.mean(axis=0)) / np.maximum(y.std(axis=0), 1e-12)
    r = z.T @ z / len(z)
    best = np.zeros_like(r)
    for i in range(y.shape[1]):
        ry = z.T @ t[:, i] / len(z)
        a, b = ry[:, None], ry[None]
        both = (a**2 + b**2 - 2 * a * b * r) / np.maximum(1 - r**2, 1e-9)
        best = np.maximum(best, np.minimum(both, 1.0) - np.maximum(a**2, b**2))
    return best, np.abs(r)


def _combined(
    one: Column, other: Column, is_log: bool, aim: Aim, folds: np.ndarray
) -> list[tuple[str, Strength]]:
    """The strengths of the difference and sum of two columns, or of their ratio and product."""
    made = []
    for sign in "/*" if is_log else "-+":
        if sign == "+" and "date" in (one.type, other.type):
            continue
        values = {}
        for split in ("train", "valid"):
            a, b = one.numbers(split), other.numbers(split)
            with np.errstate(all="ignore"):
                made_of = {"-": a - b, "+": a + b, "/": a / b, "*": a * b}[sign]
            values[split] = np.where(np.isfinite(made_of), made_of, np.nan)
        column = Column(f"{one.name} {sign} {other.name}", "number", values)
        made.append((sign, strength_of(column, aim, folds)))
    return made


def _pair(
    one: Column, other: Column, sign: str, strength: Strength, alone: float, rest: float
) -> Finding:
    noun = {"-": "difference", "+": "sum", "/": "ratio", "*": "product"}[sign]
    score, chance, numbers = score_in_words(strength)
    return Finding(
        "combines_to_target",
        (one.name, other.name),
        f"The {noun} of `{one.name}` and `{other.name}` reaches {score} ({chance}). It explains "
        f"{percent(strength.least, None)} of the target, each of the two alone "
        f"{percent(max(0.0, alone), None)} at most, all other columns together "
        f"{percent(rest, None)}.",
        f"Check whether both `{one.name}` and `{other.name}` are known before the target; if not, "
        "leave out the later one.",
        numbers={**numbers, "others": rest},
    )


def _exact(numbers: list[Column], aim: Aim, is_product: bool) -> tuple[tuple[str, ...], str]:
    """Names of 2 to `MOST_TERMS` columns whose sum (or product), with factors, is the target.

    Also where it is, in words. No names: there is no such sum.
    """
    none = (), ""
    if len(numbers) < 2:
        return none
    x, y = (np.column_stack([c.numbers(s) for c in numbers]) for s in ("train", "valid"))
    a, b = aim.labels.astype(np.float64), aim.valid_labels.astype(np.float64)
    names = np.array([c.name for c in numbers])
    if is_product:
        usable = [(np.nan_to_num(v, nan=1.0) > 0).all(axis=0) for v in (x, y)]
        is_usable = usable[0] & usable[1]
        if (a <= 0).any() or (b <= 0).any() or is_usable.sum() < 2:
            return none
        x, y, a, b = np.log(x[:, is_usable]), np.log(y[:, is_usable]), np.log(a), np.log(b)
        names = names[is_usable]
    fill = np.nanmedian(np.where(np.isfinite(x), x, np.nan), axis=0)
    is_known = np.isfinite(fill)
    x, y, fill, names = x[:, is_known], y[:, is_known], fill[is_known], names[is_known]
    whole = np.isfinite(x).all(axis=1), np.isfinite(y).all(axis=1)
    x, y = (np.where(np.isfinite(v), v, fill) for v in (x, y))
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    x, y, names = x[:, deviation > 0], y[:, deviation > 0], names[deviation > 0]
    mean, deviation = mean[deviation > 0], deviation[deviation > 0]
    if len(a) < 2 * x.shape[1] + 10 or a.std() == 0:
        return none
    x, y = (x - mean) / deviation, (y - mean) / deviation
    weights = np.linalg.lstsq(x, a - a.mean(), rcond=None)[0]
    share = explained((y @ weights + a.mean())[:, None], b[:, None], np.array([a.mean()]))
    where = f"on more than {percent(FUNCTIONS, 3)} of its variance on valid"
    if share < FUNCTIONS:
        weights, met = _exact_in_most_rows(x[whole[0]], a[whole[0]], y[whole[1]], b[whole[1]])
        where = f"in {percent(met, None)} of the valid rows without gaps"
    counted = np.abs(weights) > 1e-4 * np.abs(weights).max(initial=0.0)
    is_few = 2 <= counted.sum() <= MOST_TERMS and counted.sum() < len(names)
    return (tuple(names[counted].tolist()), where) if is_few else none


def _exact_in_most_rows(
    x: np.ndarray, a: np.ndarray, y: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, float]:
    """Factors `(columns,)` whose sum is the target in most rows without gaps; else zeros.

    Also the share of the valid rows in which it is.

    Some rows may be counted or written wrong. The least absolute deviations do not mind them; they
    are found by least squares with weights (Schlossmacher, JASA 68, 1973).
    """
    step = max(1, len(a) // MOST_ROWS)
    x, a, n = x[::step], a[::step], x.shape[1]
    none = np.zeros(n), 0.0
    if n > MOST_SUMMED_IN_MOST or len(a) < 2 * n + 10 or len(b) < LEAST_VALID or a.std() == 0:
        return none
    ones = np.column_stack([x, np.ones(len(x))])
    tiny, importance = EQUAL * a.std(), np.ones(len(a))
    weights = np.zeros(n + 1)
    for _ in range(N_ROUNDS):
        root = np.sqrt(importance)
        weights = np.linalg.lstsq(ones * root[:, None], a * root, rcond=None)[0]
        importance = 1 / np.maximum(np.abs(a - ones @ weights), tiny)
    values, counts = np.unique(b, return_counts=True)
    is_rare = b != values[counts.argmax()]  # a target that is mostly 0 is easily met there
    missed = np.abs(b - y @ weights[:-1] - weights[-1]) > 10 * tiny
    if not is_rare.any() or missed.mean() > MOST_MISSED or missed[is_rare].mean() > MOST_MISSED:
        return none
    return np.asarray(weights[:-1]), float(1 - missed.mean())


def _combination(names: tuple[str, ...], where: str, aim: Aim, is_product: bool) -> Finding:
    listed = " and ".join(f"`{n}`" for n in names)
    return Finding(
        "combines_to_target",
        names,
        f"A {'product of powers' if is_product else 'sum'} of {listed} gives the {aim.name} "
        f"{where}; by chance it would be 0 %.",
        f"Check whether {listed} are known before the target; if not, leave one of them out.",
        numbers={"value": 1.0, "chance": 0.0},
    )
