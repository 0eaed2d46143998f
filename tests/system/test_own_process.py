"""A process of our own: it keeps memory that was freed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from workbench.system.own_process import NICER

FAULTS = """
import resource, sys
import numpy as np
from workbench.system.own_process import settle_in

if sys.argv[1] == "settled":
    settle_in()
np.ones(2_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    np.ones(2_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="an option of glibc's memory")
def test_memory_that_is_taken_again_and_again_is_not_paged_in_each_time():
    def faults(word: str) -> int:
        done = subprocess.run(
            [sys.executable, "-c", FAULTS, word], capture_output=True, text=True, check=True
        )
        return int(done.stdout)

    assert faults("settled") < faults("as it was") / 5


@pytest.mark.skipif(not hasattr(os, "nice"), reason="there is no nice(2)")
def test_other_processes_go_first_once_nobody_waits():
    code = "import os, workbench.system.own_process as p; p.step_back(); print(os.nice(0))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) == min(os.nice(0) + NICER, 19)
