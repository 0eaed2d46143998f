"""How tests share the machine: two workers, of which one alone runs while times are compared.

The order of files, the marks and the turns are those of `Sharing`, the table of seconds is of
`Costs`.

A test that compares times (`@pytest.mark.timing`) holds the machine exclusively, all others hold it
shared. There are two locks, so that tests that share it do not keep one waiting that wants it
alone: whoever comes passes the gate first, and that test keeps the gate closed while it waits.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

FIRST = (
    "notebooks/",
    "tests/browser/",
    "tests/test_wheel.py",
    "tests/runs/",
    "tests/testing/test_thirdparty.py",
    "tests/techniques/",
    "tests/test_contract.py",
    "tests/generated/",
    "tests/test_house.py",
    "tests/keeping/",
    "tests/lessons/",
    "tests/cli/",
    "tests/measure/timing/",
)
"""The files that take longest: begun first, so that no worker waits for the other at the end."""

QUICK = (
    "tests/data/",
    "tests/figures/",
    "tests/ledger/",
    "tests/measure/statistics/",
    "tests/settings/",
    "tests/system/",
    "tests/test_events.py",
    "tests/test_layers.py",
    "tests/test_metrics.py",
    "tests/test_recipe.py",
    "tests/test_technique.py",
)
"""Folders and files whose tests are `pytest -m quick`.

Those marked slow or timing are left out, and those of `SIMULATIONS`.
"""

SIMULATIONS = (
    "tests/ledger/test_rows_needed.py::test_that_many_rows_decide_in_most_cases",
    "tests/measure/statistics/test_quality.py::test_block_bootstrap_covers",
    "tests/measure/statistics/test_quality.py::test_bootstrap_of_a_whole_set_score_covers",
    "tests/measure/statistics/test_quality.py::test_interval_is_the_same_for_the_same_seed",
    "tests/measure/statistics/test_quality.py::test_interval_of_the_calibration_error_holds",
    "tests/measure/statistics/test_verdict.py::test_equal_candidates_are_seldom_called_different",
    "tests/measure/statistics/test_verdict.py::test_holm_keeps_the_chance_of_any_false_decision",
    "tests/measure/statistics/test_verdict.py::test_tango_covers_the_true_difference",
)
"""Beginnings of tests that repeat a computation hundreds of times, in a quick folder."""


class Sharing:
    """A pytest plugin: the order of tests, the mark `quick`, and the turn of each test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Put the files that take longest first, in the same order in every worker."""
        for item in items:
            if _is_quick(item):
                item.add_marker(pytest.mark.quick)
        items.sort(key=lambda item: _place(item.nodeid))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        with turn(self._folder, alone=item.get_closest_marker("timing") is not None):
            return (yield)


class Costs:
    """A pytest plugin: with `--durations`, the seconds of each folder are told at the end."""

    def __init__(self) -> None:
        self._tests: Counter[str] = Counter()
        self._seconds: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add the time of a test's setup, call or teardown to that of its folder."""
        folder = folder_of(report.nodeid)
        self._tests[folder] += report.when == "setup"
        self._seconds[folder] += report.duration

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, config: pytest.Config
    ) -> None:
        """Write the table, the folder that takes longest first."""
        if config.getoption("durations") is None:
            return
        terminalreporter.section("seconds by folder, of all workers together")
        for line in self.table():
            terminalreporter.write_line(line)

    def table(self) -> list[str]:
        """Rows of a table in Markdown: folder, number of tests, seconds."""
        rows = ["| folder | tests | seconds |", "|---|---|---|"]
        for folder, seconds in self._seconds.most_common():
            rows.append(f"| {folder} | {self._tests[folder]:,} | {seconds:,.0f} |")
        return [*rows, f"| all | {self._tests.total():,} | {self._seconds.total():,.0f} |"]


def folder_of(nodeid: str) -> str:
    """The folder of a test in `tests`, or `tests/*.py` where it lies in none, or `notebooks`."""
    parts = nodeid.partition("::")[0].split("/")
    if parts[0] != "tests":
        return parts[0]
    return "tests/*.py" if len(parts) == 2 else f"tests/{parts[1]}"


def _is_quick(item: pytest.Item) -> bool:
    if not item.nodeid.startswith(QUICK) or item.nodeid.startswith(SIMULATIONS):
        return False
    return not any(item.get_closest_marker(name) for name in ("slow", "timing"))


def _place(nodeid: str) -> int:
    places = [i for i, start in enumerate(FIRST) if nodeid.startswith(start)]
    return places[0] if places else len(FIRST)


@contextmanager
def turn(folder: Path, *, alone: bool) -> Iterator[None]:
    """Hold the machine alone or shared; where there are no such locks (Windows), hold nothing."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with (folder / "gate").open("w") as gate, (folder / "machine").open("w") as machine:
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(machine, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        try:
            yield
        finally:
            with suppress(OSError):
                fcntl.flock(machine, fcntl.LOCK_UN)


def folder_of_session() -> Path:
    """A folder that all workers of one test session share."""
    name = f"workbench-tests-{os.environ.get('PYTEST_XDIST_TESTRUNUID', os.getpid())}"
    folder = Path(tempfile.gettempdir()) / name
    folder.mkdir(exist_ok=True)
    return folder
