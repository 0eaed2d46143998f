"""Scores of a model on the rows that a fold of train holds out."""

from __future__ import annotations

import numpy as np

from workbench.data.cut import taken
from workbench.errors import TaskError, WorkbenchError, sentence_of
from workbench.events import Report
from workbench.measure.statistics.quality import check_outputs
from workbench.metrics import Metric
from workbench.runtimes.outputs import outputs_on
from workbench.task import Candidate, Task

__all__ = ["fold_seed", "held_out_values"]


def held_out_values(
    trained: Candidate, task: Task, held: np.ndarray, text: str, report: Report
) -> list[float]:
    """The value of each metric of the task on the train rows `held`; `text` names the fold.

    Raises TaskError for a metric that is not defined or not finite on these rows.
    """
    rows = taken(task.data.train, held)
    outputs, targets = outputs_on(trained, rows, report.silent()), np.asarray(rows.targets)
    check_outputs(outputs, targets)
    return [_value(metric, outputs, targets, text) for metric in task.metrics]


def _value(metric: Metric, outputs: np.ndarray, targets: np.ndarray, text: str) -> float:
    try:
        value = metric(outputs, targets)
    except WorkbenchError:
        raise
    except Exception as error:  # scikit-learn's for a score that is not defined, or the user's code
        raise TaskError(
            f"`{metric.name}` is not defined on the {len(targets):,} held-out rows of {text}: "
            f"{sentence_of(error)} Use fewer folds, or another metric."
        ) from error
    if not np.isfinite(value):
        raise TaskError(
            f"`{metric.name}` is {value} on the {len(targets):,} held-out rows of {text}: use "
            "fewer folds, or another metric."
        )
    return value


def fold_seed(seed: int, number: int) -> int:
    """The seed of a fold's training: another one in each fold, as small as torch takes."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0] >> 1)
