"""Tables with mixed types, and tasks of them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from workbench.data.prepare import Columns
from workbench.data.rows import Rows
from workbench.model_form import Training, form_named
from workbench.task import Candidate, Task
from workbench.tasks.make import make_task
from workbench.technique import Job, Outcome
from workbench.techniques import get_technique

FIT = {"max_steps": 200, "lr": 0.01, "precision": "fp32", "memory_format": "contiguous"}
WORDS = ("delay", "refund", "great", "broken", "late", "fast", "box", "blue")


def mixed_frame(n: int = 400, seed: int = 0) -> pd.DataFrame:
    """Numbers with gaps, categories, many categories, dates, texts, and columns of no use."""
    rng = np.random.default_rng(seed)
    number = rng.normal(size=n)
    shop = rng.integers(0, 60, n)
    day = rng.integers(0, 365, n)
    is_bad = rng.random(n) < 0.4
    words = [
        " ".join([*rng.choice(WORDS, 4), *(["refund broken"] if bad else ["great fast"])])
        for bad in is_bad
    ]
    logit = number + 2.0 * is_bad + 1.5 * np.sin(2 * np.pi * day / 365) + 0.8 * (shop % 3 == 0)
    target = (logit + rng.normal(scale=0.5, size=n) > 1.0).astype(int)
    frame = pd.DataFrame(
        {
            "number": np.where(rng.random(n) < 0.1, np.nan, number),
            "count": rng.integers(0, 9, n),
            "colour": rng.choice(["red", "green", "blue"], n),
            "shop": [f"shop {i}" for i in shop],
            "date": pd.Timestamp("2023-01-01") + pd.to_timedelta(day, unit="D"),
            "review": words,
            "constant": 1.0,
            "empty": np.nan,
            "target": target,
        }
    )
    frame.loc[::17, "colour"] = None
    frame.loc[::23, "date"] = pd.NaT
    frame.loc[::29, "review"] = None
    return frame


class FirstColumns:
    """A `prepare` to start from: the numbers and the colours alone."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns

    @classmethod
    def fitted(cls, train: Rows) -> FirstColumns:
        inputs = {name: train.inputs[name] for name in ("number", "count")}
        return cls(Columns.fitted(Rows(inputs, train.targets)))

    def __call__(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return self.columns(inputs)


def net(n_inputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(n_inputs, 16), nn.ReLU(), nn.Linear(16, 1))


@cache
def mixed_task() -> Task:
    """The mixed table with the network `net` behind two of its columns."""
    return make_task(
        "mixed",
        model=net,
        train=mixed_frame(),
        target="target",
        prepare=FirstColumns,
        metric="accuracy",
    )


@cache
def baseline_task() -> Task:
    """The mixed table with the baselines that the house makes for it."""
    return make_task("mixed", train=mixed_frame(), target="target", metric="accuracy")


def trained(task: Task, model: str = "") -> Candidate:
    candidate, is_trained = task.candidate(model)
    if is_trained:
        return candidate
    if candidate.form == "torch":
        candidate = replace(candidate, fit=FIT)
    return form_named(candidate.form).fit(candidate, task.without_test(), Training("smoke"))


def job_of(task: Task, folder: Path, model: str = "", **values: Any) -> Job:
    return Job(task.without_test(), trained(task, model), folder, **values)


def features(job: Job, **settings: Any) -> Outcome:
    technique = get_technique("features")
    return technique(job, technique.settings(**{"budget": "smoke", **settings}))
