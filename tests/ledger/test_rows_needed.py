"""The number of rows that would decide: enough in most cases, and not many times too many."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.factories import make_verdict
from workbench.ledger.rows_needed import rows_needed, rows_needed_for_limit
from workbench.measure.statistics.verdict import compare_quality, within
from workbench.metrics import METRICS


def _outputs(n, gained, lost, seed):
    """Outputs of two classifiers and targets: of all rows, shares that only one gets right."""
    chance = np.random.default_rng(seed)
    kind = chance.choice(3, size=n, p=[gained, lost, 1 - gained - lost])
    targets = np.zeros(n, dtype=np.int64)
    right, wrong = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    before = np.where((kind == 0)[:, None], wrong, right)
    after = np.where((kind == 1)[:, None], wrong, right)
    return before, after, targets


def _verdict(n, gained, lost, seed=0):
    return compare_quality(*_outputs(n, gained, lost, seed), METRICS["accuracy"])


@pytest.mark.parametrize(
    ("n", "gained", "lost"),
    [(350, 0.010, 0.022), (1000, 0.03, 0.04), (350, 0.01, 0.01), (500, 0.02, 0.018)],
)
def test_that_many_rows_decide_in_most_cases(n, gained, lost):
    # a verdict whose difference is the true one, as the formula takes for granted
    undecided = _expected(n, gained, lost)
    assert undecided.decision == "undecided"
    needed = rows_needed(undecided)
    decided = [_verdict(needed, gained, lost, seed).decision != "undecided" for seed in range(150)]
    fewer = max(n, needed // 4)
    early = [_verdict(fewer, gained, lost, seed).decision != "undecided" for seed in range(150)]
    assert np.mean(decided) > 0.7, f"{needed} rows"
    assert np.mean(early) < np.mean(decided) - 0.2, f"{fewer} rows would nearly do"


def _expected(n, gained, lost):
    """The verdict on rows of which exactly these shares were gained and lost."""
    kind = np.full(n, 2)
    kind[: round(n * gained)] = 0
    kind[n - round(n * lost) :] = 1
    right, wrong = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    before = np.where((kind == 0)[:, None], wrong, right)
    after = np.where((kind == 1)[:, None], wrong, right)
    return compare_quality(before, after, np.zeros(n, dtype=np.int64), METRICS["accuracy"])


def test_that_many_rows_decide_the_limit_in_most_cases():
    limit, gained, lost = 0.015, 0.010, 0.016
    undecided = _expected(500, gained, lost)
    needed = rows_needed_for_limit(undecided, limit)
    kept = [within(_verdict(needed, gained, lost, seed), limit) for seed in range(150)]
    assert np.mean(kept) > 0.7, f"{needed} rows"


def test_formula_and_rounding():
    verdict = replace(
        make_verdict("accuracy", "undecided"), difference=-0.004, smallest=0.0137, margin=0.005
    )
    assert rows_needed(verdict) == 12_000  # 1,000 (0.0137 / 0.004)^2 = 11,730
    assert rows_needed(replace(verdict, difference=0.0)) == 7_600  # the margin decides: 7,508
    assert rows_needed(replace(verdict, n=10, smallest=0.005)) == 16
    assert rows_needed_for_limit(verdict, 0.01) == 5_300  # 1,000 (0.0137 / 0.006)^2 = 5,214


def test_more_rows_than_there_are_is_the_least():
    verdict = replace(make_verdict("accuracy", "undecided"), difference=-0.01, smallest=0.009)
    assert rows_needed(verdict) == 1_100


@pytest.mark.parametrize("decision", ["better", "worse", "equivalent"])
def test_decided_verdict_needs_no_further_rows(decision):
    assert rows_needed(make_verdict("accuracy", decision)) is None


def test_no_number_is_given_where_none_is_enough():
    verdict = replace(make_verdict("accuracy", "undecided"), difference=0.0, margin=0.0)
    assert rows_needed(verdict) is None
    assert rows_needed_for_limit(replace(verdict, difference=-0.01), 0.01) is None
