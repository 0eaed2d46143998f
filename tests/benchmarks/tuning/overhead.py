"""Seconds of 200 trials of an objective that costs nothing: of the loop, not of training."""

from __future__ import annotations

import statistics
import time
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from workbench.events import Report
from workbench.settings.spaces import Space
from workbench.tasks import load_task
from workbench.technique import Job
from workbench.techniques import get_technique
from workbench.techniques.tuning.problem import Problem, Score
from workbench.techniques.tuning.samplers import make_sampler
from workbench.techniques.tuning.search import Search

__all__ = ["compared", "our_seconds", "plain_seconds"]

N_TRIALS = 200
SPACE = Space.of({f"fit.x{i}": {"low": 0.0, "high": 1.0} for i in range(5)})


def plain_seconds(sampler: str = "tpe", n_trials: int = N_TRIALS) -> float:
    """Seconds of plain Optuna on a journal file, with the sampler that `tuning` makes."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "journal.log"
        storage = JournalStorage(JournalFileBackend(str(path)))
        study = optuna.create_study(storage=storage, sampler=make_sampler(sampler, 0, n_trials))
        began = time.perf_counter()
        study.optimize(lambda trial: sum(SPACE.suggest(trial).values()), n_trials=n_trials)
        return time.perf_counter() - began


class Costless(Problem):
    """A problem whose score costs nothing."""

    @cached_property
    def space(self) -> Space:
        return SPACE

    @cached_property
    def folds(self) -> list[Any]:
        return []

    @property
    def default(self) -> None:
        return None

    def score(self, point: Any, report: Report, heard: Any = None, *, into: Any = None) -> Score:
        score = Score() if into is None else into
        score.folds.append(sum(point.values()))
        return score


def our_seconds(sampler: str = "tpe", n_trials: int = N_TRIALS) -> float:
    """Seconds of the search of `tuning` with the same sampler, objective and kind of storage."""
    tuning = get_technique("tuning")
    task = load_task("digits")
    candidate, _ = task.candidate("cnn")
    settings = tuning.settings(n_trials=n_trials, sampler=sampler, trial_pruner="none")
    with TemporaryDirectory() as folder:
        job = Job(task.without_test(), candidate, Path(folder))
        search = Search(Costless(job, job.resolved(settings)))
        search.prepare()
        began = time.perf_counter()
        search.run(Report())
        return time.perf_counter() - began


def compared(sampler: str = "tpe", n_rounds: int = 5) -> str:
    """Both in turn, and the median ratio of ours to plain Optuna."""
    ratios = []
    for _ in range(n_rounds):
        plain, ours = plain_seconds(sampler), our_seconds(sampler)
        ratios.append(ours / plain)
        print(f"plain {plain:.2f} s, ours {ours:.2f} s: {ratios[-1]:.3f}")
    return f"{sampler}: {statistics.median(ratios):.3f} of plain Optuna"
