"""Permutation importance of raw columns on rows that folds of train hold out.

A fold trains the whole candidate on its own rows. A column is shuffled among the rows held out; the
loss of score is its importance. The interval is that of the corrected resampled t-test.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.data.rows import Rows
from workbench.events import Report
from workbench.measure.anew import Anew
from workbench.measure.held_out import fold_seed
from workbench.measure.statistics.resampled import resampled
from workbench.runtimes.outputs import outputs_on
from workbench.task import Candidate
from workbench.techniques.features.choice import choose, sampled_folds
from workbench.techniques.features.procedure import untrained
from workbench.techniques.features.setup import chooses_number, with_settings

if TYPE_CHECKING:
    import pandas as pd

    from workbench.techniques.features.setup import Setup

__all__ = ["measure_importance"]


def measure_importance(setup: Setup, n_repeats: int) -> pd.DataFrame:
    """A row a column: column, importance (loss of score), low, high and n_folds; the first is best.

    The loss is positive where the column helps, in the unit of the deciding metric.
    """
    import pandas as pd

    report, settings = setup.job.report, setup.settings
    folds = sampled_folds(setup, setup.sample, settings.folds, setup.job.seed)
    n_parts = len(folds) + 1
    if chooses_number(settings):
        part = report.part(0, n_parts, "choosing on folds of train")
        setup = with_settings(setup, n_features=choose(setup, setup.sample, part).n_features)
    anew = Anew.of(untrained(setup, report.part(0, n_parts)), setup.job.task)
    losses = []
    for number, (rest, held) in enumerate(folds):
        part = report.part(number + 1, n_parts, f"fold {number + 1} of {len(folds)}")
        trained, _ = anew.trained(
            rest,
            budget=settings.budget,
            seed=fold_seed(setup.job.seed, number),
            device=setup.job.device,
            report=part.part(0, 2),
        )
        losses.append(_losses(setup, trained, held, n_repeats, part.part(1, 2)))
    values = np.asarray(losses)
    ratio = float(np.mean([len(held) / len(rest) for rest, held in folds]))
    n_rows = len(np.unique(np.concatenate([held for _, held in folds])))
    bounds = [resampled(values[:, i], ratio, n_rows) for i in range(values.shape[1])]
    table = pd.DataFrame(
        {
            "column": [str(name) for name in setup.columns.kinds],
            "importance": values.mean(axis=0),
            "low": [low for low, _ in bounds],
            "high": [high for _, high in bounds],
            "n_folds": len(folds),
        }
    )
    return table.sort_values("importance", ascending=False, ignore_index=True)


def _losses(
    setup: Setup, trained: Candidate, held: np.ndarray, n_repeats: int, report: Report
) -> list[float]:
    """The loss of score for each column, a mean over repeats."""
    rows = setup.train.take(held)
    usual = _score(setup, trained, rows)
    rng = np.random.default_rng(setup.job.seed)
    losses = []
    for done, name in enumerate(setup.columns.kinds):
        report.progress(done, len(setup.columns.kinds), f"shuffling `{name}`")
        scores = [
            _score(setup, trained, _shuffled(setup, rows, name, rng.permutation(len(rows))))
            for _ in range(n_repeats)
        ]
        losses.append(usual - float(np.mean(scores)))
    return losses


def _shuffled(setup: Setup, rows: Rows, name: str | int, order: np.ndarray) -> Rows:
    """The rows with one column in another order."""
    if not setup.columns.is_matrix:
        return replace(rows, inputs={**rows.inputs, str(name): rows.inputs[str(name)][order]})
    changed, place = dict(rows.inputs), int(name)
    for key, array in rows.inputs.items():
        width = int(np.prod(array.shape[1:]))
        if place < width:
            flat = array.reshape(len(array), -1).copy()
            flat[:, place] = flat[order, place]
            changed[key] = flat.reshape(array.shape)
            break
        place -= width
    return replace(rows, inputs=changed)


def _score(setup: Setup, trained: Candidate, rows: Rows) -> float:
    """The deciding metric, turned so that more is better."""
    metric: Any = setup.job.task.metric
    return float(metric.sign * metric(outputs_on(trained, rows), rows.targets))
