"""The control: the same student with and without the teacher, with the same seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.events import Report
from workbench.measure.statistics.intervals import NO_WIDTH
from workbench.measure.statistics.intervals import student as student_interval
from workbench.system.wording import difference_text, interval_text

if TYPE_CHECKING:
    import pandas as pd

    from workbench.metrics import Metric
    from workbench.techniques.distillation.trainer import StudentTrainer

__all__ = ["MIN_SEEDS", "gain_sentence", "measure_gain"]

MIN_SEEDS = 3  # for a statement about the method; with fewer it is about single models


def measure_gain(
    trainer: StudentTrainer, n_seeds: int, report: Report, *, n_parts: int = 0
) -> pd.DataFrame:
    """Table of seed, with, without and difference: the task's metric on valid, one row a seed.

    `n_parts` is the number of trainings in the whole report, twice `n_seeds` by default.
    """
    import pandas as pd

    rows = []
    n_parts = n_parts or 2 * n_seeds
    for number in range(n_seeds):
        seed = trainer.job.seed + number
        scores = {}
        for offset, with_teacher in enumerate((True, False)):
            text = f"seed {seed} {'with' if with_teacher else 'without'} teacher"
            part = min(2 * number + offset, n_parts - 1)
            part_report = report.part(part, n_parts, text, curves=False)
            outputs = trainer.outputs(seed, with_teacher=with_teacher, report=part_report)
            scores[with_teacher] = trainer.score(outputs)
        rows.append(
            {
                "seed": seed,
                "with": scores[True],
                "without": scores[False],
                "difference": scores[True] - scores[False],
            }
        )
    return pd.DataFrame(rows, columns=["seed", "with", "without", "difference"])


def gain_sentence(gain: pd.DataFrame, metric: Metric) -> str:
    """The gain by the teacher in a sentence, with Student's t interval from three seeds on."""
    if not len(gain):
        return "No control was trained (`control_seeds` 0): the gain by the teacher is not known."
    mean_with, mean_without = float(gain["with"].mean()), float(gain["without"].mean())
    if len(gain) < MIN_SEEDS:
        seeds = " and ".join(str(seed) for seed in gain["seed"])
        return (
            f"With seed {seeds} the student has {metric.name} {metric.shown(mean_with)} with the "
            f"teacher and {metric.shown(mean_without)} without. This holds for these two models "
            f"only; a statement about the method needs `control_seeds` of {MIN_SEEDS} or more."
        )
    differences = gain["difference"].to_numpy(float)
    low, high = student_interval(differences)
    change = difference_text(float(np.mean(differences)), metric.unit)
    interval = interval_text(low, high, metric.unit, signed=True)
    return (
        f"Over {len(gain)} seeds the teacher changed {metric.name} by {change} ({interval}; "
        f"{metric.shown(mean_without)} without, {metric.shown(mean_with)} with): "
        f"{_verdict(low, high, metric)}."
    )


def _verdict(low: float, high: float, metric: Metric) -> str:
    """Verdict in words from the interval of the difference."""
    if low <= 0 <= high or not np.isfinite([low, high]).all():
        return "undecided, as the interval contains zero"
    if high - low < NO_WIDTH:
        return "undecided, as all seeds gave the same difference, which shows no spread"
    return "better with it" if metric.sign * low > 0 else "worse with it"
