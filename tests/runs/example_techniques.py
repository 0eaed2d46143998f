"""Tiny techniques, one for each path of the runner; every job that they get is noted in `JOBS`."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.data.rows import Rows
from workbench.runtimes.outputs import outputs_of
from workbench.settings import TechniqueSettings, knob
from workbench.technique import Decision, Job, Needs, Outcome, technique

__all__ = ["JOBS", "NAMES", "Seen"]


@dataclass(frozen=True)
class Seen:
    """A job as a technique saw it: `outputs` are those of the start on a few valid rows."""

    technique: str
    job: Job
    outputs: np.ndarray | None


JOBS: list[Seen] = []


class PlainSettings(TechniqueSettings):
    """One number."""

    factor: float = knob(0.5, low=0.0, high=2.0)
    """Factor for all weights."""


class ChallengeSettings(TechniqueSettings):
    """The candidate to compare with."""

    challenger: str = knob("small")
    """Candidate that may replace the start."""


class WindowSettings(TechniqueSettings):
    """The rows to look at."""

    window: str = knob("window")
    """Rows to compare with train."""


def _note(name: str, job: Job) -> None:
    job.report.progress(0, 1, name)
    outputs = None
    if job.start is not None and job.task is not None:
        rows = job.task.data.valid.take(slice(0, 5)).prepared(job.start.prepare)
        outputs = outputs_of(job.start, rows.inputs)
    JOBS.append(Seen(name, job, outputs))


def _scaled(job: Job, name: str, settings: PlainSettings, **values: Any) -> Outcome:
    import pandas as pd

    model = copy.deepcopy(job.start.model)
    for parameter in model.parameters():
        parameter.data.mul_(settings.factor)
    candidate = job.start.child(f"{job.start.name}-{name}", name, model=model)
    table = pd.DataFrame({"factor": [settings.factor]})
    return Outcome(candidate, settings, evidence={"factor": table}, **values)


@technique("scaled", title="Scaled", accepts=("torch",))
def scaled(job: Job, settings: PlainSettings) -> Outcome:
    """Multiplies all weights of a network."""
    _note("scaled", job)
    return _scaled(job, "scaled", settings, notes=("Scaled.",))


@technique("tuned", title="Tuned", accepts=("torch",))
def tuned(job: Job, settings: PlainSettings) -> Outcome:
    """Chooses settings of training, with which the same network is trained anew."""
    _note("tuned", job)
    return Outcome(job.start.child("tuned", "tuned", trains_anew=True), settings)


@technique("approved", title="Approved", accepts=("torch",))
def approved(job: Job, settings: PlainSettings) -> Outcome:
    """Multiplies all weights of a network, and decides."""
    _note("approved", job)
    decision = Decision("promote", "The new network is good enough.", {"factor": settings.factor})
    return _scaled(job, "approved", settings, decision=decision)


@technique("untimed", title="Untimed", accepts=("torch",), needs=Needs(timing=False))
def untimed(job: Job, settings: PlainSettings) -> Outcome:
    """Multiplies all weights of a network, whose speed does not change."""
    _note("untimed", job)
    return _scaled(job, "untimed", settings)


@technique("refitted", title="Refitted", accepts=("sklearn",))
def refitted(job: Job, settings: PlainSettings) -> Outcome:
    """Fits an estimator again, on half of the rows."""
    from workbench.models.estimators import as_features, unfitted

    _note("refitted", job)
    rows = job.task.data.train
    half = rows.take(slice(0, len(rows) // 2))
    model = unfitted(job.start.model).fit(as_features(half.inputs), half.targets)
    return Outcome(job.start.child("refitted", "refitted", model=model), settings)


@technique("checked", title="Checked", accepts=("torch", "sklearn", "onnx"), gives=None)
def checked(job: Job, settings: TechniqueSettings) -> Outcome:
    """Decides that all is well."""
    _note("checked", job)
    decision = Decision("keep", "Nothing has changed.", {"rows": 5}, "Look again tomorrow.")
    return Outcome(None, settings, decision=decision, notes=("Checked.",))


@technique("chosen", title="Chosen", accepts=("torch",), gives=None, references=("challenger",))
def chosen(job: Job, settings: ChallengeSettings) -> Outcome:
    """Decides for the challenger."""
    _note("chosen", job)
    decision = Decision("replace", "The challenger is smaller.", goes_on=settings.challenger)
    return Outcome(None, settings, decision=decision)


@technique(
    "inspected",
    title="Inspected",
    accepts=("torch", "sklearn"),
    gives=None,
    needs=Needs(trained_start=False, timing=False, test=False),
)
def inspected(job: Job, settings: TechniqueSettings) -> Outcome:
    """Decides by the structure of the model, which need not be trained."""
    _note("inspected", job)
    return Outcome(None, settings, decision=Decision("small", "The model is small."))


@technique(
    "rebuilt",
    title="Rebuilt",
    accepts=("torch",),
    needs=Needs(trained_start=False, timing=False, builder=True),
)
def rebuilt(job: Job, settings: TechniqueSettings) -> Outcome:
    """Builds the network anew and trains it."""
    from workbench.training import FitSettings, fit

    _note("rebuilt", job)
    plain = FitSettings(max_steps=60, lr=0.02, precision="fp32", memory_format="contiguous")
    fitted = fit(job.build(), job.task, plain.resolved("smoke"), seed=job.seed)
    return Outcome(job.start.child("rebuilt", "rebuilt", model=fitted.model), settings)


@technique(
    "watched",
    title="Watched",
    accepts=("torch", "sklearn"),
    gives=None,
    needs=Needs(trained_start=False, timing=False, test=False),
    data=("window",),
)
def watched(job: Job, settings: WindowSettings) -> Outcome:
    """Decides by further rows, of one window or of a stream of them."""
    _note("watched", job)
    data = job.data[settings.window]
    windows = [data] if isinstance(data, Rows) else list(data)
    numbers = {f"first label {n}": float(rows.targets[0]) for n, rows in enumerate(windows)}
    return Outcome(None, settings, decision=Decision("same", "No drift.", numbers))


@technique(
    "counted",
    title="Counted",
    accepts=(),
    gives=None,
    needs=Needs(task=False, start=False, trained_start=False, timing=False, test=False),
    data=("window",),
)
def counted(job: Job, settings: WindowSettings) -> Outcome:
    """Decides by a log alone, without a task and a model."""
    _note("counted", job)
    n_rows = len(job.data[settings.window])
    return Outcome(None, settings, decision=Decision("enough", "There are rows.", {"n": n_rows}))


def _declared() -> Iterator[str]:
    from workbench.technique import Technique

    yield from (value.name for value in globals().values() if isinstance(value, Technique))


NAMES = tuple(_declared())
