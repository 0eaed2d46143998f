"""Intervals for samples, pairs, blocks of days and rounds of timing, as plain functions of arrays.

Rules: a share gets a score interval (never mean +- 2 standard errors, which fails near 0 and 1),
paired shares get Tango's, means get Student's t, scores without a formula get a bootstrap, and
rounds of timing get a trimmed mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import NormalDist

import numpy as np

from workbench.errors import DataError

__all__ = [
    "NO_WIDTH",
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

N_RESAMPLES_MEAN = 1_000
# Each resample of a score of the whole set costs a call of the metric: fewer for many rows.
N_RESAMPLES_WHOLE = 400
N_RESAMPLES_WHOLE_MANY_ROWS = 200
MANY_ROWS = 2_000
NO_WIDTH = 1e-12  # an interval this narrow comes from values that are all equal
N_INDICES_AT_ONCE = 2_000_000  # drawn together: 16 MB, however many rows there are
TRIMMED_SHARE = 0.2  # of the values, at each end

Interval = tuple[float, float]


def z_quantile(alpha: float) -> float:
    """The two-sided normal quantile: 1.96 for alpha = 0.05."""
    return NormalDist().inv_cdf(1 - alpha / 2)


def t_quantile(alpha: float, n: int) -> float:
    """The two-sided Student quantile of a mean of `n` values."""
    from scipy.special import stdtrit

    return float(stdtrit(n - 1, 1 - alpha / 2))


def wilson(n_right: float, n: int, alpha: float = 0.05) -> Interval:
    """Score interval of the share `n_right / n` (Wilson, JASA 22, 1927).

    It keeps its level near 0 and 1, and for `n_right` 0 or n.
    """
    z = z_quantile(alpha)
    share = n_right / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def tango(gained: int, lost: int, n: int, alpha: float = 0.05) -> Interval:
    """Score interval of the difference of two paired shares, `(gained - lost) / n`.

    It excludes 0 exactly when McNemar's test rejects, and keeps its level with few discordant
    pairs. Without any it is +- z^2 / (n + z^2), not a point. Source: Tango, Statistics in Medicine
    17, 1998; recommended by Fagerland, Lydersen and Laake, Statistics in Medicine 33, 2014.
    """
    z = z_quantile(alpha)

    def score(delta: float) -> float:
        b = -gained - lost + (2 * n - gained + lost) * delta
        c = -lost * delta * (1 - delta)
        q = (np.sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)
        variance = n * (2 * q + delta * (1 - delta))
        return (gained - lost - n * delta) / np.sqrt(max(variance, 1e-12))

    estimate = (gained - lost) / n
    low = _root(lambda delta: score(delta) - z, -1.0, estimate)
    high = _root(lambda delta: score(delta) + z, estimate, 1.0)
    return low, high


def _root(falling: Callable[[float], float], low: float, high: float) -> float:
    """The root of a falling function between two bounds, by bisection."""
    for _ in range(60):
        middle = (low + high) / 2
        if falling(middle) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def student(values: np.ndarray, alpha: float = 0.05) -> Interval:
    """Student's t interval of the mean of `values` `(n,)`; infinite for fewer than two values."""
    n = len(values)
    if n < 2:
        return -np.inf, np.inf
    mean = float(np.mean(values))
    half = t_quantile(alpha, n) * float(np.std(values, ddof=1)) / n**0.5
    return mean - half, mean + half


def nothing_seen(n: int, alpha: float = 0.05) -> float:
    """The upper bound of the share of cases of which none was seen in `n`.

    1 - (alpha / 2)^(1 / n), one side of a two-sided interval: 3.7 / n for alpha = 0.05. It is the
    rule of three (Hanley and Lippman-Hand, JAMA 249, 1983).
    """
    return float(1 - (alpha / 2) ** (1 / n))


def blocks_of(blocks: np.ndarray, n: int) -> np.ndarray:
    """Block numbers `(n,)`, from 0 on, of block labels `blocks` `(n,)`.

    Raises DataError for a wrong length or fewer than 2 blocks.
    """
    if len(blocks) != n:
        raise DataError(f"`blocks` has {len(blocks)} labels for {n} rows; give one label a row.")
    labels, numbers = np.unique(blocks, return_inverse=True)
    if len(labels) < 2:
        raise DataError(
            "The times or groups of the rows are one block only, and whole blocks are resampled: "
            "give rows of at least 2 blocks, better 20."
        )
    return numbers


def bootstrap_mean(values: np.ndarray, blocks: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Means `(resamples,)` of `values` `(n,)`, with whole blocks resampled with replacement.

    Source: Field and Welsh, JRSS B 69, 2007.
    """
    rng = np.random.default_rng(seed)
    sums = np.bincount(blocks, weights=values)
    counts = np.bincount(blocks)
    n_blocks = len(sums)
    n_at_once = max(1, N_INDICES_AT_ONCE // n_blocks)
    means = []
    for start in range(0, N_RESAMPLES_MEAN, n_at_once):
        n_resamples = min(n_at_once, N_RESAMPLES_MEAN - start)
        chosen = rng.integers(0, n_blocks, (n_resamples, n_blocks))
        means.append(sums[chosen].sum(axis=1) / counts[chosen].sum(axis=1))
    return np.concatenate(means)


def bootstrap_whole(
    score: Callable[[np.ndarray], float], n: int, blocks: np.ndarray | None = None, *, seed: int = 0
) -> np.ndarray:
    """Values `(resamples,)` of `score(indices)` over resampled rows.

    With `blocks` `(n,)`, whole blocks of rows are resampled. A resample on which the score is not
    defined, such as one with a single class, is left out. Raises DataError when most are.
    """
    scores: list[float] = []
    n_resamples = N_RESAMPLES_WHOLE_MANY_ROWS if n > MANY_ROWS else N_RESAMPLES_WHOLE
    for indices in _resamples(n, blocks, n_resamples, seed):
        try:
            scores.append(float(score(indices)))
        except ValueError:  # scikit-learn raises it for a score that is not defined
            continue
    draws = np.array(scores)
    draws = draws[np.isfinite(draws)]
    if len(draws) < n_resamples / 2:
        raise DataError(
            f"The score is defined on only {len(draws)} of {n_resamples} resamples of these {n} "
            "rows, so it has no interval; give more rows of the rare classes."
        )
    return draws


def _resamples(
    n: int, blocks: np.ndarray | None, n_resamples: int, seed: int
) -> Iterator[np.ndarray]:
    """Row numbers of each resample."""
    rng = np.random.default_rng(seed)
    if blocks is None:
        for _ in range(n_resamples):
            yield rng.integers(0, n, n)
        return
    order = np.argsort(blocks, kind="stable")
    rows_of_block = np.split(order, np.cumsum(np.bincount(blocks))[:-1])
    n_blocks = len(rows_of_block)
    for _ in range(n_resamples):
        chosen = rng.integers(0, n_blocks, n_blocks)
        yield np.concatenate([rows_of_block[block] for block in chosen])


def expanded_percentile(draws: np.ndarray, n_units: int, alpha: float = 0.05) -> Interval:
    """Percentile interval of bootstrap draws, expanded for the number of resampled units.

    The plain percentile interval is too narrow for few units: it uses the normal quantile in place
    of Student's t, and lacks the factor sqrt(n / (n - 1)) (Hesterberg, "What Teachers Should Know
    About the Bootstrap", American Statistician 69, 2015).
    """
    tail = NormalDist().cdf(-np.sqrt(n_units / (n_units - 1)) * t_quantile(alpha, n_units))
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)


def trimmed(
    values: np.ndarray, alpha: float = 0.05, extra_sd: float = 0.0
) -> tuple[float, float, float]:
    """The trimmed mean of `values` `(n,)` and its interval: (estimate, low, high).

    The smallest and the largest fifth are left out, so outliers move neither the mean nor the
    interval, which is Student's t on winsorized values (Tukey and McLaughlin, Sankhya A 25, 1963;
    Yuen, Biometrika 61, 1974). `extra_sd` is the standard deviation of an error common to all
    values, which more values do not average out; it is added in quadrature.
    """
    n = len(values)
    n_cut = int(TRIMMED_SHARE * n)
    kept = np.sort(values)[n_cut : n - n_cut]
    winsorized = np.clip(values, kept[0], kept[-1])
    kept_share = 1 - 2 * TRIMMED_SHARE if n_cut else 1.0
    error = float(np.std(winsorized, ddof=1)) / (kept_share * n**0.5)
    half = float(np.hypot(t_quantile(alpha, len(kept)) * error, z_quantile(alpha) * extra_sd))
    estimate = float(np.mean(kept))
    return estimate, estimate - half, estimate + half
