"""Processes of runs, real ones: alive until they end, identified, and ended with their children."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil
import pytest

from workbench.system.process import alive, children, end_session, identity

pytestmark = pytest.mark.skipif(os.name == "nt", reason="these tests use POSIX sessions")

SLEEP = "import time; time.sleep(60)"
WITH_CHILD = (
    f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {SLEEP!r}]).pid, "
    f"flush=True); {SLEEP}"
)


def _wait_for(condition, seconds=20.0):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "waited too long"
        time.sleep(0.01)


@pytest.fixture
def launch():
    """Starts a Python process in a session of its own, and kills it at the end of the test."""
    started = []

    def start(code: str = SLEEP, **options) -> subprocess.Popen:
        started.append(
            subprocess.Popen([sys.executable, "-c", code], start_new_session=True, **options)
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def test_identity_tells_the_process_and_its_birth():
    me = identity(os.getpid())
    assert me == {"pid": os.getpid(), "born": psutil.Process().create_time()}
    assert alive(me)


def test_no_process_has_no_identity_and_is_not_alive():
    assert identity(None) == {"pid": None, "born": None}
    assert not alive(identity(None))
    end_session(identity(None))


def test_process_is_alive_until_it_is_killed(launch):
    process = launch()
    state = identity(process.pid)
    assert alive(state)
    process.kill()
    process.wait()
    assert not alive(state)
    assert identity(process.pid)["born"] is None


def test_process_that_ended_unreaped_is_not_alive(launch):
    process = launch("pass")
    state = identity(process.pid)
    _wait_for(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
    assert not alive(state)


def test_children_that_ended_are_reaped_when_somebody_asks(launch):
    process = launch("pass")
    state = identity(process.pid)
    children.append(process)
    try:
        _wait_for(lambda: not alive(state) and process.returncode == 0)
    finally:
        children.remove(process)
    assert not psutil.pid_exists(process.pid)


def test_a_later_process_with_the_same_number_is_not_taken_for_it(launch):
    process = launch()
    state = identity(process.pid)
    earlier = {**state, "born": state["born"] - 5}
    assert not alive(earlier)
    end_session(earlier)
    assert alive(state), "a stranger is not ended"


def test_end_session_ends_the_process_and_its_children(launch):
    process = launch(WITH_CHILD, stdout=subprocess.PIPE, text=True)
    child = identity(int(process.stdout.readline()))
    state = identity(process.pid)
    assert alive(child)
    end_session(state)
    _wait_for(lambda: not alive(state) and not alive(child))
    end_session(state)  # once more does no harm
