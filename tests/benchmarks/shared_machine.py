"""Runs on a machine with neighbours: training, four runs at once, and one network from ten runs.

    python -m tests.benchmarks.shared_machine training four same

`training`: resnet20 on fashion, 40 steps, alone and beside one busy process, with the number of
threads that a run would choose, with one and with all. `four`: four runs one after the other, then
four that start in the same second. `same`: ten runs with one thread beside a load that changes;
each writes the fingerprint of its network and of its ONNX file.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

QUANTIZATION = "quantization --task digits --start cnn --budget smoke"
PRUNING = "pruning --task digits --start cnn --budget smoke --threads 1"
TRAINING = """
import sys, time
import workbench as wb
from workbench.system.threads import threads_for_now, use_threads
from workbench.training import FitSettings, fit
n = int(sys.argv[1]) or threads_for_now()
use_threads(n)
task = wb.load_task("fashion").without_test()
candidate, _ = task.candidate("resnet20", seed=0)
fixed = {"precision": "fp32", "memory_format": "contiguous"}
def train(n_steps):
    fit(candidate.model, task, FitSettings(max_steps=n_steps, **fixed), prepare=candidate.prepare)
train(2)
started = time.perf_counter()
train(int(sys.argv[2]))
print(n, time.perf_counter() - started)
"""


@contextmanager
def busy(n: int) -> Iterator[None]:
    """So many processes beside that do nothing but compute."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(n)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


@contextmanager
def changing_load(seed: int = 0) -> Iterator[None]:
    """None to two busy processes, another number every few seconds."""
    numbers, stop = random.Random(seed), threading.Event()

    def change() -> None:
        while not stop.is_set():
            with busy(numbers.randrange(3)):
                stop.wait(numbers.uniform(1, 6))

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def start(command: str, root: Path, home: Path) -> subprocess.Popen[bytes]:
    """The command, with a folder of runs and a folder for what it keeps for the machine."""
    words = [sys.executable, "-m", "workbench.cli.main", *command.split(), "--root", str(root)]
    environment = os.environ | {"WORKBENCH_HOME": str(home)}
    return subprocess.Popen(
        words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def training(n_steps: int = 40, rounds: int = 3) -> None:
    """Seconds of training, in rounds; each time in a process of its own."""
    print("| beside | threads | seconds of each round |\n|---|---|---|")
    for n_busy in (0, 1):
        seconds: dict[int, list[str]] = {0: [], 1: [], os.cpu_count() or 1: []}
        for _ in range(rounds):
            for n, times in seconds.items():
                with busy(n_busy):
                    words = [sys.executable, "-c", TRAINING, str(n), str(n_steps)]
                    done = subprocess.run(words, check=True, capture_output=True, text=True)
                chosen, took = done.stdout.split()[-2:]
                times.append(f"{float(took):.1f}" + (f" ({chosen})" if n == 0 else ""))
        for n, times in seconds.items():
            name = "chosen (number)" if n == 0 else str(n)
            print(f"| {n_busy} busy | {name} | {', '.join(times)} |", flush=True)


def four(rounds: int = 2) -> None:
    """Seconds of four runs, one after the other and started in the same second."""
    print("| four runs | seconds of each round |\n|---|---|")
    one_by_one, together = [], []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        root, home = Path(folder) / "runs", Path(folder) / "home"
        _ended([start(QUANTIZATION, root, home)])  # what is kept for the machine is measured
        for _ in range(rounds):
            began = time.perf_counter()
            for _ in range(4):
                _ended([start(QUANTIZATION, root, home)])
            one_by_one.append(time.perf_counter() - began)
            began = time.perf_counter()
            _ended([start(QUANTIZATION, root, home) for _ in range(4)])
            together.append(time.perf_counter() - began)
    for name, seconds in (("one after the other", one_by_one), ("together", together)):
        print(f"| {name} | {', '.join(f'{s:.0f}' for s in seconds)} |")
    ratios = [b / a for a, b in zip(one_by_one, together, strict=True)]
    print(f"| ratio | {', '.join(f'{r:.2f}' for r in ratios)} |")


def same(n_runs: int = 10) -> None:
    """Fingerprints of the networks and ONNX files of runs beside a load that changes."""
    found: dict[str, int] = {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, changing_load():
        for number in range(n_runs):
            root = Path(folder) / str(number)
            _ended([start(PRUNING, root, Path(folder) / "home")])
            files = [*root.glob("*/steps/*/model.safetensors"), *root.glob("*/steps/*/*.onnx")]
            digest = hashlib.sha256()
            for file in sorted(files, key=lambda f: f.parts[-2:]):
                digest.update(file.read_bytes())
            key = f"{len(files)} files, {digest.hexdigest()[:12]}"
            found[key] = found.get(key, 0) + 1
    print("| files and fingerprint | runs |\n|---|---|")
    for key, n in found.items():
        print(f"| {key} | {n} |")


def _ended(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    codes = [process.wait() for process in processes]
    if any(codes):
        raise SystemExit(f"A run failed: exit codes {codes}.")


def main() -> None:
    parts = {"training": training, "four": four, "same": same}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(parts))
    for name in parser.parse_args().parts:
        parts[name]()
        print()


if __name__ == "__main__":
    main()
