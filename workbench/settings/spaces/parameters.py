"""Parameters of a search space: a range of numbers, or a choice of values, with its conditions.

A parameter gives its value by a trial of Optuna, at random, or on a grid. No library is imported:
a trial is any object with `suggest_float`, `suggest_int` and `suggest_categorical`, and a random
generator is any object with `random()`.
"""

from __future__ import annotations

import copy
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from workbench.settings.spaces.values import looks_like_number, plain_number, same

__all__ = ["Choice", "Conditions", "Parameter", "Range"]

Conditions = tuple[tuple[str, tuple[Any, ...]], ...]
MOST_LISTED = 8  # values of a parameter in a message
MOST_THINNED = 100_000  # values of a thinned range that are made only to be counted
PRIMITIVES = (type(None), bool, int, float, str)  # as Optuna's storages hold choices


@dataclass(frozen=True, kw_only=True)
class Parameter(ABC):
    """A name of a space with its values.

    `conditions` holds names of other parameters, each with the values for which this parameter is
    active; all of them must hold.
    """

    name: str
    conditions: Conditions = ()

    def is_active(self, point: Mapping[str, Any]) -> bool:
        """Whether all conditions hold beside these values of other parameters."""
        return all(
            name in point and any(same(point[name], value) for value in allowed)
            for name, allowed in self.conditions
        )

    @property
    @abstractmethod
    def n_values(self) -> int | None:
        """Number of values; None for a range of real numbers."""

    @abstractmethod
    def n_on_grid(self, per_float: int | None, per_int: int | None) -> int | None:
        """Number of values on a grid; None for a range of real numbers without a `per_float`."""

    @abstractmethod
    def grid(self, per_float: int | None, per_int: int | None) -> list[Any]:
        """The values on a grid, both ends of a range included."""

    @abstractmethod
    def sample(self, rng: Any) -> Any:
        """A random value."""

    @abstractmethod
    def suggest(self, trial: Any) -> Any:
        """The value that a trial suggests."""

    @abstractmethod
    def own(self, value: Any) -> Any:
        """The value of this parameter that equals `value`; raises ValueError if there is none."""

    @abstractmethod
    def corners(self) -> list[Any]:
        """Values at which a rule about the whole range can fail: both ends, or all choices."""

    @abstractmethod
    def own_data(self) -> Any:
        """Plain data that declare this parameter without its conditions, in the short form."""

    @property
    @abstractmethod
    def described(self) -> str:
        """The values in words, for a message."""

    def label(self, value: Any) -> Any:
        """The value as a trial holds it."""
        return value

    @property
    def is_fixed(self) -> bool:
        """Whether there is one value only, about which no trial is asked."""
        return self.n_values == 1

    def data(self) -> Any:
        """Plain data that declare this parameter, in the short form."""
        data = self.own_data()
        if not self.conditions:
            return data
        if not isinstance(data, Mapping):
            key = "choices" if isinstance(data, list) else "value"
            data = {key: data}
        return {**data, "if": {name: _condition_data(values) for name, values in self.conditions}}


def _condition_data(values: tuple[Any, ...]) -> Any:
    is_short = len(values) == 1 and isinstance(values[0], PRIMITIVES)
    return values[0] if is_short else copy.deepcopy(list(values))


@dataclass(frozen=True, kw_only=True)
class Range(Parameter):
    """Numbers from `low` to `high`, both included: whole ones, multiples of a step, or all.

    `log` searches evenly over the logarithm; `typed` says that the declaration names the type.
    """

    low: float
    high: float
    is_int: bool = False
    step: float | None = None
    log: bool = False
    typed: bool = False

    @property
    def n_values(self) -> int | None:
        if self.is_int:
            return int(self.high - self.low) // int(self.step or 1) + 1
        if self.step is None:
            return None
        return int((_decimal(self.high) - _decimal(self.low)) / _decimal(self.step)) + 1

    def n_on_grid(self, per_float: int | None, per_int: int | None) -> int | None:
        if per_int and self._is_thinned(per_int):
            return len(self.grid(per_float, per_int)) if per_int <= MOST_THINNED else per_int
        return per_float if self.n_values is None else self.n_values

    def _is_thinned(self, per_int: int | None) -> bool:
        n = self.n_values
        return bool(self.is_int and self.step is None and per_int and n and n > per_int)

    def grid(self, per_float: int | None, per_int: int | None) -> list[Any]:
        if self._is_thinned(per_int):
            spread = self._spread(per_int or 2)
            return sorted({min(max(round(x), int(self.low)), int(self.high)) for x in spread})
        if self.n_values is not None:
            return [self._at(i) for i in range(self.n_values)]
        return self._spread(per_float or 2)

    def _spread(self, n: int) -> list[float]:
        """Numbers at even distances from `low` to `high`, of the logarithm if `log`."""
        inner = [self._between(i / (n - 1)) for i in range(1, n - 1)]
        return [self.low, *inner, self.high]

    def _between(self, fraction: float) -> float:
        if self.log:
            first, last = math.log(self.low), math.log(self.high)
            return self._bounded(math.exp(first + fraction * (last - first)))
        return self._bounded(self.low + fraction * (self.high - self.low))

    def _bounded(self, number: float) -> float:
        return min(max(number, self.low), self.high)

    def _at(self, index: int) -> Any:
        """The value with this number on the ladder of steps."""
        if self.is_int:
            return int(self.low) + index * int(self.step or 1)
        return float(_decimal(self.low) + index * _decimal(self.step or 0))

    def sample(self, rng: Any) -> Any:
        fraction = float(rng.random())
        if self.is_int and self.log:
            first, last = math.log(self.low - 0.5), math.log(self.high + 0.5)
            drawn = round(math.exp(first + fraction * (last - first)))
            return min(max(drawn, int(self.low)), int(self.high))
        if self.n_values is None:
            return self._between(fraction)
        return self._at(min(int(fraction * self.n_values), self.n_values - 1))

    def suggest(self, trial: Any) -> Any:
        if self.is_int:
            more = {} if self.step is None else {"step": int(self.step)}
            number = trial.suggest_int(
                self.name, int(self.low), int(self.high), log=self.log, **more
            )
        else:
            number = trial.suggest_float(
                self.name, self.low, self.high, step=self.step, log=self.log
            )
        return self.own(number)

    def own(self, value: Any) -> Any:
        number = plain_number(value)
        if self.n_values is None:
            if not self.low <= number <= self.high:
                raise ValueError(f"{number!r} is outside of the range")
            return float(number)
        index = round((number - self.low) / (self.step or 1))
        if not 0 <= index < self.n_values:
            raise ValueError(f"{number!r} is outside of the range")
        nearest = self._at(index)
        if abs(number - nearest) > 1e-6 * (0 if self.is_int else self.step or 0):
            raise ValueError(f"{number!r} lies between two values of the range")
        return nearest

    def corners(self) -> list[Any]:
        return [self.low, self.high]

    def own_data(self) -> Any:
        data: dict[str, Any] = {"low": self.low, "high": self.high}
        if self.step is not None:
            data["step"] = self.step
        if self.log:
            data["log"] = True
        if self.typed:
            data["type"] = "int" if self.is_int else "float"
        return data

    @property
    def described(self) -> str:
        kind = "whole numbers" if self.is_int else "numbers"
        step = f" in steps of {self.step}" if self.step is not None else ""
        return f"{kind} from {self.low} to {self.high}{step}"


@dataclass(frozen=True, kw_only=True)
class Choice(Parameter):
    """One of several values, without an order; a single one is fixed.

    A list or a mapping among them is shown to a trial as JSON, because storages of trials hold
    plain values only.
    """

    choices: tuple[Any, ...]

    @property
    def n_values(self) -> int:
        return len(self.choices)

    def n_on_grid(self, per_float: int | None, per_int: int | None) -> int:
        return len(self.choices)

    def grid(self, per_float: int | None, per_int: int | None) -> list[Any]:
        return [copy.deepcopy(choice) for choice in self.choices]

    def sample(self, rng: Any) -> Any:
        index = int(float(rng.random()) * len(self.choices))
        return copy.deepcopy(self.choices[min(index, len(self.choices) - 1)])

    def suggest(self, trial: Any) -> Any:
        if self.is_fixed:
            return copy.deepcopy(self.choices[0])
        return self.own(trial.suggest_categorical(self.name, self.labels))

    def own(self, value: Any) -> Any:
        for choice in self.choices:
            is_label = isinstance(value, str) and self.label(choice) == value
            if is_label or same(choice, value):
                return copy.deepcopy(choice)
        raise ValueError(f"{value!r} is none of the choices")

    @property
    def labels(self) -> list[Any]:
        """The choices as a trial holds them."""
        return [self.label(choice) for choice in self.choices]

    def label(self, value: Any) -> Any:
        return value if isinstance(value, PRIMITIVES) else json.dumps(value, sort_keys=True)

    def corners(self) -> list[Any]:
        return list(self.choices)

    def own_data(self) -> Any:
        choices = copy.deepcopy(list(self.choices))
        kind: dict[str, Any] = {"type": "text"} if any(map(looks_like_number, choices)) else {}
        if len(choices) > 1:
            return {"choices": choices, **kind} if kind else choices
        (value,) = choices
        is_short = not kind and isinstance(value, PRIMITIVES) and value is not None
        return value if is_short else {"value": value, **kind}

    @property
    def described(self) -> str:
        return _listed([repr(choice) for choice in self.choices])


def _listed(texts: Sequence[str]) -> str:
    more = len(texts) - MOST_LISTED
    shown = ", ".join(texts[:MOST_LISTED])
    return f"{shown} and {more} more" if more > 0 else shown


def _decimal(number: float) -> Decimal:
    """The number as it is written, so that 0.3 is three times 0.1."""
    return Decimal(repr(number))
