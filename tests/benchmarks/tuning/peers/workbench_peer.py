"""The technique `tuning` with a time limit and otherwise its default settings."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from tests.benchmarks.tuning.peers.handoff import Handoff
from workbench.events import Event, Report
from workbench.models.estimators import as_features
from workbench.task import Candidate
from workbench.tasks import load_task
from workbench.technique import Job
from workbench.techniques import get_technique

N_TRIALS = 100_000  # the most that are allowed: the time limit ends the search


class Clock:
    """Listens for the trainings after the search: that of the best point, and of the control."""

    def __init__(self) -> None:
        self.fits: list[float] = []

    def __call__(self, event: Event) -> None:
        if event.kind == "message" and event.data["text"].startswith("Fitting"):
            self.fits.append(event.time)


def main() -> None:
    work = Handoff.from_command_line()
    task = load_task("flights").without_test()
    start, _ = task.candidate("boosting")
    clock, tuning = Clock(), get_technique("tuning")
    job = Job(task, start, work.made, seed=work.seed, report=Report(clock))
    settings = tuning.settings(n_trials=N_TRIALS, timeout=work.seconds)
    began = time.time()
    outcome = tuning(job, settings)
    ended = time.time()
    assert outcome.candidate is not None
    trials = outcome.evidence["trials"]
    complete = trials[trials["state"] == "complete"]
    best = complete.loc[complete["score"].idxmax()]
    if outcome.control is not None:
        np.save(work.made / "default.npy", _probabilities(outcome.control, task))
    refitted = (clock.fits[1:2] or [ended])[0]
    work.give_back(
        _probabilities(outcome.candidate, task),
        trials=len(trials),
        stopped_early=int((trials["state"] == "pruned").sum()),
        search_seconds=clock.fits[0] - began,
        refit_seconds=refitted - clock.fits[0],
        control_seconds=ended - refitted,
        learner="boosting",
        best=float(best["score"]),
        point={n: v for n, v in best.items() if str(n).startswith("estimator.")},
        sampler=outcome.resolved.flat()["sampler"],
    )


def _probabilities(candidate: Candidate, task: Any) -> np.ndarray:
    return candidate.model.predict_proba(as_features(task.data.valid.inputs))[:, 1]


if __name__ == "__main__":
    main()
