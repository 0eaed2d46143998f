"""What the guard says to tables of people who have not read it: leaks are named, clean ones not.

Each table is looked at with seed 0, and those on which seeds disagreed with another one too. What
was missed, and which clean table was accused, is an expected failure with its reason. What the
guard said to a set when it saw it first stands in the README; it was mended with the set in view.
"""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import workbench as wb
from tests.measure import fifth_planting, fourth_planting, sixth_planting, third_planting
from tests.measure.planting import Clean, Leak, Planted
from workbench.errors import DataError

pytestmark = pytest.mark.filterwarnings("ignore")

SETS: dict[str, Planted] = {
    "third": third_planting.planted,
    "fourth": fourth_planting.planted,
    "fifth": fifth_planting.planted,
    "sixth": sixth_planting.planted,
}
# tables, and kinds of leak
SIZES = (("third", 30, 14), ("fourth", 16, 8), ("fifth", 16, 8), ("sixth", 12, 10))
MISSED = {
    ("two_laboratories", 0): "decimals of a number that tell its source; found with seed 1",
    ("grain_spectra", 0): "scores fitted with the targets of test, which the guard never reads",
    ("vineyard_sheet", 0): "an order of rows that is gone once the splits are cut at random",
}
ACCUSED = {
    ("boiling_points", 0): "a law of physics, and one measured column that follows it",
    ("turbine_power_of_wind", 0): "a law of physics, and one measured column that follows it",
}
AGAIN = {
    ("lending_recoveries", 1),
    ("two_laboratories", 1),
    ("restaurant_licences", 1),
    ("shop_visits", 1),
    ("voice_sessions", 2),
}
QUIET_AGAIN = {
    ("growing_ids", 1),
    ("stores_over_time", 1),
    ("bicycle_counter", 2),
    ("appraised_instruments", 2),
}


def cases(kind: str, again: set[tuple[str, int]], failing: dict[tuple[str, int], str]) -> list:
    """The tables of all sets with their seeds, those that fail marked with the reason."""
    found = []
    for planted in SETS.values():
        entries: dict[str, Any] = getattr(planted, kind)
        pairs = [(name, 0) for name in entries]
        pairs += sorted(pair for pair in again if pair[0] in entries)
        for pair in pairs:
            marks = [pytest.mark.xfail(reason=failing[pair])] if pair in failing else []
            found.append(
                pytest.param(entries[pair[0]], pair[1], id=f"{pair[0]}-{pair[1]}", marks=marks)
            )
    return found


REFUSED = {"fields_in_both_files": "test rows are in train too"}  # before the guard sees it


def findings(entry: Leak | Clean, seed: int) -> list[Any]:
    """What the guard finds in the table of this seed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        task = entry.make(seed).task(entry.name, seed)
        return list(wb.find_leaks(task).findings)


@pytest.mark.parametrize(("entry", "seed"), cases("leaks", AGAIN, MISSED))
def test_planted_leak_is_named(entry: Leak, seed: int) -> None:
    if entry.name in REFUSED:
        with pytest.raises(DataError, match=REFUSED[entry.name]):
            findings(entry, seed)
        return
    found = findings(entry, seed)
    named = any(set(entry.columns) & set(one.where) for one in found)
    about = any(word in one.kind for one in found for word in entry.about)
    assert named or about, f"{entry.says} Found: {[(one.kind, one.where) for one in found]}"


@pytest.mark.parametrize(("entry", "seed"), cases("clean_ones", QUIET_AGAIN, ACCUSED))
def test_clean_table_is_not_accused(entry: Clean, seed: int) -> None:
    accused = [one for one in findings(entry, seed) if one.severity == "leak"]
    assert not accused, [(one.kind, one.where, one.evidence) for one in accused]


@pytest.mark.parametrize(("name", "n_tables", "n_kinds"), SIZES)
def test_set_has_leaks_of_many_kinds_and_as_many_clean_tables(
    name: str, n_tables: int, n_kinds: int
) -> None:
    planted = SETS[name]
    assert len(planted.leaks) == len(planted.clean_ones) == n_tables
    assert len({entry.kind for entry in planted.leaks.values()}) >= n_kinds
