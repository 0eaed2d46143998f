"""Seconds that a user waits for one command, for this tree and for other ones, in turn.

    python -m tests.benchmarks.waiting --rounds 3 --tree older-clone --busy 0 1

Each tree has a folder of its own for what it keeps for the machine, so the first round of a tree
measures with nothing kept. `--busy` runs so many processes beside it that do nothing but compute.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.shared_machine import busy

COMMAND = "quantization --task digits --start cnn --budget smoke"
PAUSE_SECONDS = 8.0  # a finished run is recorded in the store after its command has ended


def seconds_of(tree: Path, home: Path) -> float:
    """Wall time of the command with the package of a tree, in a new folder of runs."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as root:
        environment = os.environ | {"PYTHONPATH": str(tree), "WORKBENCH_HOME": str(home)}
        words = [sys.executable, "-m", "workbench.cli.main", *COMMAND.split(), "--root", root]
        started = time.perf_counter()
        subprocess.run(words, cwd=tree, env=environment, check=True, capture_output=True)
        seconds = time.perf_counter() - started
        time.sleep(PAUSE_SECONDS)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tree", type=Path, nargs="*", default=[])
    parser.add_argument("--busy", type=int, nargs="*", default=[0])
    options = parser.parse_args()
    trees = [*options.tree, Path(__file__).parents[2]]
    print("| beside | tree | seconds of each round |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as homes:
        for n_busy in options.busy:
            seconds: dict[Path, list[float]] = {tree: [] for tree in trees}
            with busy(n_busy):
                for _ in range(options.rounds):
                    for number, tree in enumerate(trees):
                        seconds[tree].append(seconds_of(tree, Path(homes) / str(number)))
            for tree, of_tree in seconds.items():
                shown = ", ".join(f"{s:.1f}" for s in of_tree)
                print(f"| {n_busy} busy | {tree.name} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
