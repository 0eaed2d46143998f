"""The number of threads that pays off: from times, and under a real load."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from workbench.system.threads import THREADS, fastest_number, threads_for_now, use_threads


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ([1.0, 0.55, 0.30], 4),
        ([1.0, 0.55, 0.50], 2),  # four are no faster than two
        ([1.0, 0.95, 0.99], 1),  # beside other work
        ([1.0, 4.0, 9.0], 1),
        ([1.0, 0.9, 0.40], 4),  # two do not pay off alone, four do
    ],
)
def test_fastest_number_takes_more_threads_only_where_they_are_worth_their_cores(seconds, expected):
    assert fastest_number([1, 2, 4], seconds) == expected


def test_threads_for_now_is_one_where_only_one_is_allowed():
    assert threads_for_now(1) == 1


@pytest.mark.timing
def test_threads_for_now_stays_within_the_limit_and_leaves_torch_as_it_was():
    import torch

    before = torch.get_num_threads()
    assert 1 <= threads_for_now(2) <= 2
    assert torch.get_num_threads() == before


def test_use_threads_holds_for_torch_and_for_libraries_that_ask_later(monkeypatch):
    import torch

    before = torch.get_num_threads()
    for name in THREADS:
        monkeypatch.setenv(name, "5")  # put back after the test
    try:
        use_threads(1)
        assert torch.get_num_threads() == 1
        assert {os.environ[name] for name in THREADS} == {"1"}
    finally:
        torch.set_num_threads(before)


TRAIN = """
import torch
import workbench as wb
from workbench.system import threads
from workbench.training import Callback, FitSettings

class Note(Callback):
    def on_train_begin(self, context):
        seen.append(torch.get_num_threads())

seen, measured = [], []
threads.threads_for_now = lambda: measured.append(0) or 3
default = torch.get_num_threads()
digits = wb.load_task("digits").without_test()
for _ in range(2):
    wb.fit(digits.build("dscnn"), digits, FitSettings(max_steps=1), callbacks=[Note()])
numbers = [n if n != default else 0 for n in seen]
print(numbers, len(measured), torch.get_num_threads() - default)
"""


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "[3, 3] 1 0"),  # measured once; torch is left as it was
        ({"OMP_NUM_THREADS": "1"}, "[0, 0] 0 0"),  # the user chose a number
        ({"MKL_NUM_THREADS": "1"}, "[0, 0] 0 0"),
    ],
)
def test_fit_outside_a_run_trains_with_the_threads_that_pay_off(environment, expected):
    others = {k: v for k, v in os.environ.items() if k not in THREADS}
    done = subprocess.run(
        [sys.executable, "-c", TRAIN],
        env=others | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout.strip() == expected, done.stderr


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="the load is put on one core by its number"
)
@pytest.mark.timing
def test_two_threads_do_not_pay_off_on_one_core_with_a_busy_neighbour():
    """Two threads and a busy process share one core: more threads cannot be faster."""
    core = min(os.sched_getaffinity(0))
    pin = f"import os; os.sched_setaffinity(0, {{{core}}})\n"
    busy = subprocess.Popen([sys.executable, "-c", f"{pin}while True: pass"])
    ask = "from workbench.system.threads import threads_for_now; print(threads_for_now(2))"
    environment = {k: v for k, v in os.environ.items() if k not in THREADS}
    try:
        done = subprocess.run(
            [sys.executable, "-c", pin + ask],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
    finally:
        busy.kill()
        busy.wait()
    assert done.stdout.split()[-1] == "1"
