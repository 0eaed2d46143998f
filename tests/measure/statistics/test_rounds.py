"""Timing that stops when the verdict is decided gives the verdicts of all rounds."""

from __future__ import annotations

import numpy as np
import pytest

from tests.measure.statistics.test_verdict import resampled
from workbench.measure.statistics.rounds import FEWEST_ROUNDS, enough_rounds
from workbench.measure.statistics.verdict import compare_speed


def rounds_used(a: np.ndarray, b: np.ndarray) -> int:
    stops = (n for n in range(3, len(a)) if enough_rounds({"a": a[:n], "b": b[:n]}))
    return next(stops, len(a))


@pytest.mark.parametrize("n_rounds", [20, 40])
@pytest.mark.parametrize("condition", ["as it is", "other work in bursts"])
@pytest.mark.parametrize("factor", [1.0, 1.05, 1.3])
def test_verdicts_are_those_of_all_rounds_in_fewer(
    condition: str, n_rounds: int, factor: float
) -> None:
    rng = np.random.default_rng(0)
    of_all, of_fewer, used = [], [], []
    for _ in range(400):
        a, b = resampled(rng, condition, n_rounds, "block_bests")
        n = rounds_used(a, factor * b)
        of_all.append(compare_speed(a, factor * b).decision)
        of_fewer.append(compare_speed(a[:n], factor * b[:n]).decision)
        used.append(n)
    right = "equivalent" if factor == 1 else "worse"
    shares = [np.mean([d == right for d in decisions]) for decisions in (of_all, of_fewer)]
    assert shares[1] >= shares[0] - 0.01
    if factor == 1:
        assert np.mean([d in ("better", "worse") for d in of_fewer]) <= 0.01
    assert np.mean(used) < 0.7 * n_rounds


def test_few_rounds_are_never_enough() -> None:
    times = [1.0] * (FEWEST_ROUNDS - 1)
    assert not enough_rounds({"a": times, "b": times})
    assert enough_rounds({"a": [*times, 1.0], "b": [*times, 1.0]})


def test_one_undecided_pair_asks_for_more_rounds() -> None:
    rng = np.random.default_rng(0)
    a, b = np.exp(rng.normal(0, 0.1, (2, 12)))
    assert not enough_rounds({"a": a, "b": b}), "the interval could still become narrower"
    assert enough_rounds({"a": a, "b": 10 * b}), "far beyond the margin"
    assert not enough_rounds({"a": a, "b": b, "c": 10 * a})
