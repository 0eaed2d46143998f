"""Importance of parameters by Optuna's evaluator, with its spread over resampled trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.settings.spaces import Choice, Parameter, Range, Space

if TYPE_CHECKING:
    import optuna
    from pandas import DataFrame

    from workbench.metrics import Metric

__all__ = ["FEWEST_TRIALS", "importance"]

FEWEST_TRIALS = 10
TARGET = 0.1  # of the trials are the good ones, as in Optuna's own plot
COLUMNS = ("parameter", "importance", "low", "high")


def importance(
    trials: DataFrame,
    space: Space | Mapping[str, Any],
    metric: Metric,
    *,
    seed: int = 0,
    repeats: int = 5,
) -> DataFrame:
    """The importance of each parameter of a space, from 0 to 1, with its spread.

    `trials` is as the figures take it; those count that have a score, pruned ones with the score of
    the folds that they finished. `space` may be the data that declare one. The importance is that
    of Optuna on all of them, by PED-ANOVA (Watanabe, Bansal, Hutter, IJCAI 2023), its default: how
    much the values of a parameter in the best tenth of the trials differ from those in all of them.
    Parameters with conditions take part. The importances sum to 1. `low` and `high` are the ends
    over `repeats` resamples of the trials and the value itself. Columns: parameter, importance,
    low, high, the most important first.

    Under 10 such trials, or if all have one score, the table is empty and its
    `attrs["reason"]` says why.
    """
    import pandas as pd

    space = space if isinstance(space, Space) else Space.of(dict(space))
    scores = trials["score"].astype(float)
    done = trials[(trials["state"] != "failed") & np.isfinite(scores)]
    names = [p.name for p in space.searched if p.name in done]
    reason = _reason(done, names)
    if reason:
        empty = pd.DataFrame(
            {c: pd.Series(dtype="object" if not i else float) for i, c in enumerate(COLUMNS)}
        )
        empty.attrs["reason"] = reason
        return empty
    rng = np.random.default_rng(seed)
    frozen = [_frozen(row, space, names, metric) for row in done.to_dict("records")]
    own = _evaluated(frozen, names)
    drawn = [own]
    for _ in range(repeats):
        resample = [frozen[i] for i in rng.integers(0, len(frozen), len(frozen))]
        drawn.append(_evaluated(resample, names))
    return pd.DataFrame(
        [
            (name, own[name], min(d[name] for d in drawn), max(d[name] for d in drawn))
            for name in names
        ],
        columns=list(COLUMNS),
    ).sort_values("importance", ascending=False, kind="stable", ignore_index=True)


def _reason(done: DataFrame, names: list[str]) -> str:
    """Why there is no importance; empty if there is one."""
    if len(done) < FEWEST_TRIALS:
        return f"an importance needs at least {FEWEST_TRIALS} trials with a score, got {len(done)}"
    if not names:
        return "the space has no parameter with more than one value"
    if done["score"].astype(float).nunique() < 2:
        return "all trials have the same score"
    return ""


def _frozen(
    row: dict[str, Any], space: Space, names: list[str], metric: Metric
) -> optuna.trial.FrozenTrial:
    """A row of the table as a complete trial of Optuna, whose value is smaller for a better one."""
    import optuna

    params, distributions = {}, {}
    for name in names:
        value = row[name]
        parameter = space[name]
        if value is None or (isinstance(value, float) and np.isnan(value)):
            if not _has_none(parameter) or parameter.conditions:
                continue
            value = None
        distributions[name] = _distribution(parameter)
        params[name] = parameter.label(parameter.own(value))
    return optuna.create_trial(
        value=-metric.sign * float(row["score"]), params=params, distributions=distributions
    )


def _has_none(parameter: Parameter) -> bool:
    return isinstance(parameter, Choice) and None in parameter.choices


def _distribution(parameter: Parameter) -> optuna.distributions.BaseDistribution:
    """The distribution of Optuna from which a trial's value is suggested."""
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if isinstance(parameter, Range) and parameter.is_int:
        step = int(parameter.step or 1)
        high = int(parameter.low) + (int(parameter.high - parameter.low) // step) * step
        return IntDistribution(int(parameter.low), high, log=parameter.log, step=step)
    if isinstance(parameter, Range):
        return FloatDistribution(
            parameter.low, parameter.high, log=parameter.log, step=parameter.step
        )
    if isinstance(parameter, Choice):
        return CategoricalDistribution(parameter.labels)
    raise TypeError(f"`{parameter.name}` is neither a range nor a choice.")


def _study() -> optuna.Study:
    """An empty study, made without a line in the log."""
    import optuna

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(direction="minimize")
    finally:
        optuna.logging.set_verbosity(verbosity)


def _evaluated(trials: list[optuna.trial.FrozenTrial], names: list[str]) -> dict[str, float]:
    """Importance by name; a parameter that none of these trials has gets 0."""
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    study = _study()
    study.add_trials(trials)
    evaluator = PedAnovaImportanceEvaluator(target_quantile=TARGET)
    found = get_param_importances(study, evaluator=evaluator)
    return {name: float(np.nan_to_num(found.get(name, 0.0))) for name in names}
