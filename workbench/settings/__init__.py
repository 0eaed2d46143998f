"""Settings classes, their flat view as knobs, and the options that every run has."""

from workbench.settings.base import Settings, dropping_values_without_effect
from workbench.settings.fields import (
    BUDGETS,
    USUAL_BUDGET,
    free_form,
    inherited,
    knob,
    nested,
    scaled,
)
from workbench.settings.knobs import SET, Knob, knobs
from workbench.settings.options import RESERVED, VERSION, RunOptions, TechniqueSettings

__all__ = [
    "BUDGETS",
    "RESERVED",
    "SET",
    "USUAL_BUDGET",
    "VERSION",
    "Knob",
    "RunOptions",
    "Settings",
    "TechniqueSettings",
    "dropping_values_without_effect",
    "free_form",
    "inherited",
    "knob",
    "knobs",
    "nested",
    "scaled",
]
