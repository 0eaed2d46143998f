"""Samplers replayed on surrogates of recorded trainings, and the winner's curse of the records.

A trial costs no training here, so that each sampler is replayed with many seeds. What a sampler
sees is the surrogate's score plus the noise of a training; what counts is the surrogate's score on
unseen rows of the point that looked best.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.benchmarks.tuning.problems import PROBLEMS, Problem
from tests.benchmarks.tuning.surrogate import Surrogate
from workbench.measure.statistics.intervals import student
from workbench.settings.spaces import Space
from workbench.techniques.tuning.samplers import make_sampler

__all__ = ["METHODS", "curses", "replays"]

FILES = Path(__file__).parents[3] / "workbench" / "techniques" / "tuning" / "files"
N_TRIALS = 50
SHORTER = {"gp": 30}  # a Gaussian process takes half a second for a proposal, and longer later
N_SEEDS = 20
SHOWN = (1, 2, 3, 5, 7, 10, 15, 20, 25, 30, 40, 50)
N_SEARCHES = 1_000  # of the winner's curse
SEARCH_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 400)

Objective = Callable[[dict[str, Any]], float]
Method = Callable[[Space, int, int, Objective], None]


def _grid(space: Space, seed: int, n_trials: int, objective: Objective) -> None:
    """All points of the smallest grid with enough of them, in a random order."""
    for n_values in range(2, 20):
        points = space.grid(n_values, n_per_int=n_values, limit=1_000_000)
        if len(points) >= n_trials:
            break
    random.Random(seed).shuffle(points)
    for point in points[:n_trials]:
        objective(point)


def _optuna(name: str, space: Space, seed: int, n_trials: int, objective: Objective) -> None:
    """A sampler of Optuna with the settings that `tuning` gives it."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", sampler=make_sampler(name, seed, n_trials))
    study.optimize(lambda trial: objective(space.suggest(trial)), n_trials=n_trials)


def _hyperopt(space: Space, seed: int, n_trials: int, objective: Objective) -> None:
    """Hyperopt's TPE with the distributions that `tuning` gives it."""
    from hyperopt import Trials, fmin, hp, tpe

    from workbench.techniques.tuning.hyperopt_points import as_queued, expression_of

    def loss(drawn: dict[str, Any]) -> float:
        return -objective(space.of_trial(as_queued(space, drawn)))

    fmin(
        loss,
        {p.name: expression_of(hp, p) for p in space.searched},
        algo=partial(tpe.suggest, n_startup_jobs=10),
        max_evals=n_trials,
        rstate=np.random.default_rng(seed),
        trials=Trials(),
        show_progressbar=False,
        verbose=False,
    )


METHODS: dict[str, Method] = {
    "grid": _grid,
    "random": partial(_optuna, "random"),
    "tpe": partial(_optuna, "tpe"),
    "gp": partial(_optuna, "gp"),
    "hyperopt_tpe": _hyperopt,
}


def replays(names: list[str], methods: list[str]) -> None:
    """Replay the methods on the problems and write their rows of `replays.csv`."""
    for name in names:
        surrogate = Surrogate.of(PROBLEMS[name])
        shown = ", ".join(f"{r:.2f}" for r in surrogate.r2)
        print(f"{name}: R2 of score and unseen score {shown}, noise {surrogate.noise:.4f}")
        for method in methods:
            runs = np.stack([_one(method, surrogate, seed) for seed in range(N_SEEDS)])
            _write("replays.csv", pd.DataFrame(_rows(runs, name, method)), ["task", "method"])
            print(f"{name} {method}: {runs[:, -1, 1].mean():.4f} after {runs.shape[1]}", flush=True)


def _one(method: str, surrogate: Surrogate, seed: int) -> np.ndarray:
    """Best score so far as it was seen, and that point's unseen score `(trials, 2)`."""
    rng = np.random.default_rng([seed, 1])
    seen: list[tuple[float, float]] = []

    def objective(point: dict[str, Any]) -> float:
        score, unseen = surrogate.at(point)
        noisy = score + surrogate.noise * float(rng.standard_normal())
        seen.append((noisy, unseen))
        return noisy

    n_trials = SHORTER.get(method, N_TRIALS)
    METHODS[method](surrogate.space, seed, n_trials, objective)
    scores = np.array(seen)
    leaders = [int(np.argmax(scores[: n + 1, 0])) for n in range(len(scores))]
    return scores[leaders]


def _rows(runs: np.ndarray, task: str, method: str) -> Iterator[dict[str, Any]]:
    """A row for each number of trials, with the interval of the mean over seeds."""
    for n_trials in [n for n in SHOWN if n <= runs.shape[1]]:
        seen, unseen = runs[:, n_trials - 1, 0], runs[:, n_trials - 1, 1]
        low, high = student(unseen)
        yield {
            "task": task,
            "method": method,
            "n_trials": n_trials,
            "mean": round(float(unseen.mean()), 5),
            "low": round(low, 5),
            "high": round(high, 5),
            "seen": round(float(seen.mean()), 5),
        }


def curses(names: list[str]) -> None:
    """Write `curses.csv`: the best of n recorded random points, and its score on unseen rows."""
    for name in names:
        _write("curses.csv", pd.DataFrame(_curse(PROBLEMS[name])), ["task"])


def _curse(problem: Problem) -> Iterator[dict[str, Any]]:
    """A row for each number of trials: means over many random searches, 95 % of them between.

    No surrogate takes part.
    """
    table = pd.read_csv(problem.table).drop_duplicates("number")
    score, unseen = table["score"].to_numpy(), table["unseen"].to_numpy()
    rng = np.random.default_rng(0)
    orders = np.stack([rng.permutation(len(table)) for _ in range(N_SEARCHES)])
    for n_trials in SEARCH_SIZES:
        tried = orders[:, :n_trials]
        best = tried[np.arange(N_SEARCHES), score[tried].argmax(axis=1)]
        low, high = np.quantile(unseen[best], [0.025, 0.975])
        yield {
            "task": problem.name,
            "n_trials": n_trials,
            "score": round(float(score[best].mean()), 5),
            "unseen": round(float(unseen[best].mean()), 5),
            "unseen_low": round(float(low), 5),
            "unseen_high": round(float(high), 5),
        }


def _write(file: str, rows: pd.DataFrame, keys: list[str]) -> None:
    """Put rows into a table in place of those with the same keys."""
    path = FILES / file
    path.parent.mkdir(exist_ok=True)
    if path.exists():
        kept = pd.read_csv(path)
        new = set(map(tuple, rows[keys].to_numpy()))
        kept = kept[[tuple(row) not in new for row in kept[keys].to_numpy()]]
        rows = pd.concat([kept, rows], ignore_index=True)
    order = {"task": list(PROBLEMS), "method": list(METHODS)}
    rank = {key: rows[key].map({v: i for i, v in enumerate(order[key])}) for key in keys}
    rows = rows.assign(**{f"_{key}": values for key, values in rank.items()})
    rows = rows.sort_values([*(f"_{k}" for k in keys), "n_trials"], kind="stable")
    rows = rows.drop(columns=[f"_{key}" for key in keys])
    rows.to_csv(path, index=False, lineterminator="\n")
