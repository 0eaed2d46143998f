"""Intervals: what n samples, pairs, blocks of days or rounds of timing allow to say, as plain
functions of arrays.

Rules: a share gets a score interval (never mean +- 2 standard errors, which fails near 0 and 1),
paired shares get Tango's, means Student's t, what has no formula a bootstrap, and rounds of timing
a trimmed mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import NormalDist

import numpy as np

from workbench.errors import DataError

__all__ = [
    "blocks_of",
    "bootstrap_mean",
    "bootstrap_whole",
    "expanded_percentile",
    "nothing_seen",
    "student",
    "t_quantile",
    "tango",
    "trimmed",
    "wilson",
    "z_quantile",
]

N_MEANS = 1000  # resamples of a mean, cheap
N_WHOLE = (
    400,
    200,
    # resamples of a score of the whole set, each costs a call of the metric: up to MANY rows, and
    # beyond
)
MANY = 2_000
AT_A_TIME = 2_000_000  # indices drawn at once, so that many rows need no gigabytes
TRIMMED = 0.2  # of the values, at each end

Interval = tuple[float, float]


def z_quantile(alpha: float) -> float:
    """The two-sided normal quantile: 1.96 for alpha = 0.05."""
    return NormalDist().inv_cdf(1 - alpha / 2)


def t_quantile(alpha: float, n: int) -> float:
    """The two-sided Student quantile of a mean of `n` values."""
    from scipy.special import stdtrit

    return float(stdtrit(n - 1, 1 - alpha / 2))


def wilson(n_right: float, n: int, alpha: float = 0.05) -> Interval:
    """Score interval of a share (Wilson, JASA 22, 1927); holds its level near 0 and 1, and for
    `n_right` 0 or n.
    """
    z = z_quantile(alpha)
    share = n_right / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def tango(gained: int, lost: int, n: int, alpha: float = 0.05) -> Interval:
    """Score interval of the difference of two paired shares, `(gained - lost) / n` (Tango,
    Statistics in Medicine 17, 1998).

    It excludes 0 exactly when McNemar's test rejects, keeps its level with a handful of discordant
    pairs (recommended by Fagerland, Lydersen and Laake, Statistics in Medicine 33, 2014), and
    without any is +- z^2 / (n + z^2), not a point.
    """
    z = z_quantile(alpha)

    def score(delta: float) -> float:
        b = -gained - lost + (2 * n - gained + lost) * delta
        c = -lost * delta * (1 - delta)
        q = (np.sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)
        variance = n * (2 * q + delta * (1 - delta))
        return (gained - lost - n * delta) / np.sqrt(max(variance, 1e-12))

    seen = (gained - lost) / n
    return _root(lambda d: score(d) - z, -1.0, seen), _root(lambda d: score(d) + z, seen, 1.0)


def _root(falling: Callable[[float], float], low: float, high: float) -> float:
    """Where a falling function crosses 0 between two bounds, by bisection."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return (low + high) / 2


def student(values: np.ndarray, alpha: float = 0.05) -> Interval:
    """Student's t interval of the mean of `values` `(n,)`; one value bounds nothing."""
    n, mean = len(values), float(np.mean(values))
    if n < 2:
        return -np.inf, np.inf
    half = t_quantile(alpha, n) * float(np.std(values, ddof=1)) / n**0.5
    return mean - half, mean + half


def nothing_seen(n: int, alpha: float = 0.05) -> float:
    """The largest share of cases that may exist though none was seen in `n` (one side of a
    two-sided interval).

    3.7 / n for alpha = 0.05, as 1 - (alpha / 2)^(1 / n): the rule of three (Hanley and
    Lippman-Hand, JAMA 249, 1983).
    """
    return float(1 - (alpha / 2) ** (1 / n))


def blocks_of(times: np.ndarray, n: int) -> np.ndarray:
    """Block numbers `(n,)` from 0 on for block labels `(n,)`; raises DataError for a wrong length
    or fewer than 2 blocks.
    """
    if len(times) != n:
        raise DataError(f"`times` has {len(times)} labels for {n} rows; give one label a row.")
    labels, blocks = np.unique(times, return_inverse=True)
    if len(labels) < 2:
        raise DataError(
            "`times` names one block only; whole blocks are resampled, so at least 2 (better 20) "
            "are needed."
        )
    return blocks


def bootstrap_mean(values: np.ndarray, blocks: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Means `(resamples,)` of `values` `(n,)`, whole blocks resampled with replacement (Field and
    Welsh, JRSS B 69, 2007).
    """
    rng = np.random.default_rng(seed)
    sums, counts = np.bincount(blocks, weights=values), np.bincount(blocks)
    n_blocks, draws = len(sums), []
    at_a_time = max(1, AT_A_TIME // n_blocks)
    for start in range(0, N_MEANS, at_a_time):
        chosen = rng.integers(0, n_blocks, (min(at_a_time, N_MEANS - start), n_blocks))
        draws.append(sums[chosen].sum(axis=1) / counts[chosen].sum(axis=1))
    return np.concatenate(draws)


def bootstrap_whole(
    score: Callable[[np.ndarray], float], n: int, blocks: np.ndarray | None = None, *, seed: int = 0
) -> np.ndarray:
    """Values `(resamples,)` of `score(indices)` over resampled rows, or whole blocks of them where
    `blocks` `(n,)` is given.

    Resamples for which the score is not defined (one class only) are left out; raises DataError
    when most are.
    """
    draws: list[float] = []
    n_resamples = N_WHOLE[n > MANY]
    for indices in _resamples(n, blocks, n_resamples, seed):
        try:
            draws.append(float(score(indices)))
        except ValueError:  # scikit-learn's word for "not defined here"
            continue
    found = np.array(draws)
    found = found[np.isfinite(found)]
    if len(found) < n_resamples / 2:
        raise DataError(
            f"The score is defined on {len(found)} of {n_resamples} resamples of these {n} rows "
            "only, so it has no interval; give more rows of the rare classes."
        )
    return found


def _resamples(
    n: int, blocks: np.ndarray | None, n_resamples: int, seed: int
) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    if blocks is None:
        for _ in range(n_resamples):
            yield rng.integers(0, n, n)
        return
    order = np.argsort(blocks, kind="stable")
    rows = np.split(order, np.cumsum(np.bincount(blocks))[:-1])
    for _ in range(n_resamples):
        yield np.concatenate([rows[b] for b in rng.integers(0, len(rows), len(rows))])


def expanded_percentile(draws: np.ndarray, n_units: int, alpha: float = 0.05) -> Interval:
    """Percentile interval from bootstrap draws, its tails moved outward as far as `n_units`
    resampled units ask for.

    The plain percentile interval is too narrow for few units by the normal in place of Student's t,
    and by sqrt(n / (n - 1)) (Hesterberg, "What Teachers Should Know About the Bootstrap", American
    Statistician 69, 2015).
    """
    tail = NormalDist().cdf(-np.sqrt(n_units / (n_units - 1)) * t_quantile(alpha, n_units))
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)


def trimmed(
    values: np.ndarray, alpha: float = 0.05, extra_sd: float = 0.0
) -> tuple[float, float, float]:
    """The mean of `values` `(n,)` without the outer fifths, with Student's t on winsorized values:
    (estimate, low, high).

    Wild values neither move it nor blow it up (Tukey and McLaughlin, Sankhya A 25, 1963; Yuen,
    Biometrika 61, 1974). `extra_sd` is an error common to all values, which more of them do not
    average out; it is added in quadrature.
    """
    n = len(values)
    cut = int(TRIMMED * n)
    kept = np.sort(values)[cut : n - cut]
    winsorized = np.clip(values, kept[0], kept[-1])
    error = float(np.std(winsorized, ddof=1)) / ((1 - 2 * TRIMMED if cut else 1.0) * n**0.5)
    half = float(np.hypot(t_quantile(alpha, len(kept)) * error, z_quantile(alpha) * extra_sd))
    estimate = float(np.mean(kept))
    return estimate, estimate - half, estimate + half
