"""Tests share the machine: those that compare times have it for themselves."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.sharing import SIMULATIONS, Costs, Sharing, turn

HOME = Path(__file__).parents[1]
HOLDER = """
import sys, time
from pathlib import Path
from tests.sharing import turn
print("asks", flush=True)
with turn(Path({folder!r}), alone={alone}):
    print("in", flush=True)
    time.sleep({seconds})
"""
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the locks are those of POSIX")


def _holder(folder, seconds, *, alone, until="in"):
    code = HOLDER.format(folder=str(folder), alone=alone, seconds=seconds)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    while process.stdout.readline().strip() != until:
        assert process.poll() is None
    return process


def test_two_tests_share_the_machine(tmp_path):
    other = _holder(tmp_path, 60, alone=False)
    try:
        with turn(tmp_path, alone=False):
            assert other.poll() is None, "the other one still has it"
    finally:
        other.kill()
        other.wait()


@pytest.mark.parametrize(("first", "second"), [(True, False), (False, True), (True, True)])
def test_test_that_compares_times_waits_and_is_waited_for(tmp_path, first, second):
    other = _holder(tmp_path, 1.0, alone=first)
    with turn(tmp_path, alone=second):
        assert other.wait(timeout=30) == 0, "the other one has ended"


def test_one_that_waits_for_the_machine_is_not_overtaken(tmp_path):
    """One test shares, one waits to have it alone, and a third one that shares comes last."""
    first = _holder(tmp_path, 60.0, alone=False)
    waiting = _holder(tmp_path, 0.1, alone=True, until="asks")
    time.sleep(0.5)
    threading.Timer(1.0, first.kill).start()
    with turn(tmp_path, alone=False):
        assert waiting.wait(timeout=30) == 0, "it had its turn before"


class _Item:
    def __init__(self, nodeid, *marks):
        self.nodeid, self.marks = nodeid, set(marks)

    def get_closest_marker(self, name):
        return name if name in self.marks else None

    def add_marker(self, mark):
        self.marks.add(mark.name)


def test_longest_files_come_first_and_quick_ones_are_marked(tmp_path):
    items = [
        _Item("tests/data/test_a.py::one"),
        _Item("tests/data/test_a.py::two", "slow"),
        _Item("tests/data/test_a.py::three", "timing"),
        _Item(f"{SIMULATIONS[0]}[500]"),
        _Item("tests/runs/test_b.py::one"),
        _Item("notebooks/x.ipynb::Cell 0"),
    ]
    Sharing(tmp_path).pytest_collection_modifyitems(items)
    assert [i.nodeid.split("/")[0] for i in items] == ["notebooks", *["tests"] * 5]
    assert items[1].nodeid.startswith("tests/runs/")
    assert [i.nodeid for i in items if "quick" in i.marks] == ["tests/data/test_a.py::one"]


def test_seconds_are_added_up_by_folder_and_the_slowest_comes_first():
    costs = Costs()
    for nodeid, when, duration in [
        ("tests/data/sets/test_a.py::one", "setup", 1.0),
        ("tests/data/test_a.py::two", "call", 2.0),
        ("tests/test_b.py::one", "setup", 0.5),
        ("notebooks/x.ipynb::Cell 0", "setup", 1000.0),
    ]:
        costs.pytest_runtest_logreport(SimpleNamespace(nodeid=nodeid, when=when, duration=duration))
    assert costs.table()[2:] == [
        "| notebooks | 1 | 1,000 |",
        "| tests/data | 1 | 3 |",
        "| tests/*.py | 1 | 0 |",
        "| all | 3 | 1,004 |",
    ]


def test_every_simulation_that_quick_leaves_out_exists():
    for start in SIMULATIONS:
        file, _, name = start.partition("::")
        assert f"def {name}" in (HOME / file).read_text(encoding="utf-8"), start
