"""choose_threshold(): the decision threshold of a run's candidate, kept beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import RunError, TaskError
from workbench.measure.threshold import Threshold, decision_threshold
from workbench.recipe import Recipe
from workbench.runs.sealed import open_task
from workbench.runs.step_folders import EXPORTED, START, has_candidate, saved_outputs
from workbench.runs.valid_rows import limit_valid
from workbench.settings import VERSION
from workbench.system.files import read_json, write_json
from workbench.task import Task

if TYPE_CHECKING:
    from workbench.runs.trail import Trail

__all__ = ["FILE", "choose_threshold", "kept_threshold"]

FILE = "threshold.json"


def choose_threshold(
    trail: Trail,
    step: str = "",
    *,
    cost_false_positive: float = 1.0,
    cost_false_negative: float = 1.0,
    gain_true_positive: float = 0.0,
    gain_true_negative: float = 0.0,
    seed: int = 0,
) -> Threshold:
    """The decision threshold of a step's candidate for these costs, chosen on valid.

    It uses the outputs on valid that the run kept, and trains and runs nothing; test stays closed.
    `step` is the step's name in the ledger, the last one with a candidate by default. The result is
    written as `threshold.json` beside the candidate, where `Trail.threshold` finds it; an earlier
    one is replaced. A smoke run scored a part of valid, and the threshold is chosen on this part.

    Raises TaskError for a task that is not binary, RunError where the task or the outputs are not
    at hand or do not match, and the errors of `workbench.measure.threshold.decision_threshold`.
    """
    place = trail.folder_of(step)
    if not has_candidate(place):
        raise RunError(f"The step `{place.name}` made no candidate; name a step that made one.")
    task = _task_of(trail)
    rows = limit_valid(task, Recipe.of_run(trail.folder).options.budget).data.valid
    label = read_json(place / "step.json", _label, error=RunError)
    scored, outputs = _outputs(place, label)
    if len(outputs) != len(rows):
        raise RunError(
            f"The run kept {len(outputs):,} outputs on valid, and valid of `{task.name}` has "
            f"{len(rows):,} rows now: the task has changed since. Run the recipe again."
        )
    chosen = decision_threshold(
        outputs,
        np.asarray(rows.targets),
        cost_false_positive=cost_false_positive,
        cost_false_negative=cost_false_negative,
        gain_true_positive=gain_true_positive,
        gain_true_negative=gain_true_negative,
        blocks=rows.blocks,
        seed=seed,
    )
    _refuse_other_rows(place, scored, task, outputs, np.asarray(rows.targets))
    about = {"version": VERSION, "step": label, "split": "valid", "threshold": chosen.to_json()}
    write_json(place / FILE, about)
    return chosen


def kept_threshold(place: Path) -> Threshold:
    """The threshold that was kept in a step's folder; raises RunError where there is none."""
    if not (place / FILE).exists():
        raise RunError(
            f"No threshold was chosen for the step `{place.name}`. Choose one: `workbench "
            f"threshold {place.parent.parent.name} --cost-false-negative 10`."
        )
    return read_json(
        place / FILE, lambda about: Threshold.from_json(about["threshold"]), error=RunError
    )


def _task_of(trail: Trail) -> Task:
    """The task of the run; raises RunError where it is not at hand, TaskError if not binary."""
    task = trail.task or open_task(trail.folder / "private")
    if task is None:
        raise RunError(
            f"The task of {trail.folder.name} was made in Python and is not kept with the run. "
            "Hand it over: `wb.choose_threshold(wb.Trail(FOLDER, task=task), "
            "cost_false_negative=10)`."
        )
    if task.kind != "binary":
        raise TaskError(
            f"A decision threshold is for tasks of kind binary, and `{task.name}` is of kind "
            f"{task.kind}."
        )
    return task


def _outputs(place: Path, label: str) -> tuple[str, np.ndarray]:
    """The kept outputs on valid of the file that a step ships, with the label of their row.

    Those of a start are those of its ONNX file, where it has one.
    """
    labels = (EXPORTED, START) if label == START else (label,)
    for name in labels:
        outputs = saved_outputs(place, name)
        if outputs is not None:
            return name, outputs
    raise RunError(
        f"{place / f'valid-{label}.npy'} is missing: the outputs on valid that a threshold is "
        "chosen on. Run the recipe again."
    )


def _refuse_other_rows(
    place: Path, label: str, task: Task, outputs: np.ndarray, targets: np.ndarray
) -> None:
    """Raise RunError where the kept outputs do not have the score that the run wrote down."""
    rows = read_json(place / "step.json", lambda about: list(about["rows"]), error=RunError)
    written = [row.get("quality") for row in rows if row.get("step") == label]
    score = task.metric(outputs, targets)
    if not any(value is not None and np.isclose(score, value, atol=1e-9) for value in written):
        raise RunError(
            f"On valid of `{task.name}` the kept outputs have {task.metric.name} {score:.4g}, and "
            "the run wrote another score: these are not the rows of the run. Give the task with "
            "the data and the seed of the run."
        )


def _label(about: Mapping[str, Any]) -> str:
    return str(about["label"])
