"""The control: the same student with a teacher and without, seed by seed, and what may be said of
the difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.events import Report
from workbench.measure.statistics.intervals import student as student_interval
from workbench.techniques.distillation.progress import Share

if TYPE_CHECKING:
    import pandas as pd

    from workbench.metrics import Metric
    from workbench.techniques.distillation.lessons import Plan

__all__ = ["ENOUGH_SEEDS", "gain_of", "gain_sentence"]

ENOUGH_SEEDS = 3  # to speak of a method, and not of two models


def gain_of(
    plan: Plan, n_seeds: int, report: Report, *, first: int = 0, n_parts: int = 0
) -> pd.DataFrame:
    """A row a seed: seed, with, without, difference, in the task's deciding metric on valid.

    `first` of `n_parts` trainings were done before these.
    """
    import pandas as pd

    rows, n = [], n_parts or 2 * n_seeds
    for number, seed in enumerate(range(plan.job.seed, plan.job.seed + n_seeds)):
        scores = {}
        for place, taught in enumerate((True, False)):
            text = f"seed {seed} {'with' if taught else 'without'} teacher"
            share = Share(report, min(first + 2 * number + place, n - 1), n, text, curves=False)
            scores[taught] = plan.score(plan.outputs(seed, taught=taught, report=share))
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
    """What the teacher bought, in one sentence: with Student's t interval over seeds where there
    are enough of them.
    """
    if not len(gain):
        return (
            "No control was trained (`control_seeds` 0), so nobody knows what the teacher bought."
        )
    with_, without = float(gain["with"].mean()), float(gain["without"].mean())
    if len(gain) < ENOUGH_SEEDS:
        seeds = " and ".join(str(s) for s in gain["seed"])
        return (
            f"With seed {seeds} the student has {metric.name} {metric.shown(with_)} with a teacher "
            f"and {metric.shown(without)} without: this speaks of these two models only. Three "
            "seeds or more (`control_seeds`) speak of the method."
        )
    differences = gain["difference"].to_numpy(float)
    low, high = student_interval(differences)
    better = low > 0 if metric.higher_is_better else high < 0
    worse = high < 0 if metric.higher_is_better else low > 0
    verdict = (
        "better with it"
        if better
        else "worse with it"
        if worse
        else "undecided: the interval holds no difference"
    )
    return (
        f"Over {len(gain)} seeds the teacher changed {metric.name} by "
        f"{_change(float(np.mean(differences)), metric)} ({_change(low, metric)} to "
        f"{_change(high, metric)}; {metric.shown(without)} without, {metric.shown(with_)} with): "
        f"{verdict}."
    )


def _change(value: float, metric: Metric) -> str:
    return f"{100 * value:+.2f} points" if metric.unit == "points" else f"{value:+.4g}"
