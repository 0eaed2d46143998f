"""Rounding of weights to a few decimal places, so that the file compresses better."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from workbench.model_form import form_named
from workbench.settings import TechniqueSettings, knob
from workbench.technique import Job, Outcome, technique

__all__ = ["RoundingSettings", "decimal_rounding"]


class RoundingSettings(TechniqueSettings):
    """Grid that weights are rounded to."""

    method: Literal["decimal", "relative"] = knob("decimal", title="Method")
    """Grid: decimal has one step for all weights, relative a step for each array."""

    places: int = knob(2, low=0, high=8, search=(1, 4), only_if={"method": "decimal"})
    """Decimal places that are kept."""

    n_steps: int = knob(200, low=2, high=10_000, search=(50, 500), only_if={"method": "relative"})
    """Number of steps from zero to the largest weight of an array."""


@technique(
    "decimal_rounding", title="Rounding of weights", accepts=("numpy_linear", "torch"), gives="same"
)
def decimal_rounding(job: Job, settings: RoundingSettings) -> Outcome:
    """Rounds every weight to a grid of a few values."""
    job.report.progress(0, 1, "rounding weights")
    model = form_named(job.start.form).copy(job.start.model)
    for weight in _weights(model):
        weight[...] = _rounded(weight, settings)
    job.report.progress(1, 1, "rounding weights")
    return Outcome(
        job.start.child(f"{job.start.name}-rounded", "decimal_rounding", model=model), settings
    )


def _weights(model: Any) -> list[np.ndarray]:
    """The arrays of a model's weights, which changes of them reach."""
    if hasattr(model, "parameters"):
        return [parameter.data.numpy() for parameter in model.parameters()]
    return [model.weight, model.bias]


def _rounded(weight: np.ndarray, settings: RoundingSettings) -> np.ndarray:
    if settings.method == "decimal":
        return np.round(weight, settings.places)
    step = max(float(np.abs(weight).max()), 1e-12) / settings.n_steps
    return np.round(weight / step) * step
