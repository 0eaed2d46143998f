"""Axes of parameters: a range on a linear or log axis, or categories side by side."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import DataError, unknown
from workbench.settings.spaces import NAMESPACES, Parameter, Range, Space
from workbench.techniques.tuning.figures.tables import span

if TYPE_CHECKING:
    from pandas import DataFrame, Series

__all__ = ["ParameterAxis", "parameter_names", "short_name"]

LOG_FROM = 50  # largest value over smallest, from which an axis without a declared space is log
NAME_LENGTH = 28
CATEGORY_LENGTH = 16


@dataclass(frozen=True)
class ParameterAxis:
    """The axis of one parameter: positions of its values, and ticks.

    A position is the value, its decimal logarithm on a log axis, or the number of a category.
    """

    name: str
    low: float
    high: float
    log: bool = False
    categories: tuple[str, ...] = ()

    @classmethod
    def of(cls, values: Series, space: Space | Mapping[str, Any] | None = None) -> ParameterAxis:
        """The axis of a column of trials; `space` tells whether the range is searched by log."""
        name = str(values.name)
        used = values.dropna()
        declared = declared_in(space, name)
        numbers = _numbers(used)
        if numbers is None or not len(used):
            texts = dict.fromkeys(map(str, used))
            return cls(name, -0.5, len(texts) - 0.5, categories=tuple(sorted(texts)))
        low, high = float(numbers.min()), float(numbers.max())
        if isinstance(declared, Range):
            is_log, low, high = declared.log, declared.low, declared.high
        else:
            is_log = low > 0 and high / low >= LOG_FROM
        ends = (math.log10(low), math.log10(high)) if is_log else (low, high)
        return cls(name, *span(*ends), log=is_log)

    def positions(self, values: Series) -> np.ndarray:
        """Positions `(trials,)`; NaN where the parameter was not active."""
        if self.categories:
            numbers = {text: float(i) for i, text in enumerate(self.categories)}
            return np.array([numbers.get(str(v), np.nan) for v in values], float)
        numbers = values.astype(float).to_numpy()
        return np.log10(numbers) if self.log else numbers

    def fractions(self, values: Series) -> np.ndarray:
        """Positions as parts of the axis, 0 at its low end and 1 at its high end."""
        return (self.positions(values) - self.low) / (self.high - self.low)

    @property
    def title(self) -> str:
        """The name, and the kind of scale if it is log."""
        return short_name(self.name) + (" (log)" if self.log else "")

    @property
    def ticks(self) -> dict[str, Any]:
        """Positions and texts of the ticks, and the range, as Plotly takes them."""
        room = 0.0 if self.categories else 0.04 * (self.high - self.low)
        shape: dict[str, Any] = {"range": [self.low - room, self.high + room]}
        if self.categories:
            texts = [shortened(text, CATEGORY_LENGTH) for text in self.categories]
            return {**shape, "tickvals": list(range(len(texts))), "ticktext": texts}
        if not self.log:
            return {**shape, "nticks": 5}
        values = _log_ticks(self.low, self.high)
        return {
            **shape,
            "tickvals": [math.log10(v) for v in values],
            "ticktext": [f"{v:g}" for v in values],
        }

    def ends(self) -> tuple[str, str]:
        """The values at both ends, as texts."""
        low, high = (10**self.low, 10**self.high) if self.log else (self.low, self.high)
        return f"{low:.3g}", f"{high:.3g}"


def declared_in(space: Space | Mapping[str, Any] | None, name: str) -> Parameter | None:
    """The parameter of a space, or of the data that declare one; None where it has none."""
    if space is None or name not in dict.fromkeys(getattr(space, "names", space)):
        return None
    return (space if isinstance(space, Space) else Space.of(dict(space)))[name]


def parameter_names(trials: DataFrame, chosen: Sequence[str] | None = None) -> list[str]:
    """Columns of parameters with more than one value, or the chosen ones.

    Raises DataError for a name that is no column, and if there is no parameter at all.
    """
    prefixes = tuple(f"{namespace}." for namespace in NAMESPACES)
    names = [str(c) for c in trials.columns if str(c).startswith(prefixes)]
    if chosen is not None:
        wrong = [name for name in chosen if name not in names]
        if wrong:
            raise DataError(unknown("parameter", wrong[0], names))
        return list(chosen)
    varied = [name for name in names if trials[name].astype(str).nunique() > 1]
    if not varied:
        raise DataError("This figure needs a parameter with more than one value, got none.")
    return varied


def short_name(name: str) -> str:
    """The name of a parameter as a figure shows it; a long one without the steps before it."""
    name = name.removeprefix("estimator.")
    while len(name) > NAME_LENGTH and "__" in name:
        name = name.partition("__")[2]
    return shortened(name, NAME_LENGTH)


def shortened(text: str, length: int) -> str:
    """Text for a figure, cut in its middle if it is too long."""
    if len(text) > length:
        half = (length - 1) // 2
        text = f"{text[:half]}…{text[-half:]}"
    return html.escape(text)


def _numbers(values: Series) -> np.ndarray | None:
    """The values as numbers; None if some are text, true or false."""
    if any(isinstance(v, (str, bool, np.bool_)) for v in values):
        return None
    try:
        return values.astype(float).to_numpy()
    except (TypeError, ValueError):
        return None


def _log_ticks(low: float, high: float) -> list[float]:
    """A few round values between two powers of ten."""
    steps = (1,) if high - low > 1.9 else (1, 3) if high - low > 0.9 else (1, 2, 5)
    powers = range(math.floor(low), math.ceil(high) + 1)
    values = [m * 10.0**p for p in powers for m in steps]
    every = math.ceil((high - low) / 3) if len(steps) == 1 else 1
    kept = [v for v in values if low - 1e-9 <= math.log10(v) <= high + 1e-9][::every]
    return kept or [10**low, 10**high]
