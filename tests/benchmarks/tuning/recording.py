"""Real trainings at random points of a space, recorded one by one in a table.

The score is that of a fifth of the train rows, held out from training; the unseen score is that of
the task's valid rows. The best points are trained again with other seeds, which tells the noise of
a training.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tests.benchmarks.tuning.problems import Problem
from workbench.data.cut import taken
from workbench.data.folds import fold_indices
from workbench.events import Report
from workbench.measure.anew import Anew
from workbench.metrics import like_targets
from workbench.runtimes.outputs import predict_rows
from workbench.task import Candidate, Task

__all__ = ["N_POINTS", "N_REPEATED", "SEEDS", "record", "score_on"]

N_POINTS = 560
N_REPEATED = 20  # the best points, each trained with two more seeds
SEEDS = (0, 1, 2)
SPACE_SEED = 12
RESULTS = ("score", "unseen", "seconds")


def record(problem: Problem, limit: int | None = None) -> None:
    """Append the trainings that the table lacks, at most `limit` of them."""
    task = problem.load()
    names = [*problem.read_space().names]
    header = ["number", "seed", *names, *RESULTS]
    if not problem.table.exists():
        problem.table.parent.mkdir(exist_ok=True)
        problem.table.write_text(",".join(header) + "\n", encoding="utf-8")
    n_done = len(pd.read_csv(problem.table))
    last = N_POINTS + N_REPEATED * (len(SEEDS) - 1)
    for row in range(n_done, last if limit is None else min(last, n_done + limit)):
        number, seed = _training(problem, row)
        point = _point(problem, number)
        result = _trained(problem, task, point, seed)
        with problem.table.open("a", newline="", encoding="utf-8") as file:
            values = [number, seed, *(_short(point[name]) for name in names), *map(_short, result)]
            csv.writer(file, lineterminator="\n").writerow(values)
        if row % 20 == 0:
            print(f"{problem.name}: {row + 1} of {last}, score {result[0]:.4f}", flush=True)


def _training(problem: Problem, row: int) -> tuple[int, int]:
    """The number of the point, and the seed, of a row of the table."""
    if row < N_POINTS:
        return row, SEEDS[0]
    table = pd.read_csv(problem.table).iloc[:N_POINTS]
    best = table.sort_values("score", ascending=False, kind="stable")["number"][:N_REPEATED]
    place, repeat = divmod(row - N_POINTS, len(SEEDS) - 1)
    return int(best.iloc[place]), SEEDS[1 + repeat]


def _point(problem: Problem, number: int) -> dict[str, Any]:
    """The random point of a number, with its numbers as the table holds them."""
    space = problem.read_space()
    drawn = space.sample(np.random.default_rng([SPACE_SEED, number]))
    return space.normal({name: _short(value) for name, value in drawn.items()})


def _short(value: Any) -> Any:
    return float(f"{value:.5g}") if isinstance(value, float) else value


def _trained(
    problem: Problem, task: Task, point: Mapping[str, Any], seed: int
) -> tuple[float, float, float]:
    """The score on held-out train rows, that on valid, and the seconds of the training."""
    ((train, held),) = fold_indices(task.data.train, task.kind, 1)
    began = time.perf_counter()
    anew = Anew.of(problem.candidate(task, point, seed), task)
    trained, _ = anew.trained(train, budget="standard", seed=seed, device="cpu", report=Report())
    seconds = time.perf_counter() - began
    held_rows = taken(task.data.train, held)
    return score_on(trained, task, held_rows), score_on(trained, task, task.data.valid), seconds


def score_on(candidate: Candidate, task: Task, rows: Any) -> float:
    """The deciding metric of a trained candidate on rows of the task."""
    outputs = predict_rows(candidate, rows.prepared(candidate.prepare))
    targets = np.asarray(rows.targets)
    return float(task.metric(like_targets(outputs, targets), targets))
