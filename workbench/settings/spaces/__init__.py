"""Search spaces: parameters of training, model and estimator, declared as data."""

from workbench.settings.spaces.parameters import Choice, Parameter, Range
from workbench.settings.spaces.space import Space
from workbench.settings.spaces.targets import NAMESPACES, Target, Targets
from workbench.settings.spaces.usual import space_for, space_of_knobs

__all__ = [
    "NAMESPACES",
    "Choice",
    "Parameter",
    "Range",
    "Space",
    "Target",
    "Targets",
    "space_for",
    "space_of_knobs",
]
