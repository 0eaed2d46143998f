"""Variables of the processes in which candidates are timed."""

from __future__ import annotations

import os
import sys

from workbench.system.own_process import KEPT_BYTES
from workbench.system.threads import THREADS

__all__ = ["environment_of"]

# torch.compile keeps no pool of processes. ONNX Runtime sends no telemetry, as it does by default
# from 1.29 on. Freed memory stays with the process: glibc else returns it after some calls,
# depending on the block at the top of the heap, and the next call pays for new pages. That doubled
# the time of torch eager at batch 64 (25 to 48 ms); engines with an arena of their own were not
# affected.
QUIET = {
    "TORCHINDUCTOR_COMPILE_THREADS": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "PYTHONUTF8": "1",
    "MALLOC_TRIM_THRESHOLD_": str(KEPT_BYTES),
    "MALLOC_MMAP_THRESHOLD_": str(KEPT_BYTES),
}


def environment_of(threads: int) -> dict[str, str]:
    """Variables of a worker: it can import all that this process can, and its threads are few."""
    paths = os.pathsep.join(p or os.getcwd() for p in sys.path)
    threads_of_libraries = dict.fromkeys(THREADS, str(threads))
    return os.environ | QUIET | threads_of_libraries | {"PYTHONPATH": paths}
