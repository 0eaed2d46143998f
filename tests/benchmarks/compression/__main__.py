"""Run every method, measure all of them side by side on every runtime, and print the table.

A method whose run is finished is not run again, so that an interrupted benchmark goes on where it
was.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

import workbench as wb
from tests.benchmarks.compression.methods import FULL, METHODS, recipe_of
from workbench.measure import coverage, macs_torch, time_side_by_side
from workbench.measure.macs import macs_onnx
from workbench.measure.roofline import peak_share
from workbench.measure.timing.records import Timing
from workbench.recipe import Recipe
from workbench.runs.folders import run_folders
from workbench.runs.trail import Trail
from workbench.runtimes import installed_for
from workbench.task import Candidate

BATCHES, THREADS = (1, 64), (1, 2)
A_SESSION = 4  # methods timed side by side at once, each on every runtime, beside the start


def finished(recipe: Recipe, root: Path) -> Trail:
    """The trail of a recipe: of a run that is there, else of one made now."""
    for folder in run_folders(root):
        run = wb.attach(folder)
        if run.status == "finished" and run.recipe == recipe:
            return run.result
    return wb.run(recipe, root=root)


def timed(made: dict[str, Candidate], start: Candidate, task: wb.Task, rounds: int) -> pd.DataFrame:
    """Best calls of every method on every runtime and thread count, with the factor against torch
    eager of its session.
    """
    rows = []
    names = list(made)
    for threads in THREADS:
        for first in range(0, len(names), A_SESSION):
            chosen = {"start on torch": (start, "torch")}
            for name in names[first : first + A_SESSION]:
                chosen |= {f"{name} on {r}": (made[name], r) for r in installed_for(made[name])}
            timings = time_side_by_side(
                chosen,
                lambda c, n: task.example(n, c.prepare),
                batch_sizes=BATCHES,
                threads=threads,
                rounds=rounds,
            )
            eager = timings["start on torch"]
            for label, timing in timings.items():
                name, _, runtime = label.rpartition(" on ")
                row = {
                    "method": name,
                    "runtime": runtime,
                    "threads": threads,
                    "busy": round(timing.busy, 2),
                }
                for size in BATCHES:
                    row[f"b{size} ms"] = timing.at(size).best_ms
                    row[f"b{size} x"] = eager.at(size).best_ms / timing.at(size).best_ms
                row["of peak"] = share_of_peak(chosen[label][0], timing, task)
                if label != "start on torch" or not first:
                    rows.append(row)
    return pd.DataFrame(rows)


def share_of_peak(candidate: Candidate, timing: Timing, task: wb.Task) -> float | None:
    """What the largest batch reaches of the peak that was measured here in the precision of most
    operators.
    """
    if candidate.form != "onnx":
        return peak_share(None, macs_torch(candidate.model, task.example(1)), timing)[1]
    return peak_share(
        coverage(candidate.model, timing.runtime),
        macs_onnx(candidate.model, task.example(1)),
        timing,
    )[1]


def quality_rows(trails: dict[str, Trail]) -> pd.DataFrame:
    """Accuracy on test, file and coverage of every method, as its run measured them."""
    rows = []
    for name, trail in trails.items():
        test, last = trail.test, trail.rows[-1]
        verdict = test.verdicts[0]
        rows.append(
            {
                "method": name,
                "test accuracy": f"{100 * test.chosen[0]:.2f} %",
                "points": f"{100 * verdict.difference:+.2f} ({100 * verdict.low:+.2f} to "
                f"{100 * verdict.high:+.2f})",
                "verdict": verdict.decision,
                "kB": last.size_bytes / 1000,
                "smaller": last.size_ratio,
                "in int8": f"{last.int8_operators} of {last.operators}",
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--root",
        type=Path,
        default=Path("runs/benchmark"),
        help="folder of the runs and of the tables",
    )
    parser.add_argument("--budget", default="standard", choices=("smoke", "standard", "thorough"))
    parser.add_argument(
        "--only", nargs="*", default=[*METHODS, *FULL], choices=[*METHODS, *FULL], metavar="METHOD"
    )
    parser.add_argument("--rounds", type=int, default=12, help="of the timing")
    parser.add_argument(
        "--runs-only",
        action="store_true",
        help="make the runs that are missing, and measure another time",
    )
    given = parser.parse_args()
    task = wb.load_task("fashion")
    start, _ = task.candidate("resnet20")
    trails = {}
    for name in given.only:
        print(f"--- {name}", flush=True)
        trails[name] = finished(recipe_of(name, given.budget), given.root)
        print(trails[name].test.text, flush=True)
    if given.runs_only:
        return
    made = {"unchanged": wb.to_onnx(start, task.example(16))}
    for name, trail in trails.items():
        made[name] = Candidate(name, "onnx", trail.onnx_path.read_bytes(), prepare=task.prepare)
    tables = {"quality": quality_rows(trails), "speed": timed(made, start, task, given.rounds)}
    for name, table in tables.items():
        table.to_csv(given.root / f"{name}.csv", index=False)
    text = "\n\n".join(readable(**tables, threads=threads) for threads in THREADS)
    (given.root / "tables.md").write_text(text + "\n", encoding="utf-8")
    print(text)


def readable(quality: pd.DataFrame, speed: pd.DataFrame, threads: int) -> str:
    """A table of Markdown: a row a method; of each runtime how many times faster than torch eager
    batch 1 and 64 are.
    """
    rows = speed[speed.threads == threads]
    runtimes = [r for r in dict.fromkeys(rows.runtime) if r != "torch"]
    head = [
        "method",
        "test accuracy",
        "points (interval)",
        "kB",
        "in int8",
        *(f"{r}: 1, 64" for r in runtimes),
    ]
    eager = rows[rows.runtime == "torch"].iloc[0]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    known = quality.set_index("method")
    for method, found in rows[rows.runtime != "torch"].groupby("method", sort=False):
        about = known.loc[method] if method in known.index else None
        shown = (
            ["", "", "", ""]
            if about is None
            else [about["test accuracy"], about.points, f"{about.kB:.0f}", about["in int8"]]
        )
        times = found.set_index("runtime")
        cells = [
            f"{times.loc[r, 'b1 x']:.1f}, {times.loc[r, 'b64 x']:.1f}" if r in times.index else ""
            for r in runtimes
        ]
        lines.append(f"| {' | '.join([method, *shown, *cells])} |")
    what = (
        f"{threads} thread{'s' * (threads > 1)}: times faster than torch eager "
        f"({eager['b1 ms']:.2f} ms for 1 image, {eager['b64 ms']:.1f} for 64); other work used at "
        f"most {100 * rows.busy.max():.0f} % of the cores."
    )
    return f"{what}\n\n" + "\n".join(lines)


if __name__ == "__main__":
    main()
