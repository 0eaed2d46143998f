"""Costs, what the decisions of a binary classifier cost and gain."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np

from workbench.errors import SettingsError
from workbench.measure.statistics.intervals import Interval

__all__ = ["Costs"]


@dataclass(frozen=True)
class Costs:
    """Costs and gains of the four outcomes of a decision, in one unit (money, minutes, points).

    Raises SettingsError for a number that is not finite, and where one decision is best for every
    row, so that there is nothing to choose.
    """

    cost_false_positive: float = 1.0
    cost_false_negative: float = 1.0
    gain_true_positive: float = 0.0
    gain_true_negative: float = 0.0

    def __post_init__(self) -> None:
        problems = [
            f"`{one.name}` must be a finite number, got {getattr(self, one.name)}."
            for one in fields(self)
            if not math.isfinite(getattr(self, one.name))
        ]
        if not problems:
            problems = list(self._needless())
        if problems:
            raise SettingsError(" ".join(problems))

    def _needless(self) -> Iterator[str]:
        """Reasons why no threshold is needed, as sentences."""
        if self.of_flagging == self.of_passing == 0:
            yield (
                "With these costs every decision costs the same, whatever the threshold: make a "
                "false positive or a false negative cost more than the right decision."
            )
            return
        for value, names, outcome in (
            (
                self.of_flagging,
                ("cost_false_positive", "gain_true_negative"),
                "flagging a negative row",
            ),
            (
                self.of_passing,
                ("cost_false_negative", "gain_true_positive"),
                "not flagging a positive row",
            ),
        ):
            if value <= 0:
                yield (
                    f"`{names[0]}` + `{names[1]}` must be above 0, got "
                    f"{getattr(self, names[0]):g} + {getattr(self, names[1]):g}: otherwise "
                    f"{outcome} costs nothing, and no threshold is needed."
                )

    @property
    def of_flagging(self) -> float:
        """Loss of flagging a row of target 0, against not flagging it."""
        return self.cost_false_positive + self.gain_true_negative

    @property
    def of_passing(self) -> float:
        """Loss of not flagging a row of target 1, against flagging it."""
        return self.cost_false_negative + self.gain_true_positive

    @property
    def calibrated_threshold(self) -> float:
        """The best threshold for probabilities that are calibrated (Elkan, IJCAI 2001)."""
        return self.of_flagging / (self.of_flagging + self.of_passing)

    def of_rows(self, is_flagged: np.ndarray, is_positive: np.ndarray) -> np.ndarray:
        """The cost of each row `(rows,)` for decisions and targets `(rows,)`, both boolean."""
        return np.where(
            is_positive,
            np.where(is_flagged, -self.gain_true_positive, self.cost_false_negative),
            np.where(is_flagged, self.cost_false_positive, -self.gain_true_negative),
        )

    @property
    def range(self) -> Interval:
        """The lowest and the highest cost that a row can have."""
        values = (
            self.cost_false_positive,
            self.cost_false_negative,
            -self.gain_true_positive,
            -self.gain_true_negative,
        )
        return min(values), max(values)
