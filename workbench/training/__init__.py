"""The one training loop, its settings, and the choice of precision."""

from workbench.training.callbacks import Callback, TrainingContext
from workbench.training.loop import Fitted, fit
from workbench.training.losses import LossContext
from workbench.training.regularized import RegularizedFit
from workbench.training.settings import FitSettings

__all__ = [
    "Callback",
    "FitSettings",
    "Fitted",
    "LossContext",
    "RegularizedFit",
    "TrainingContext",
    "fit",
]
