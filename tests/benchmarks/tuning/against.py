"""Other tools for tuning on the same rows, for the same time, each in an environment of its own.

    python -m tests.benchmarks.tuning against --environments ~/peers

The problem is `boosting` on the task flights. Each tool searches on train alone, on one thread; its
predictions for valid come back in a file and are scored here. The tools take turns, a seed after
the other. A run that is in the table is not run again, so that a comparison goes on where it was.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil

from tests.benchmarks.compression.peers.environments import QUIET, Peer, ready
from tests.benchmarks.tuning.problems import TABLES
from tests.benchmarks.tuning.replaying import FILES
from workbench.data.folds import fold_indices
from workbench.measure.statistics.intervals import student
from workbench.measure.statistics.quality import quality
from workbench.measure.statistics.verdict import compare_quality
from workbench.system.files import read_json, write_json
from workbench.system.machine import host
from workbench.task import Task
from workbench.tasks import load_task

__all__ = ["TOOLS", "against", "shown"]

TREE = Path(__file__).parents[3]
SCRIPTS = Path(__file__).with_name("peers")
TABLE = TABLES / "against.json"
LESSON = FILES / "against.csv"
TASK, MODEL, N_FOLDS = "flights", "boosting", 3
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
LONGEST = 900  # seconds beyond the search: loading, the refit, predictions
OF_LESSON = ("tool", "seed", "score", "low", "high", "trials", "learner", "search_seconds")


@dataclass(frozen=True)
class Tool:
    """A tool and the environment of its script; ours runs in this environment."""

    title: str
    peer: Peer | None = None
    options: tuple[str, ...] = ()


OPTUNA = Peer(
    "optuna",
    "Optuna",
    "optuna",
    ("optuna>=5,<6", "scikit-learn>=1.9,<2", "pandas>=3,<4"),
    "optuna_peer.py",
)
FLAML = Peer("flaml", "FLAML", "flaml", ("flaml[automl]>=2.7,<3",), "flaml_peer.py")
TOOLS = {
    "workbench": Tool("Workbench"),
    "optuna": Tool("Optuna", OPTUNA),
    "flaml": Tool("FLAML", FLAML),
    "flaml_in_time": Tool("FLAML, hold-out at the end", FLAML, ("time",)),
}


def against(
    tools: Sequence[str],
    seeds: Sequence[int],
    seconds: float,
    environments: Path,
    folder: Path,
    table: Path = TABLE,
) -> None:
    """Run the tools that the table lacks, in turn for each seed, and write a row after each.

    Exits with the list of the runs that failed, after all others have been made.
    """
    failed = []
    record = _record(table, seconds)
    task = load_task(TASK).without_test()
    _hand(task, folder / "given")
    pythons = {p: ready(p, environments) for p in {TOOLS[name].peer for name in tools} if p}
    for seed in seeds:
        for name in tools:
            if any((row["tool"], row["seed"]) == (name, seed) for row in record["runs"]):
                continue
            print(f"{datetime.now():%H:%M:%S} {TOOLS[name].title}, seed {seed}", flush=True)
            try:
                row = _run(name, seed, seconds, folder, pythons.get(TOOLS[name].peer), task)
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                print(error, flush=True)
                failed.append(f"{name}, seed {seed}")
                continue
            record["runs"].append(row)
            _write(record, table)
    record["differences"] = _differences(record["runs"], folder, task)
    _write(record, table)
    print(shown(record))
    if failed:
        raise SystemExit(f"{len(failed)} runs failed: {'; '.join(failed)}.")


def _record(table: Path, seconds: float) -> dict[str, Any]:
    """The runs so far; raises ValueError where they had another time."""
    if not table.exists():
        facts = host()
        return {
            "task": TASK,
            "model": MODEL,
            "seconds": seconds,
            "processor": facts.title,
            "system": facts.system,
            "python": facts.python,
            "runs": [],
            "differences": [],
        }
    record: dict[str, Any] = read_json(table)
    if record["seconds"] != seconds or record["processor"] != host().title:
        raise ValueError(
            f"{table} has runs of {record['seconds']:g} s on {record['processor']}: give the same "
            "time on the same machine, or another table."
        )
    return record


def _hand(task: Task, given: Path) -> None:
    """Write the rows and folds for all scripts; the targets of valid stay here."""
    given.mkdir(parents=True, exist_ok=True)
    train, valid = task.data.train, task.data.valid
    folds = fold_indices(train, task.kind, N_FOLDS)
    parts = {f"{part}_{n}": rows for n, pair in enumerate(folds) for part, rows in _named(pair)}
    np.savez(given / "train.npz", **train.inputs, targets=np.asarray(train.targets))
    np.savez(given / "valid.npz", **valid.inputs)
    np.savez(given / "folds.npz", **parts)


def _named(fold: tuple[np.ndarray, np.ndarray]) -> zip[tuple[str, np.ndarray]]:
    return zip(("learn", "held"), fold, strict=True)


def _run(
    name: str, seed: int, seconds: float, folder: Path, python: Path | None, task: Task
) -> dict[str, Any]:
    """The row of a run: its result, the score on valid with its interval, and the load beside it.

    Raises RuntimeError with the end of the log where the script fails.
    """
    made = folder / "made" / f"{name}-{seed}"
    shutil.rmtree(made, ignore_errors=True)  # a search that was killed would go on
    made.mkdir(parents=True)
    peer, load, date = TOOLS[name].peer, os.getloadavg()[0], datetime.now()
    module = "tests.benchmarks.tuning.peers.workbench_peer"
    start = ["-m", module] if peer is None else [str(SCRIPTS / peer.script)]
    words = [str(python or sys.executable), *start, str((folder / "given").resolve())]
    words += [str(made.resolve()), str(seconds), str(seed), *TOOLS[name].options]
    began, own, others = time.perf_counter(), _of_children(), _of_machine()
    with (made / "log.txt").open("w", encoding="utf-8") as log:
        code = subprocess.run(
            words,
            cwd=TREE,
            env=_environment(peer is None, made),
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=seconds + LONGEST,
            check=False,
        ).returncode
    wall, own = time.perf_counter() - began, _of_children() - own
    if code:
        text = (made / "log.txt").read_text(encoding="utf-8", errors="replace")
        raise RuntimeError(f"{name}, seed {seed}, ended with code {code}:\n{text[-2_000:]}")
    result = read_json(made / "result.json")
    score = quality(_outputs(made), _targets(task), task.metric, times=task.data.valid.times)
    return {
        "tool": name,
        "seed": seed,
        "date": f"{date:%Y-%m-%d %H:%M}",
        "metric": task.metric.name,
        "score": score.value,
        "low": score.low,
        "high": score.high,
        **_default(made, task),
        **result,
        "wall_seconds": wall,
        "processor_seconds": own,
        "load_at_start": load,
        "cores_of_others": max(0.0, _of_machine() - others - own) / wall,
    }


def _environment(is_ours: bool, made: Path) -> dict[str, str]:
    """One thread, and for other tools nothing that reports to their makers."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    if is_ours:
        return environment | ONE_THREAD | {"PYTHONPATH": str(TREE)}
    return environment | ONE_THREAD | QUIET | {"HOME": str(made.resolve())}


def _of_children() -> float:
    """Processor seconds of the processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _of_machine() -> float:
    """Processor seconds of all processes of this machine."""
    times = psutil.cpu_times()
    return float(times.user + times.system + getattr(times, "nice", 0.0))


def _outputs(made: Path, name: str = "probabilities") -> np.ndarray:
    """The logits of the predicted probabilities `(rows,)`, as the metric takes them."""
    p = np.clip(np.load(made / f"{name}.npy"), 1e-12, 1 - 1e-12)
    return np.log(p) - np.log1p(-p)


def _targets(task: Task) -> np.ndarray:
    return np.asarray(task.data.valid.targets)


def _default(made: Path, task: Task) -> dict[str, float]:
    """The score of the default settings, where the tool trained them too."""
    if not (made / "default.npy").exists():
        return {}
    return {"default_score": task.metric(_outputs(made, "default"), _targets(task))}


def _differences(
    runs: Sequence[Mapping[str, Any]], folder: Path, task: Task
) -> list[dict[str, Any]]:
    """Ours minus each other tool: over seeds, and for each seed over the days of valid."""
    scores = {name: {r["seed"]: r["score"] for r in runs if r["tool"] == name} for name in TOOLS}
    ours, rows = scores.pop("workbench"), []
    for name, theirs in scores.items():
        seeds = sorted(set(ours) & set(theirs))
        if not seeds:
            continue
        gaps = np.array([ours[seed] - theirs[seed] for seed in seeds])
        low, high = student(gaps) if len(gaps) > 1 else (None, None)
        row = {"tool": name, "seeds": seeds, "mean": gaps.mean(), "low": low, "high": high}
        rows.append(row | {"by_days": [_by_days(name, seed, folder, task) for seed in seeds]})
    return rows


def _by_days(name: str, seed: int, folder: Path, task: Task) -> dict[str, Any]:
    """The difference of two models on valid, with the interval over its days."""
    theirs, ours = (_outputs(folder / "made" / f"{n}-{seed}") for n in (name, "workbench"))
    times = task.data.valid.times
    verdict = compare_quality(theirs, ours, _targets(task), task.metric, times=times)
    return {
        "seed": seed,
        "difference": verdict.difference,
        "low": verdict.low,
        "high": verdict.high,
    }


def _write(record: Mapping[str, Any], table: Path) -> None:
    """The table, and the columns that the lesson reads."""
    write_json(table, record)
    if table == TABLE:
        rows = pd.DataFrame(record["runs"])[list(OF_LESSON)]
        rows.round(5).to_csv(LESSON, index=False, lineterminator="\n")


def shown(record: Mapping[str, Any]) -> str:
    """The runs, and ours minus each other tool, as Markdown."""
    head = "| tool | seed | score (95 % over days) | best inner score | learner | trials | "
    lines = [f"{head}seconds of search, refit | processor seconds | other work, cores |"]
    lines.append("|---" * 9 + "|")
    for r in sorted(record["runs"], key=lambda r: list(TOOLS).index(r["tool"])):
        stopped = f", {r['stopped_early']} stopped early" if r.get("stopped_early") else ""
        cells = [
            TOOLS[r["tool"]].title,
            r["seed"],
            f"{r['score']:.4f} ({r['low']:.4f} to {r['high']:.4f})",
            f"{r['best']:.4f}",
            r["learner"],
            f"{r['trials']}{stopped}",
            f"{r['search_seconds']:.0f}, {r['refit_seconds']:.1f}",
            f"{r['processor_seconds']:.0f}",
            f"{r['cores_of_others']:.2f}",
        ]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    for d in record["differences"]:
        interval = "" if d["low"] is None else f" ({d['low']:+.4f} to {d['high']:+.4f})"
        by_days = "; ".join(
            f"{e['difference']:+.4f} ({e['low']:+.4f} to {e['high']:+.4f})" for e in d["by_days"]
        )
        title = TOOLS[d["tool"]].title
        lines.append(f"\nours minus {title}: {d['mean']:+.4f}{interval}; by days: {by_days}")
    return "\n".join(lines)
