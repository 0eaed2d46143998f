"""What other tools make of fashion/resnet20: `python -m tests.benchmarks.compression.peers`.

Every peer gets the same trained network, calibration, valid and train rows, in an environment of
its own; what it makes is measured here, all side by side, on the 10,000 test images and on one
thread. Writes table.csv and table.md.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import numpy as np

from tests.benchmarks.compression.peers.environments import (
    DEFAULT,
    PEERS,
    PeerError,
    ready,
    run_script,
)
from tests.benchmarks.compression.peers.table import Failure, markdown, measured
from workbench.keeping.candidates import keep, onnx_of
from workbench.measure import ROUNDS_BY_BUDGET
from workbench.tasks import load_task

TASK, MODEL = "fashion", "resnet20"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--environments",
        type=Path,
        default=DEFAULT,
        help="folder of the peers' environments, used again",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs/peers"),
        help="folder of what is given, made and measured",
    )
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=list(PEERS))
    parser.add_argument(
        "--budget",
        default="standard",
        choices=list(ROUNDS_BY_BUDGET),
        help="how long latency is measured",
    )
    parser.add_argument(
        "--again",
        action="store_true",
        help="run the peers' scripts although their results are there",
    )
    given = parser.parse_args()
    task = load_task(TASK)
    start, _ = task.candidate(MODEL)
    handed = given.out / "given"
    keep(start, handed / "network", task.example(16, start.prepare))
    for split in ("calibration", "valid", "train"):
        rows = getattr(task.data, split).prepared(start.prepare)
        np.savez(handed / f"{split}.npz", **rows.inputs, targets=rows.targets)
    made, failures = {}, []
    for name in given.peers:
        peer, folder = PEERS[name], given.out / "made" / name
        try:
            if given.again or not (folder / "done").exists():
                print(f"{peer.title}: environment", flush=True)
                python = ready(peer, given.environments)
                print(f"{peer.title}: running, see {folder / 'log.txt'}", flush=True)
                shutil.rmtree(folder, ignore_errors=True)
                run_script(peer, python, handed, folder)
                (folder / "done").touch()
        except PeerError as error:
            failures.append(Failure(peer, peer.title, str(error)))
        if (folder / "result.json").exists():  # what it made before it failed counts all the same
            made[name] = (peer, folder)
    table = measured(
        made, failures, task, start, onnx_of(handed / "network", start.prepare), given.budget
    )
    table.to_csv(given.out / "table.csv", index=False)
    (given.out / "table.md").write_text(markdown(table), encoding="utf-8")
    print(markdown(table))


if __name__ == "__main__":
    main()
