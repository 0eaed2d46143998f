"""Switches one at a time and all together: which of them bought what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import SettingsError
from workbench.measure.statistics.resampled import resampled
from workbench.metrics import Metric
from workbench.task import Candidate
from workbench.technique import Job
from workbench.techniques.regularization.estimators import (
    check_parameters,
    configured,
    parameters_of,
    strengthened,
)
from workbench.techniques.regularization.strength import (
    active_switches,
    at_strength,
    resolved_settings,
    without_switches,
)
from workbench.techniques.regularization.trials import Trials
from workbench.techniques.regularization.variants import trials_of, variant

if TYPE_CHECKING:
    import pandas as pd

    from workbench.techniques.regularization import RegularizationSettings

__all__ = ["ALL", "NONE", "compared"]

NONE, ALL = "none", "all together"
USUAL_STRENGTH = 10.0  # of an estimator's parameters, where `strength` is empty


def compared(job: Job, settings: RegularizationSettings) -> dict[str, pd.DataFrame]:
    """The tables scores and gains; see the action."""
    variants, values = _variants(job, settings)
    trials = trials_of(job, settings.resolved())
    scores = trials.scores(variants, job.report).rename(columns={"variant": "switch"})
    return {"scores": scores, "gains": _gains(scores, values, job.task.metric, trials)}


def _variants(
    job: Job, settings: RegularizationSettings
) -> tuple[dict[str, Candidate], dict[str, str]]:
    """Candidates by switch, and the value of each switch as text."""
    if job.start.form != "torch":
        return _of_estimator(job, settings)
    resolved, _ = resolved_settings(job, settings)
    fit = at_strength(resolved.fit, 1.0 if settings.strength is None else settings.strength)
    plain = without_switches(fit)
    active = active_switches(fit, has_augment=job.task.augment is not None)
    if not active:
        raise SettingsError("All switches are off: set one, such as `fit_dropout` 0.2.")
    fits = {NONE: plain}
    fits |= {name: plain.model_copy(update=fields) for name, fields in active.items()}
    if len(active) > 1:
        fits[ALL] = plain.model_copy(update={k: v for f in active.values() for k, v in f.items()})
    texts = {name: _text(next(iter(fields.values()))) for name, fields in active.items()}
    return {name: variant(job, settings, fit=f) for name, f in fits.items()}, texts


def _of_estimator(
    job: Job, settings: RegularizationSettings
) -> tuple[dict[str, Candidate], dict[str, str]]:
    strength = USUAL_STRENGTH if settings.strength is None else settings.strength
    estimator, _ = configured(job.start.model, settings)
    check_parameters(estimator, job.start.name)
    models: dict[str, Any] = {NONE: estimator}
    texts = {}
    for parameter in parameters_of(estimator):
        models[parameter.name] = strengthened(estimator, strength, only=parameter.name)
        texts[parameter.name] = _text(parameter.at(strength))
    if len(texts) > 1:
        models[ALL] = strengthened(estimator, strength)
    return {name: variant(job, settings, model=model) for name, model in models.items()}, texts


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _gains(
    scores: pd.DataFrame, values: dict[str, str], metric: Metric, trials: Trials
) -> pd.DataFrame:
    """Table of each switch's gain over none on the same folds and seeds.

    The interval is that of the corrected resampled t-test, as folds share train rows; with one seed
    it is NaN. Where all folds gain the same, it has the width that their held-out rows cannot
    exclude. `gain` is positive where the score is better.
    """
    import pandas as pd

    held = scores.pivot(index="seed", columns="switch", values="held_out")
    gap = scores.assign(gap=metric.sign * (scores["train"] - scores["held_out"]))
    gaps = gap.groupby("switch")["gap"].mean()
    largest = 1.0 if metric.unit == "points" else float(np.ptp(scores["held_out"]))
    ratio, n_rows = trials.ratio, trials.n_held
    rows = []
    for name in dict.fromkeys(scores["switch"]):
        differences = metric.sign * (held[name] - held[NONE]).to_numpy(float)
        low = high = 0.0
        if name != NONE:
            low, high = _interval(differences, ratio, n_rows, largest)
        rows.append(
            {
                "switch": name,
                "value": values.get(str(name), ""),
                "score": float(held[name].mean()),
                "gain": float(differences.mean()),
                "low": low,
                "high": high,
                "gap": float(gaps[name]),
                "n": len(differences),
                "verdict": "" if name == NONE else _verdict(low, high),
            }
        )
    return pd.DataFrame(rows)


def _interval(
    differences: np.ndarray, ratio: float, n_rows: int, largest: float
) -> tuple[float, float]:
    if len(differences) < 2:
        return float("nan"), float("nan")
    return resampled(differences, ratio, n_rows, largest=largest)


def _verdict(low: float, high: float) -> str:
    if not np.isfinite([low, high]).all() or low <= 0 <= high:
        return "undecided"
    return "better" if low > 0 else "worse"
