"""What the guard says to the tables of `third_planting.py`: leaks are named, clean tables are not.

Each table is looked at with seed 0; those on which the two seeds disagreed, with seed 1 too. What
was missed, and which clean table was accused, is an expected failure with its reason.
"""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import workbench as wb
from tests.measure.third_planting import CLEAN, LEAKS, Clean, Leak

pytestmark = pytest.mark.filterwarnings("ignore")

MISSED = {
    ("two_laboratories", 0): "decimals of a number that tell its source; found with seed 1",
}
ACCUSED = {
    ("boiling_points", 0): "a law of physics, and one measured column that follows it",
}
AGAIN = (("lending_recoveries", 1), ("two_laboratories", 1))
QUIET_AGAIN = (("growing_ids", 1), ("stores_over_time", 1))


def cases(entries: dict[str, Any], again: tuple[tuple[str, int], ...], failing: dict) -> list:
    """Entries with their seeds, those that fail marked with the reason."""
    pairs = [*((name, 0) for name in entries), *again]
    marks = {
        pair: [pytest.mark.xfail(reason=failing[pair], strict=False)] if pair in failing else []
        for pair in pairs
    }
    return [
        pytest.param(entries[name], seed, id=f"{name}-{seed}", marks=marks[name, seed])
        for name, seed in pairs
    ]


def findings(entry: Leak | Clean, seed: int) -> list[Any]:
    """What the guard finds in the table of this seed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        task = entry.make(seed).task(entry.name, seed)
        return list(wb.find_leaks(task).findings)


@pytest.mark.parametrize(("entry", "seed"), cases(LEAKS, AGAIN, MISSED))
def test_planted_leak_is_named(entry: Leak, seed: int) -> None:
    found = findings(entry, seed)
    named = any(set(entry.columns) & set(one.where) for one in found)
    about = any(word in one.kind for one in found for word in entry.about)
    assert named or about, f"{entry.says} Found: {[(one.kind, one.where) for one in found]}"


@pytest.mark.parametrize(("entry", "seed"), cases(CLEAN, QUIET_AGAIN, ACCUSED))
def test_clean_table_is_not_accused(entry: Clean, seed: int) -> None:
    accused = [one for one in findings(entry, seed) if one.severity == "leak"]
    assert not accused, [(one.kind, one.where, one.evidence) for one in accused]


def test_thirty_leaks_of_many_kinds_and_thirty_clean_tables() -> None:
    assert len(LEAKS) == len(CLEAN) == 30
    assert len({entry.kind for entry in LEAKS.values()}) >= 14
