"""Sweeps: the model trained at each value of a strength or of one switch, with several seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from workbench.errors import SettingsError, shown
from workbench.events import Report
from workbench.task import Candidate
from workbench.technique import Job
from workbench.techniques.regularization.estimators import (
    check_parameters,
    configured,
    strengthened,
)
from workbench.techniques.regularization.one_standard_error import choose, summary
from workbench.techniques.regularization.strength import at_strength, resolved_settings, with_switch
from workbench.techniques.regularization.trials import Trials
from workbench.techniques.regularization.variants import trials_of, variant

if TYPE_CHECKING:
    import pandas as pd

    from workbench.techniques.regularization import RegularizationSettings

__all__ = ["ESTIMATOR_STRENGTHS", "GRIDS", "NETWORK_STRENGTHS", "choose_strength", "swept"]

NETWORK_STRENGTHS = {
    "smoke": (0.0, 1.0, 3.0),
    "standard": (0.0, 0.5, 1.0, 2.0),
    "thorough": (0.0, 0.25, 0.5, 1.0, 2.0, 4.0),
}
ESTIMATOR_STRENGTHS = {
    "smoke": (0.1, 1.0, 10.0),
    "standard": (0.01, 0.1, 1.0, 10.0, 100.0),
    "thorough": (0.001, 0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0, 1000.0),
}
GRIDS = {
    "dropout": (0.0, 0.1, 0.2, 0.4, 0.6),
    "l1": (0.0, 0.001, 0.01, 0.1),
    "l2": (0.0, 0.0001, 0.001, 0.01),
    "weight_decay": (0.0, 0.01, 0.1, 1.0),
    "label_smoothing": (0.0, 0.05, 0.1, 0.2, 0.4),
    "mixup": (0.0, 0.1, 0.4, 1.0),
    "cutmix": (0.0, 0.1, 0.4, 1.0),
    "clip_norm": (0.0, 0.1, 1.0, 10.0),
}  # the budget smoke takes the first, the middle and the last value

Make = Callable[[float], Candidate]


def swept(
    job: Job, settings: RegularizationSettings, values: Sequence[float]
) -> dict[str, pd.DataFrame]:
    """The tables curves, summary and choice of a sweep; see the action."""
    import pandas as pd

    make, usual = _maker(job, settings)
    chosen = tuple(values) or usual
    _check(chosen)
    resolved = settings.resolved()
    curves = _curves(trials_of(job, resolved), make, chosen, job.report, settings.swept)
    metric = job.task.metric
    table = summary(curves, metric)
    choice = choose(table, metric)
    row = {"swept": settings.swept, **asdict(choice)}
    row["sentence"] = choice.sentence(f"`{settings.swept}`", metric)
    table["is_chosen"] = table["value"] == choice.chosen
    return {"curves": curves, "summary": table, "choice": pd.DataFrame([row])}


def choose_strength(
    job: Job, settings: RegularizationSettings, report: Report
) -> tuple[float, dict[str, pd.DataFrame], str]:
    """The strength by the one-standard-error rule, the tables of its sweep, and a sentence."""
    make, values = _maker(job, settings.model_copy(update={"swept": "strength"}))
    curves = _curves(trials_of(job, settings), make, values, report, "strength")
    table = summary(curves, job.task.metric)
    choice = choose(table, job.task.metric)
    table["is_chosen"] = table["value"] == choice.chosen
    sentence = choice.sentence("Strength", job.task.metric)
    return choice.chosen, {"curves": curves, "summary": table}, sentence


def _curves(
    trials: Trials, make: Make, values: Sequence[float], report: Report, name: str
) -> pd.DataFrame:
    """Table of value, seed, and the score on train and held-out rows."""
    variants = {f"{name} {value:g}": make(value) for value in values}
    by_name = dict(zip(variants, values, strict=True))
    scores = trials.scores(variants, report)
    scores.insert(0, "value", scores.pop("variant").map(by_name))
    return scores


def _check(values: Sequence[float]) -> None:
    wrong = [v for v in values if isinstance(v, bool) or not isinstance(v, (int, float)) or v < 0]
    if wrong or len(set(values)) != len(values):
        raise SettingsError(
            f"`values` must be different numbers from 0 on, got {shown(list(values))}."
        )


def _maker(job: Job, settings: RegularizationSettings) -> tuple[Make, tuple[float, ...]]:
    """The function that makes a variant at a value, and the usual values of the budget."""
    name = settings.swept
    if job.start.form != "torch":
        return _of_estimator(job, settings)
    resolved, _ = resolved_settings(job, settings)
    if name == "strength":
        usual = NETWORK_STRENGTHS[settings.budget]
        return lambda v: variant(job, settings, fit=at_strength(resolved.fit, v)), usual
    grid = GRIDS[name]
    if settings.budget == "smoke":
        grid = (grid[0], grid[len(grid) // 2], grid[-1])
    return lambda v: variant(job, settings, fit=with_switch(resolved.fit, name, v)), grid


def _of_estimator(job: Job, settings: RegularizationSettings) -> tuple[Make, tuple[float, ...]]:
    if settings.swept != "strength":
        raise SettingsError(
            f"`swept` {settings.swept} is a switch of torch networks, and `{job.start.name}` is an "
            "estimator: set `swept` to strength."
        )
    estimator, _ = configured(job.start.model, settings)
    check_parameters(estimator, job.start.name)
    return (
        lambda v: variant(job, settings, model=strengthened(estimator, v)),
        ESTIMATOR_STRENGTHS[settings.budget],
    )
