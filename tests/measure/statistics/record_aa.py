"""Record A/A timings: a small ONNX model against itself, without and with bursts of other work.

    python -m tests.measure.statistics.record_aa

writes `recorded_aa.json` beside this file in about three minutes. Run it again on a quiet machine
whenever the timing method changes. The test asserts only that equal candidates are seldom called
different.
"""

from __future__ import annotations

import json
import multiprocessing
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tests.measure.small_models import conv_net
from workbench.measure.timing.latency import time_side_by_side
from workbench.system.machine import n_cores
from workbench.task import Candidate

TARGET = Path(__file__).with_name("recorded_aa.json")
N_LAUNCHES = 5  # each in new processes: two processes of one program differ in memory layout
N_ROUNDS = 40
BLOCK_SECONDS = 0.06
BATCH_SIZES = (1, 64)


def main() -> None:
    launches = [_launch("as it is") for _ in range(N_LAUNCHES)]
    with _bursts():
        launches += [_launch("other work in bursts") for _ in range(N_LAUNCHES)]
    recorded = {
        "version": 1,
        "processor": platform.processor() or platform.machine(),
        "n_cores": n_cores(),
        "n_rounds": N_ROUNDS,
        "block_seconds": BLOCK_SECONDS,
        "launches": launches,
    }
    TARGET.write_text(
        json.dumps(recorded, indent=1).replace(",\n      ", ", ") + "\n", encoding="utf-8"
    )


def _launch(condition: str) -> dict[str, object]:
    candidate = Candidate("same", "onnx", conv_net())
    x = np.random.default_rng(0).normal(size=(64, 1, 28, 28)).astype(np.float32)
    timings = time_side_by_side(
        {"a": (candidate, "onnxruntime"), "b": (candidate, "onnxruntime")},
        lambda _, n: {"x": x[:n]},
        batch_sizes=BATCH_SIZES,
        rounds=N_ROUNDS,
        block_seconds=BLOCK_SECONDS,
    )
    busy = timings["a"].busy
    sys.stderr.write(f"{condition}: others used {busy:.0%}\n")
    return {
        "condition": condition,
        "busy": round(busy, 3),
        "batches": {
            str(size): {
                kind: {
                    name: [round(v, 6) for v in getattr(t.at(size), kind)]
                    for name, t in timings.items()
                }
                for kind in ("block_bests", "block_medians", "block_cpus")
            }
            for size in BATCH_SIZES
        },
    }


@contextmanager
def _bursts() -> Iterator[None]:
    """One process a core that works and rests in turns, each up to a second."""
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=_work_in_bursts, args=(seed,), daemon=True)
        for seed in range(n_cores())
    ]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def _work_in_bursts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(256, 256))
    while True:
        end = time.monotonic() + rng.uniform(0, 1)
        while time.monotonic() < end:
            a = np.tanh(a @ a / 256)
        time.sleep(rng.uniform(0, 1))


if __name__ == "__main__":
    main()
