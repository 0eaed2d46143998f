"""Samplers on real trainings of digits/cnn, each run with the settings of the budget `smoke`.

    python -m tests.benchmarks.tuning live

A run that is in the table is not run again. All runs have the space that the task ships, and the
same hold-out of train, so that samplers differ by their points alone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from tests.benchmarks.tuning.problems import TABLES
from tests.benchmarks.tuning.recording import score_on
from workbench.measure.statistics.intervals import student
from workbench.tasks import load_task
from workbench.technique import Job
from workbench.techniques import get_technique

__all__ = ["TABLE", "live", "shown"]

TABLE = TABLES / "live.csv"
FIT = {"precision": "fp32", "memory_format": "contiguous"}  # "auto" would time both in each trial
GRID_VALUES = 2  # of each of the four parameters: 16 points, in a random order


def live(samplers: Sequence[str], seeds: Sequence[int], n_trials: int, table: Path = TABLE) -> None:
    """Run the searches that the table lacks, and write a row after each."""
    for seed in seeds:
        for sampler in samplers:
            rows = pd.read_csv(table) if table.exists() else pd.DataFrame()
            key = {"sampler": sampler, "seed": seed, "n_trials": n_trials}
            if len(rows) and (rows[list(key)] == list(key.values())).all(axis=1).any():
                continue
            row = key | _searched(sampler, seed, n_trials)
            print(", ".join(f"{name} {value}" for name, value in row.items()), flush=True)
            rows = pd.concat([rows, pd.DataFrame([row])], ignore_index=True)
            rows.to_csv(table, index=False, lineterminator="\n")
    print(shown(pd.read_csv(table)))


def _searched(sampler: str, seed: int, n_trials: int) -> dict[str, Any]:
    """The best score of a search, and the scores on valid of the models that it ends with.

    `best` is the score on held-out train rows, `unseen` that of the same model on valid; `refitted`
    and `default` are the best point and the default settings, trained on all of train.
    """
    task = load_task("digits").without_test()
    start, _ = task.candidate("cnn", seed=seed)
    tuning = get_technique("tuning")
    settings = tuning.settings(
        budget="smoke",
        n_trials=n_trials,
        sampler=sampler,
        fit=FIT,
        **({"grid_values": GRID_VALUES} if sampler == "grid" else {}),
    )
    with TemporaryDirectory() as folder:
        began = time.perf_counter()
        outcome = tuning(Job(task, start, Path(folder), seed=seed), settings)
        seconds = time.perf_counter() - began
    assert outcome.candidate is not None
    assert outcome.control is not None
    trials = outcome.evidence["trials"]
    best = trials.loc[trials["score"].idxmax()]
    return {
        "best": round(float(best["score"]), 5),
        "unseen": round(float(best["unseen"]), 5),
        "refitted": round(score_on(outcome.candidate, task, task.data.valid), 5),
        "default": round(score_on(outcome.control, task, task.data.valid), 5),
        "seconds": round(seconds, 1),
    }


def shown(rows: pd.DataFrame) -> str:
    """Means over the seeds, and the gain over the default settings, as Markdown."""
    head = "| sampler | trials | seeds | best score | the same on valid | refitted, on valid | "
    lines = [f"{head}gain over the default settings | seconds |", "|---" * 8 + "|"]
    for (sampler, n_trials), own in rows.groupby(["sampler", "n_trials"], sort=False):
        gains = (own["refitted"] - own["default"]).to_numpy()
        low, high = student(gains)
        interval = f" ({100 * low:+.2f} to {100 * high:+.2f})" if np.isfinite(low) else ""
        cells = [
            sampler,
            n_trials,
            len(own),
            *(f"{own[name].mean():.4f}" for name in ("best", "unseen", "refitted")),
            f"{100 * gains.mean():+.2f}{interval}",
            f"{own['seconds'].mean():.0f}",
        ]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)
