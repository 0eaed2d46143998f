"""Early stopping of a boosted ensemble: its rounds are those with the best score on held rows."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.models.boosted.ensembles import first_rounds, library_of, rounds_name, with_rounds

__all__ = ["MOST_ROUNDS", "PATIENCE", "Followed", "fitted_early"]

MOST_ROUNDS = {"smoke": 100, "standard": 1000, "thorough": 3000}
"""Rounds after which training ends in any case, or those of the estimator if it has more."""

PATIENCE = {"smoke": 20, "standard": 50, "thorough": 100}
"""Rounds without a better score after which training ends."""

N_TOLD = 50  # scores of a training that are told
OWN_ROUNDS = 100  # of XGBoost, where its parameter is None


class Followed:
    """The scores of an ensemble on held rows, a round each; higher is better.

    `score(predictions)` is that of the predictions after a round, `told(n, score)` is called for
    some of the rounds, `patience` is the number of rounds without a better score that end it.
    """

    def __init__(
        self,
        score: Callable[[np.ndarray], float],
        told: Callable[[int, float], None],
        *,
        patience: int,
    ) -> None:
        self.scores: list[float] = []
        self.n_most = 1
        self._score = score
        self._told = told
        self._patience = patience

    def __call__(self, predictions: np.ndarray) -> bool:
        """Whether training ends after a round with these predictions."""
        self.scores.append(self._score(predictions))
        n = len(self.scores)
        ends = n - 1 - int(np.argmax(self.scores)) >= self._patience
        if ends or n % max(1, self.n_most // N_TOLD) == 0:
            self._told(n, self.scores[-1])
        return ends

    @property
    def best(self) -> int:
        """The last number of rounds with the best score, from 1.

        Held rows that are few give many equal scores, the first of them after few rounds.
        """
        return 1 + int(np.flatnonzero(np.asarray(self.scores) == max(self.scores))[-1])


def fitted_early(
    model: Any,
    x: Any,
    y: np.ndarray,
    held: tuple[Any, np.ndarray],
    followed: Followed,
    *,
    most: int,
) -> Any:
    """A copy of an ensemble fitted on `x` and `y`, with the rounds that are best on held rows.

    `held` are features and targets. Steps of a pipeline before the ensemble are fitted on `x`, and
    transform the held rows. `most` are rounds; an ensemble that has more of its own may make those.
    """
    own = model.get_params()[rounds_name(model)] or OWN_ROUNDS
    followed.n_most = max(most, own)
    return _fitted(with_rounds(model, followed.n_most), x, y, held, followed)


def _fitted(
    model: Any, x: Any, y: np.ndarray, held: tuple[Any, np.ndarray], followed: Followed
) -> Any:
    if hasattr(model, "steps"):
        front = model[:-1]
        if len(front):
            x, held = front.fit_transform(x, y), (front.transform(held[0]), held[1])
        name, inner = model.steps[-1]
        changed = copy.copy(model)
        changed.steps = [*front.steps, (name, _fitted(inner, x, y, held, followed))]
        return changed
    library = library_of(model)
    assert library is not None  # the caller gives a boosted ensemble
    library.fit(model, x, y, held, followed)
    return first_rounds(model, followed.best)
