"""Library, the questions about a boosted ensemble whose answers differ by library."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

__all__ = ["Heard", "Library", "two_columns"]

Heard = Callable[[np.ndarray], bool]  # predictions of held rows after a round -> whether to stop


class Library(ABC):
    """One implementation of gradient boosting.

    Models are fitted or unfitted estimators of one of its classes, without a pipeline around them.

    Attributes
    ----------
    package
        First part of the name of the module that its classes come from.
    classes
        Names of its classes; a class derived from one of them counts too.
    rounds
        Parameter that holds the number of rounds.
    """

    package: ClassVar[str]
    classes: ClassVar[tuple[str, ...]]
    rounds: ClassVar[str] = "n_estimators"

    def has(self, model: Any) -> bool:
        """Whether a model is an ensemble of this library."""
        return any(
            c.__name__ in self.classes and c.__module__.partition(".")[0] == self.package
            for c in type(model).__mro__
        )

    def problem(self, model: Any) -> str:
        """Reason why the first rounds are no ensemble of their own, as the end of a sentence."""
        return ""

    def rounds_parameter(self, model: Any) -> str:
        """The parameter that holds the number of rounds of this model."""
        return self.rounds

    def never_stopping(self, model: Any) -> dict[str, Any]:
        """Values of parameters with which training of this model makes all rounds."""
        return {}

    @abstractmethod
    def n_rounds(self, model: Any) -> int:
        """The number of rounds of a fitted model that its predictions use."""

    @abstractmethod
    def n_trees(self, model: Any) -> int:
        """The number of trees of a fitted model."""

    @abstractmethod
    def n_nodes(self, model: Any) -> int:
        """The number of nodes of all trees of a fitted model."""

    def first(self, model: Any, n: int) -> Any:
        """A fitted copy with the first `n` rounds; it shares the trees with the model."""
        short = copy.copy(model)
        short.set_params(**{self.rounds_parameter(model): n})
        self.cut(short, n)
        return short

    @abstractmethod
    def cut(self, model: Any, n: int) -> None:
        """Leave the first `n` rounds of a fitted copy, which may be changed in place."""

    @abstractmethod
    def fit(
        self, model: Any, x: Any, y: np.ndarray, held: tuple[Any, np.ndarray], heard: Heard
    ) -> None:
        """Fit a model in place until `heard` asks to stop, or until it has all its rounds.

        `held` are features and targets of rows that it does not learn from. `heard` gets their
        predictions after each round: probabilities `(rows, classes)` or values `(rows, ...)`.
        """


def two_columns(probabilities: np.ndarray) -> np.ndarray:
    """Probabilities `(rows, 2)` of both classes from those of the second one `(rows,)`."""
    return np.column_stack([1 - probabilities, probabilities])
