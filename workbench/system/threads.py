"""Threads of a process: how many pay off under the load of this moment, and how idle ones wait.

Threads of one operation wait for each other. Beside other work one of them is always late, and
those that wait in a loop ("spin") take its core away: training with two threads beside one busy
process took up to ten times as long as with one. So idle threads soon sleep
(`workbench/__init__.py`), and the number of threads is measured: once for each run, and once for
each other process that trains, such as a notebook's.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache

from workbench.system.machine import n_cores, n_threads
from workbench.system.process import spares

__all__ = ["THREADS", "fastest_number", "threads_for_now", "threads_that_pay_off", "use_threads"]

THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
"""Variables that limit the threads of libraries."""
OF_TORCH = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")  # those of them that torch reads

ROUNDS = 5
LOOKS = 3  # one that found fewer threads than there are cores is repeated, and the median counts
PAUSE_SECONDS = 0.15  # between looks: a program that is only starting beside this one is then ready
N_OPERATIONS = 12  # of each kind in one round: some milliseconds
LEAST_GAIN = 1.2  # twice as many threads must be this many times as fast to be worth their cores
LEAST_SHARE = 0.85  # of a core that one thread gets; with less, there is no core for a second one


def use_threads(n: int) -> None:
    """Let torch use `n` threads in this process, and other libraries as far as they still ask."""
    import torch

    os.environ.update(dict.fromkeys(THREADS, str(n)))
    torch.set_num_threads(n)


@contextmanager
def threads_that_pay_off() -> Iterator[None]:
    """Let torch train with as many threads as pay off, in a process where nobody chose a number.

    The number is measured once in a process and stays, as sums over another number of threads
    differ in their last bit. It is left alone in a run, where it is chosen at the start, and where
    the user chose one, by a variable of the environment or by `torch.set_num_threads`.
    """
    import torch

    before = torch.get_num_threads()
    if before != n_cores() or any(name in os.environ for name in OF_TORCH):
        yield
        return
    torch.set_num_threads(_threads_of_process())
    try:
        yield
    finally:
        torch.set_num_threads(before)


@cache
def _threads_of_process() -> int:
    for spare in list(spares):  # they import, and the number would be that beside them
        spare.kill()
    return threads_for_now()


def threads_for_now(limit: int | None = None) -> int:
    """The number of threads for training that pays off under the load of this moment.

    Tried are 1, 2, 4 and so on up to `limit`, by default all cores that may be used, on operations
    like those of training. It takes about a tenth of a second for each number, and is repeated
    where fewer than all of them paid off: a program that had only just started may have been
    beside. Where a single thread does not get a core for itself, the number is 1: more threads
    would only take the time of others.
    """
    limit = limit or n_threads()
    powers = [2**i for i in range(limit.bit_length())]
    numbers = sorted({*(n for n in powers if n <= limit), limit})
    if len(numbers) == 1:
        return limit
    _times(numbers)  # the first operations of a process are slower: they do not count
    found: list[int] = []
    while len(found) < LOOKS:
        times, share = _times(numbers)
        found.append(1 if share < LEAST_SHARE else fastest_number(numbers, times))
        if found[0] == limit:
            return limit
        time.sleep(PAUSE_SECONDS)
    return sorted(found)[LOOKS // 2]


def fastest_number(numbers: Sequence[int], seconds: Sequence[float]) -> int:
    """The number of threads that was fastest, where more threads were worth their cores.

    `numbers` ascend. From one to the next, the time must fall by the number of cores that are added
    at least in part: twice as many threads must be `LEAST_GAIN` times as fast.
    """
    chosen, its_seconds = numbers[0], seconds[0]
    for number, time_of_number in zip(numbers[1:], seconds[1:], strict=True):
        needed = 1 + (LEAST_GAIN - 1) * (number / chosen - 1)
        if its_seconds / time_of_number >= needed:
            chosen, its_seconds = number, time_of_number
    return chosen


def _times(numbers: Sequence[int]) -> tuple[list[float], float]:
    """The median seconds of some operations for each number of threads, timed in turn.

    Also the share of a core that a single thread got.
    """
    import torch

    before = torch.get_num_threads()
    operations = _operations()
    seconds: dict[int, list[float]] = {n: [] for n in numbers}
    used = 0.0  # processor seconds of one thread
    try:
        for n in numbers:  # the first call of a number starts its threads
            torch.set_num_threads(n)
            operations()
        for _ in range(ROUNDS):
            for n in numbers:
                torch.set_num_threads(n)
                started, thread_started = time.perf_counter(), time.thread_time()
                operations()
                seconds[n].append(time.perf_counter() - started)
                used += time.thread_time() - thread_started if n == 1 else 0.0
    finally:
        torch.set_num_threads(before)
    return [statistics.median(seconds[n]) for n in numbers], used / sum(seconds[1])


def _operations() -> Callable[[], None]:
    """Products and sums as in training: many short ones, after each of which all threads meet."""
    import torch

    a, b = torch.ones(256, 256), torch.ones(256, 256)
    c = torch.ones(64, 32, 32, 32)

    def run() -> None:
        with torch.inference_mode():
            for _ in range(N_OPERATIONS):
                torch.mm(a, b)
                torch.relu(c)

    return run
