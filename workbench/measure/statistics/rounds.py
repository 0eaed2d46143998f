"""Whether more rounds of timing side by side could still change a verdict on speed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from workbench.measure.statistics.intervals import trimmed, z_quantile
from workbench.measure.statistics.verdict import RESTART_SPREAD, SPEED_MARGIN

__all__ = ["FEWEST_ROUNDS", "enough_rounds"]

FEWEST_ROUNDS = 8  # below, the spread of the rounds is not known well enough to stop
NEAR_FLOOR = 1.25  # times the half width that restarts leave: more rounds narrow it little
FAR = 4.0  # half widths between the interval's middle and the margin


def enough_rounds(blocks: Mapping[str, Sequence[float]], alpha: float = 0.05) -> bool:
    """Whether each pair of candidates is decided; `blocks` are the times of the rounds by name.

    A pair is decided when its interval is nearly as narrow as it can become, or when its difference
    is many half widths beyond the margin. Neither depends on the side of zero that a difference is
    on, so stopping here does not make a difference seem proved: the rule was tried on recorded
    pairs of equal candidates (tests/measure/statistics/test_rounds.py).
    """
    if any(len(times) < FEWEST_ROUNDS for times in blocks.values()):
        return False
    return all(
        _decided(np.asarray(blocks[a]), np.asarray(blocks[b]), alpha)
        for a, b in combinations(blocks, 2)
    )


def _decided(before: np.ndarray, after: np.ndarray, alpha: float) -> bool:
    middle, low, _ = trimmed(np.log(after / before), alpha, RESTART_SPREAD)
    half = middle - low
    floor = z_quantile(alpha) * RESTART_SPREAD
    return half <= NEAR_FLOOR * floor or abs(middle) - np.log1p(SPEED_MARGIN) > FAR * half
