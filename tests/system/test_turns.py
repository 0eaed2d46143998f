"""One turn at timing a machine: processes wait for each other, and a killed one holds up nobody."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from workbench.errors import Cancelled
from workbench.system import turns
from workbench.system.turns import timing_turn

HOLDER = """
import time
from pathlib import Path
from workbench.system import turns
from workbench.system.turns import timing_turn
turns.FOLDER = Path({folder!r})
with timing_turn():
    print("has the turn", flush=True)
    time.sleep({seconds})
"""


@pytest.fixture(autouse=True)
def own_machine(monkeypatch, tmp_path):
    """A folder for locks of this test alone: other tests may be timing."""
    monkeypatch.setattr(turns, "FOLDER", tmp_path)


def _holder(seconds: float) -> subprocess.Popen[str]:
    code = HOLDER.format(seconds=seconds, folder=str(turns.FOLDER))
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "has the turn"
    return process


def test_turn_waits_until_another_process_gives_it_back():
    holder = _holder(1.0)
    with timing_turn() as waited:
        assert holder.wait(timeout=10) == 0, "the other one has ended"
    assert waited > 0


def test_turn_comes_at_once_when_the_process_that_had_it_is_killed():
    holder = _holder(3600)
    holder.kill()
    holder.wait()
    with timing_turn():
        pass


def test_turn_that_is_waited_for_can_be_cancelled():
    holder = _holder(3600)
    calls = []

    def check():
        calls.append(time.monotonic())
        if len(calls) == 3:
            raise Cancelled("on request")

    try:
        with pytest.raises(Cancelled), timing_turn(check):
            pytest.fail("the other process still has the turn")
    finally:
        holder.kill()
        holder.wait()


def test_turn_within_a_turn_does_not_wait_for_itself():
    with timing_turn(), timing_turn() as waited:
        assert waited == 0.0


def test_turn_is_not_waited_for_where_no_lock_can_be_made(monkeypatch):
    class NoLock:
        def __init__(self, *_, **__):
            pass

        def acquire(self, **_):
            raise PermissionError("no")

    monkeypatch.setattr(turns, "FileLock", NoLock)
    with timing_turn() as waited:
        assert waited == 0.0
