"""Trials of one and of two processes in the same time: `tests.benchmarks.tuning workers`."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from workbench.tasks import load_task
from workbench.technique import Job
from workbench.techniques import get_technique

__all__ = ["workers"]

FIT = {"precision": "fp32", "memory_format": "contiguous"}
SPACE = {"fit.lr": {"low": 0.0005, "high": 0.02, "log": True}}  # all points cost the same
ROUNDS = 2


def trials_of(n_workers: int, seconds: float, seed: int) -> int:
    """The number of trials of digits/cnn that are complete after some seconds of search."""
    task = load_task("digits").without_test()
    start, _ = task.candidate("cnn", seed=seed)
    tuning = get_technique("tuning")
    settings = tuning.settings(
        budget="smoke",
        n_trials=10_000,
        timeout=seconds,
        sampler="random",
        n_workers=n_workers,
        space=SPACE,
        fit=FIT,
    )
    with TemporaryDirectory() as folder:
        outcome = tuning(Job(task, start, Path(folder), seed=seed), settings)
    return int(outcome.evidence["trials"]["score"].notna().sum())


def workers(seconds: float) -> str:
    """The trials of each number of workers, in turn, and their ratio, as Markdown."""
    rows = ["| round | one worker | two workers | ratio |", "|---" * 4 + "|"]
    for number in range(1, ROUNDS + 1):
        one, two = (trials_of(n, seconds, number) for n in (1, 2))
        rows.append(f"| {number} | {one} | {two} | {two / one:.2f} |")
    return "\n".join(rows)
