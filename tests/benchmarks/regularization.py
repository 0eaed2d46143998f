"""Regularization where it is needed: `python -m tests.benchmarks.regularization [images|texts]`.

`images`: convnet on 500 images of fashion without augmentation. `texts`: text_cnn on 1,000
sentences of reviews. The strength is chosen by the one-standard-error rule on folds of the train
rows. Then it is fixed, and each of five seeds trains the network with and without the switches.
Valid gives the gain with its interval over the seeds, test is looked at once a seed.
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench.ledger.appraise import outputs_on
from workbench.measure.statistics.intervals import student
from workbench.model_form import Training, form_named
from workbench.runs.jobs import builder_for
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
        "mixup": 0.2,
        "weight_decay": 0.05,
        "augment": "flips_and_crops",
        "epochs": 40,
        "batch_size": 64,
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
    n = 500 if name == "images" else 1000
    data = dataclasses.replace(task.data, train=task.data.train.take(slice(0, n)))
    return dataclasses.replace(task, data=data, augment=None, fits={})


def job_of(task: Task, name: str, seed: int, folder: Path) -> Job:
    """A job that starts from the network with weights of `seed`, trained for one step."""
    start, _ = task.candidate(name, seed=seed)
    start = dataclasses.replace(start, fit={**FIXED, "max_steps": 1})
    trained = form_named("torch").fit(start, task.without_test(), Training("smoke", seed))
    trained = dataclasses.replace(trained, fit={})
    return Job(
        task.without_test(),
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


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "images"
    network = "convnet" if name == "images" else "text_cnn"
    technique = get_technique("regularization")
    task, folder = task_of(name), Path(tempfile.mkdtemp())
    fit = SETTINGS[name]
    chosen = technique.settings(fit=fit, n_seeds=3)
    job = job_of(task, network, 0, folder)
    tables = technique.actions["sweep"](job, chosen, values=VALUES)
    print(tables["summary"].round(4).to_string(index=False))
    print(tables["choice"]["sentence"][0])
    strength = float(tables["choice"]["chosen"][0]) or 1.0
    gains = technique.actions["switches"](job, technique.settings(fit=fit, n_seeds=3))["gains"]
    print(gains.round(4).to_string(index=False))
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
    table = pd.DataFrame(rows)
    print(table.round(4).to_string(index=False))
    wide = table.pivot(index="seed", columns="training")
    for split in ("valid", "test"):
        gain = (wide[split]["regularized"] - wide[split]["control"]).to_numpy()
        print(f"gain on {split}: {told(gain)}")
        for training in ("control", "regularized"):
            gap = (wide["train"][training] - wide[split][training]).to_numpy()
            print(f"gap of {training} to {split}: {told(gap)}")


if __name__ == "__main__":
    main()
