"""Regularization where it is needed: `python -m tests.benchmarks.regularization images|texts`.

`images`: convnet on 200 images of fashion without augmentation. `texts`: text_cnn on 1,000
sentences of reviews. The strength is chosen by the one-standard-error rule on folds of the train
rows. Then it is fixed, and each of five seeds trains the network with and without the switches.
Valid gives the gain with its interval over the seeds, test is looked at once a seed.

The second word runs a part alone: `seeds` with strength 1, the switches as `SETTINGS` fixes them,
or `switches`, which compares them one at a time.
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench.measure.statistics.intervals import student
from workbench.model_form import Training, form_named
from workbench.runs.jobs import builder_for
from workbench.runtimes.outputs import outputs_on
from workbench.system.wording import difference_text, interval_text
from workbench.task import Candidate, Task
from workbench.tasks import load_task
from workbench.technique import Job
from workbench.techniques import get_technique

SEEDS = 5
VALUES = (0.0, 0.5, 1.0, 2.0)
FIXED = {"precision": "fp32", "memory_format": "contiguous"}
TO_THE_END = {"patience": 1000, "restore_best": False}  # too few rows to stop early by
SETTINGS: dict[str, dict[str, Any]] = {
    "images": {
        "dropout": 0.2,
        "label_smoothing": 0.1,
        "weight_decay": 0.05,
        "augment": "flips_and_crops",
        "averaging": "ema",
        "epochs": 60,
        "lr": 0.005,
        "batch_size": 32,
        **TO_THE_END,
        **FIXED,
    },
    "texts": {
        "dropout": 0.4,
        "label_smoothing": 0.1,
        "weight_decay": 0.1,
        "averaging": "ema",
        "epochs": 15,
        "batch_size": 64,
        **TO_THE_END,
        **FIXED,
    },
}


def task_of(name: str) -> Task:
    """The task with few train rows and no augmentation."""
    task = load_task("fashion" if name == "images" else "reviews")
    n = 200 if name == "images" else 1000
    data = dataclasses.replace(task.data, train=task.data.train.take(slice(0, n)))
    return dataclasses.replace(task, data=data, augment=None, fits={})


def job_of(task: Task, name: str, seed: int, folder: Path) -> Job:
    """A job that starts from the network with weights of `seed`, trained for one step."""
    start, _ = task.candidate(name, seed=seed)
    start = dataclasses.replace(start, fit={**FIXED, "max_steps": 1})
    trained = form_named("torch").fit(start, task.without_test(), Training("smoke", seed))
    trained = dataclasses.replace(trained, fit={})
    few = dataclasses.replace(task.data, valid=task.data.valid.take(slice(0, 100)))  # for curves
    return Job(
        dataclasses.replace(task, data=few).without_test(),
        trained,
        folder / str(seed),
        build=builder_for(trained, task),
        seed=seed,
        cache=folder / "cache",
    )


def scores(candidate: Candidate, task: Task) -> dict[str, float]:
    """The score on train, valid and test; test is looked at here alone."""
    return {
        split: float(task.metric(outputs_on(candidate, rows), np.asarray(rows.targets)))
        for split, rows in task.data.named().items()
        if split != "calibration"
    }


def told(values: np.ndarray) -> str:
    """The mean of differences with its interval over the seeds."""
    low, high = student(values)
    mean = difference_text(float(values.mean()), "points")
    return f"{mean} ({interval_text(low, high, signed=True)})"


def choice(task: Task, network: str, fit: dict[str, Any], folder: Path) -> float:
    """The strength by the one-standard-error rule; 1 where it chooses none at all."""
    technique = get_technique("regularization")
    job = job_of(task, network, 0, folder)
    tables = technique.actions["sweep"](job, technique.settings(fit=fit, n_seeds=3), values=VALUES)
    print(tables["summary"].round(4).to_string(index=False))
    print(tables["choice"]["sentence"][0])
    return float(tables["choice"]["chosen"][0]) or 1.0


def switches(task: Task, network: str, fit: dict[str, Any], folder: Path) -> None:
    """Print the gain of each switch on folds of train."""
    technique = get_technique("regularization")
    job = job_of(task, network, 0, folder)
    tables = technique.actions["switches"](job, technique.settings(fit=fit, n_seeds=3))
    print(tables["gains"].round(4).to_string(index=False))


def seeds(task: Task, network: str, fit: dict[str, Any], strength: float, folder: Path) -> None:
    """Print the scores of each seed with and without the switches, the gain and the gaps."""
    technique = get_technique("regularization")
    rows = []
    for seed in range(SEEDS):
        job = job_of(task, network, seed, folder)
        job.folder.mkdir(parents=True)
        outcome = technique(job, technique.settings(strength=strength, fit=fit))
        for training, candidate in (
            ("regularized", outcome.candidate),
            ("control", outcome.control),
        ):
            rows.append({"seed": seed, "training": training, **scores(candidate, task)})
            print(rows[-1], flush=True)
    wide = pd.DataFrame(rows).pivot(index="seed", columns="training")
    for split in ("valid", "test"):
        gain = (wide[split]["regularized"] - wide[split]["control"]).to_numpy()
        print(f"gain on {split}: {told(gain)}")
        for training in ("control", "regularized"):
            gap = (wide["train"][training] - wide[split][training]).to_numpy()
            print(f"gap of {training} to {split}: {told(gap)}")


def main() -> None:
    name, *parts = sys.argv[1:] or ["images"]
    network = "convnet" if name == "images" else "text_cnn"
    task, folder, fit = task_of(name), Path(tempfile.mkdtemp()), SETTINGS[name]
    strength = 1.0 if parts else choice(task, network, fit, folder)
    if "seeds" in parts or not parts:
        seeds(task, network, fit, strength, folder)
    if "switches" in parts or not parts:
        switches(task, network, fit, folder)


if __name__ == "__main__":
    main()
