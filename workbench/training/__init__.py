"""The one training loop, its settings and the choice of precision."""

from workbench.training.loop.loop import Fitted, FitSettings, LossContext, fit

__all__ = ["FitSettings", "Fitted", "LossContext", "fit"]
