"""CPU seconds of `workbench list` with many runs.

    python -m tests.benchmarks.listing --runs 1000 --tree OLDER

The folders are those of `tests/factories.py`. `--tree` names clones of older commits, which list
the same folders in turn with this tree.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.factories import make_run

HERE = Path(__file__).parents[2]
COMMAND = """
import contextlib, io, os, sys, time
from workbench.cli import main
began = time.process_time()
with contextlib.redirect_stdout(io.StringIO()):
    assert main.main(["list", "--root", sys.argv[1]]) == 0
print(time.process_time() - began)
"""


def seconds_of(tree: Path, root: str) -> float:
    """CPU seconds of the command with the package of a tree, imports of the command included."""
    environment = os.environ | {"PYTHONPATH": str(tree)}
    words = [sys.executable, "-c", COMMAND, root]
    done = subprocess.run(
        words, cwd=tree, env=environment, check=True, capture_output=True, text=True
    )
    return float(done.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tree", type=Path, nargs="*", default=[])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        for number in range(options.runs):
            make_run(Path(root), f"20261122-{number:06d}-fashion-resnet20")
        for _ in range(options.rounds):
            for tree in (*options.tree, HERE):
                print(f"{tree.name}: {seconds_of(tree, root):.2f} s", flush=True)


if __name__ == "__main__":
    main()
