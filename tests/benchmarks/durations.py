"""Records the table of times that comes with the package: seconds of each part of built-in runs.

    python -m tests.benchmarks.durations --budgets smoke standard
    python -m tests.benchmarks.durations --from runs/20261127-124227-fashion-resnet20

The first form runs every technique on built-in tasks with its default settings, once each. The
second takes the times of finished runs with default settings instead. Both add to the table
`workbench/runs/files/durations.json`, and replace times of the same part. The table names this
machine: all of its times must come from one, so times of another machine are deleted.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path

from workbench.errors import WorkbenchError
from workbench.runs.durations import PROCESS, Duration, parts_of
from workbench.runs.estimates import TABLE, Table, _as_table
from workbench.runs.folders import run_folders
from workbench.runs.handle import attach
from workbench.settings import BUDGETS
from workbench.system.files import read_json, write_text
from workbench.system.machine import busy, host

TREE = Path(__file__).parents[2]
STARTS = {"digits": "cnn", "fashion": "resnet20"}
HOURS = [("standard", "fashion", "distillation"), ("thorough", "fashion", "distillation")]
TECHNIQUES = ("pruning", "quantization", "distillation")


def durations_of(folder: Path) -> list[Duration]:
    """The times of a finished run, from its events; raises ValueError for a resumed one."""
    run = attach(folder)
    began: dict[str, float] = {}
    seconds: dict[str, float] = {}
    created = read_json(folder / "run.json")["created"]
    for event, _ in run.events():
        if event.kind == "run_started":
            seconds[PROCESS] = event.time - created
        elif event.kind == "step_started":
            if event.step in began:
                raise ValueError(f"{folder} was resumed: its times are not whole.")
            began[event.step] = event.time
        elif event.kind == "step_finished":
            seconds[event.step] = event.time - began[event.step]
    recipe = run.recipe
    first = next(iter(run.result.task.builders))
    made = []
    for label, part in parts_of(recipe).items():
        if label not in seconds:
            continue
        starts = ("", first) if part.start in ("", first) else (part.start,)
        made.append(Duration(part.name, part.task, round(seconds[label], 1), starts, part.budget))
    return made


def run_all(budgets: list[str], root: Path) -> list[Path]:
    """Run each technique on each task with each budget; returns the folders of the runs."""
    for budget in budgets:
        for task, start in STARTS.items():
            for technique in TECHNIQUES:
                if (budget, task, technique) in HOURS:
                    continue
                words = [technique, "--task", task, "--start", start, "--budget", budget]
                print("workbench", *words, flush=True)
                command = [sys.executable, "-m", "workbench.cli", *words, "--root", str(root)]
                environment = os.environ | {"PYTHONPATH": str(TREE)}
                done = subprocess.run(command, cwd=TREE, env=environment, capture_output=True)
                if done.returncode:
                    print(done.stderr.decode()[-500:], flush=True)
    return [folder for folder in run_folders(root) if attach(folder).status == "finished"]


def write_table(fresh: list[Duration]) -> None:
    """Add times to the table of the package."""
    processor = host().title
    try:
        table = read_json(TABLE, _as_table)
    except WorkbenchError:
        table = Table()
    kept = {_key(d): d for d in (*(table.durations if table.processor == processor else ()),)}
    kept |= {_key(d): d for d in fresh}
    lines = sorted(kept.values(), key=_key)
    made = replace(
        table,
        processor=processor,
        measured=str(date.today()),
        load=round(busy(), 1),
        durations=tuple(lines),
    )
    write_text(TABLE, _as_text(made))
    print(f"{len(lines)} times in {TABLE}")


def _key(duration: Duration) -> tuple[str, ...]:
    return (duration.task, duration.name, *duration.starts, duration.budget)


def _as_text(table: Table) -> str:
    """The table as JSON with a line for each time."""
    about = {"command": "python -m tests.benchmarks.durations", **asdict(table)}
    lines = [json.dumps({k: v for k, v in d.items() if v}) for d in about.pop("durations")]
    head = json.dumps(about, indent=1).removesuffix("\n}")
    return head + ',\n "durations": [\n  ' + ",\n  ".join(lines) + "\n ]\n}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budgets", nargs="*", choices=BUDGETS, default=["smoke"])
    parser.add_argument("--from", dest="folders", type=Path, nargs="*", default=[])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as root:
        folders = options.folders or run_all(options.budgets, Path(root))
        write_table([one for folder in folders for one in durations_of(folder)])


if __name__ == "__main__":
    main()
