"""Space, a search space as data: its points by trial, at random or on a grid."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from workbench.errors import SettingsError, shown, unknown
from workbench.settings.spaces.parameters import Choice, Parameter
from workbench.settings.spaces.targets import NAMESPACES, Targets
from workbench.settings.spaces.text import read_space
from workbench.settings.spaces.tree import count, mentioned, ordered, walk

__all__ = ["MOST_POINTS", "Space"]

MOST_POINTS = 10_000  # of a grid
LINE_ENDS = frozenset("\x85\u2028\u2029")  # YAML reads them as other white space


@dataclass(frozen=True)
class Space:
    """A search space, made by `Space.of`; equal spaces declare the same parameters in one order.

    A point is a mapping of full names, such as `fit.lr`, to plain values. It holds the fixed
    parameters too, and of the conditional ones those whose conditions hold.
    """

    parameters: tuple[Parameter, ...]

    @classmethod
    def of(cls, data: Any, targets: Targets | None = None) -> Space:
        """The space that a mapping, YAML text or the path of a YAML file declares.

        `targets` holds the valid names with their kinds; without it, neither is checked. A space
        is checked again. Raises SettingsError that tells all problems at once.
        """
        return cls(read_space(data.to_data() if isinstance(data, Space) else data, targets))

    def to_data(self) -> dict[str, Any]:
        """Plain data from which `of` makes an equal space."""
        return {p.name: p.data() for p in self.parameters}

    def to_yaml(self) -> str:
        """YAML text from which `of` makes an equal space."""
        import yaml

        data = self.to_data()
        is_readable = LINE_ENDS.isdisjoint(json.dumps(data, ensure_ascii=False))
        return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=is_readable))

    @cached_property
    def _order(self) -> list[Parameter]:
        return ordered(self.parameters)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all parameters, as declared."""
        return tuple(p.name for p in self.parameters)

    @property
    def searched(self) -> tuple[Parameter, ...]:
        """The parameters with more than one value."""
        return tuple(p for p in self.parameters if not p.is_fixed)

    @property
    def has_conditions(self) -> bool:
        """Whether some parameters are active at some points only."""
        return any(p.conditions for p in self.parameters)

    @property
    def has_categories(self) -> bool:
        """Whether a parameter chooses among several values without an order."""
        return any(isinstance(p, Choice) for p in self.searched)

    @property
    def is_finite(self) -> bool:
        """Whether the space has a number of points: no range of real numbers."""
        return all(p.n_values is not None for p in self.parameters)

    def size(self) -> int | None:
        """Number of points; None if a parameter is a range of real numbers."""
        return count(self._order, lambda p: p.n_values)

    def suggest(self, trial: Any) -> dict[str, Any]:
        """The point of a trial of Optuna, which is asked about active parameters only."""
        return self._point(lambda parameter: parameter.suggest(trial))

    def sample(self, rng: Any) -> dict[str, Any]:
        """A random point; `rng` is a generator of NumPy or of the standard library."""
        return self._point(lambda parameter: parameter.sample(rng))

    def grid(
        self,
        n_per_float: int | None = None,
        *,
        n_per_int: int | None = None,
        limit: int = MOST_POINTS,
    ) -> list[dict[str, Any]]:
        """All points, with `n_per_float` values of each range of real numbers, both ends included.

        `n_per_int` thins ranges of whole numbers without a step in the same way, those that
        conditions name excepted. Raises SettingsError if a range of real numbers has no step and
        `n_per_float` is None, or if there are more than `limit` points.
        """
        for name, n in {"n_per_float": n_per_float, "n_per_int": n_per_int}.items():
            if n is not None and (type(n) is not int or n < 2):
                raise SettingsError(f"`{name}` must be a whole number from 2 on, got {shown(n)}.")
        endless = [f"`{p.name}`" for p in self.parameters if p.n_values is None]
        if endless and n_per_float is None:
            raise SettingsError(
                f"A grid needs a number of values for {', '.join(endless)}: give `n_per_float`, or "
                "a `step` in the space."
            )
        named = mentioned(self.parameters)

        def thinned(p: Parameter) -> int | None:
            return None if p.name in named else n_per_int

        n_points = count(self._order, lambda p: p.n_on_grid(n_per_float, thinned(p))) or 0
        if n_points > limit:
            raise SettingsError(
                f"The grid has {n_points:,} points, more than {limit:,}: give fewer choices, "
                "larger steps, or a smaller `n_per_float` or `n_per_int`."
            )
        values = {p.name: p.grid(n_per_float, thinned(p)) for p in self.parameters}
        return list(walk(self._order, lambda p: values[p.name]))

    def contains(self, point: Mapping[str, Any]) -> bool:
        """Whether a point has the active parameters and no others, each with one of its values."""
        try:
            return set(self.normal(point)) == set(point)
        except SettingsError:
            return False

    def normal(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """A point with the values as this space has them, plain and in its order.

        Raises SettingsError for a name that is missing, unknown or not active, or for a value that
        the parameter cannot have.
        """
        return self._read(point, {})

    def _read(self, point: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
        """The point as `normal` gives it, with the values of `usual` where it has none."""
        values = {**usual, **point}

        def own(parameter: Parameter) -> Any:
            name = parameter.name
            if name not in values:
                raise SettingsError(f"The point lacks `{name}`: {parameter.described}.")
            try:
                return parameter.own(values[name])
            except ValueError:
                raise SettingsError(
                    f"`{name}` cannot be {shown(values[name])}; its values: {parameter.described}."
                ) from None

        normal = self._point(own)
        for name in point:
            if name not in self.names:
                raise SettingsError(unknown("parameter", name, self.names))
            if name not in normal:
                raise SettingsError(f"`{name}` is not active at this point: leave it out.")
        return normal

    def split(
        self, point: Mapping[str, Any], targets: Targets | None = None
    ) -> dict[str, dict[str, Any]]:
        """The values of a point by namespace: `fit`, `model` and `estimator`, without the prefix.

        With `targets`, a list becomes a tuple where the builder or the estimator takes a tuple.
        """
        parts: dict[str, dict[str, Any]] = {namespace: {} for namespace in NAMESPACES}
        for full, value in self.normal(point).items():
            namespace, _, name = full.partition(".")
            target = targets.get(full) if targets else None
            is_tuple = target is not None and target.is_tuple and isinstance(value, list)
            parts[namespace][name] = tuple(value) if is_tuple else value
        return parts

    def to_trial(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """A point as `enqueue_trial` of Optuna takes it: no fixed values, lists as JSON."""
        normal = self.normal(point)
        return {p.name: p.label(normal[p.name]) for p in self.searched if p.name in normal}

    def of_trial(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The point of a trial's `params`, with the fixed values.

        Raises SettingsError for parameters of another space.
        """
        return self._read(params, {p.name: p.corners()[0] for p in self if p.is_fixed})

    def _point(self, value_of: Callable[[Parameter], Any]) -> dict[str, Any]:
        """The point that has this value of each active parameter."""
        point: dict[str, Any] = {}
        for parameter in self._order:
            if parameter.is_active(point):
                point[parameter.name] = value_of(parameter)
        return point

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self.parameters)

    def __len__(self) -> int:
        return len(self.parameters)

    def __getitem__(self, name: str) -> Parameter:
        """The parameter of a full name; raises KeyError that lists the names."""
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        raise KeyError(unknown("parameter", name, self.names))
