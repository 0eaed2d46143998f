"""Samplers and trial pruners of Optuna for a space: the automatic choice, and what is refused."""

from __future__ import annotations

import warnings
from typing import Any

from workbench.errors import SettingsError, required
from workbench.settings.spaces import Space
from workbench.techniques.tuning.settings import TuningSettings

__all__ = ["HYPEROPT", "make_pruner", "make_sampler", "sampler_of", "trial_pruner_of"]

HYPEROPT = ("hyperopt_tpe", "hyperopt_random")
MOST_FOR_GP = 100  # trials: a Gaussian process takes longer with each one
N_RANDOM = 10  # first trials of the samplers that learn from the others
LEAST_OF_GP = 15  # trials from which it has something to learn from


def sampler_of(settings: TuningSettings, space: Space) -> str:
    """The sampler of the settings, chosen by a rule where they say `auto`.

    A grid where all points can be tried; a Gaussian process where all parameters are ranges of
    numbers without conditions, one process searches, and the trials are enough to learn from and
    few enough to compute with; else TPE. Raises SettingsError for a sampler that cannot search the
    space.
    """
    n_trials, name = required(settings.n_trials), settings.sampler
    if name == "auto":
        size = space.size()
        if size is not None and size <= n_trials:
            return "grid"
        is_plain = not space.has_conditions and not space.has_categories
        is_single = len(settings.objectives) == 1 and settings.n_workers == 1
        if is_plain and is_single and LEAST_OF_GP <= n_trials <= MOST_FOR_GP:
            return "gp"
        return "tpe"
    _refuse(name, settings, space)
    return name


def _refuse(name: str, settings: TuningSettings, space: Space) -> None:
    """Raise SettingsError for a sampler that cannot search this space."""
    conditional = [p.name for p in space if p.conditions]
    categories = [p.name for p in space.searched if type(p).__name__ == "Choice"]
    if name == "grid":
        endless = [p.name for p in space.searched if p.n_values is None]
        if endless and settings.grid_values is None:
            raise SettingsError(
                f"A grid needs a number of values for {_listed(endless)}: give a `step` in the "
                "space, or `grid_values`."
            )
    if name in ("gp", "cmaes", "qmc") and conditional:
        raise SettingsError(
            f"`sampler: {name}` cannot search {_listed(conditional)}, which is active at some "
            "points only: use `tpe`, `random` or `grid`."
        )
    if name == "cmaes" and categories:
        raise SettingsError(
            f"`sampler: cmaes` moves along numbers, and {_listed(categories)} has values without "
            "an order: use `tpe`, or make it a range."
        )


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def trial_pruner_of(settings: TuningSettings) -> str:
    """The trial pruner, chosen where the settings say `auto`."""
    if settings.trial_pruner != "auto":
        return settings.trial_pruner
    return "median" if len(settings.objectives) == 1 else "none"


def make_sampler(name: str, seed: int, n_trials: int) -> Any:
    """An Optuna sampler with a seed; points of a grid and of Hyperopt come from a queue."""
    import optuna
    from optuna import samplers

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if name == "tpe":
            return samplers.TPESampler(
                seed=seed, n_startup_trials=min(N_RANDOM, max(3, n_trials // 3)), group=True
            )
        if name == "gp":
            return samplers.GPSampler(seed=seed, n_startup_trials=min(N_RANDOM, n_trials // 3))
        if name == "cmaes":
            return samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
        if name == "nsga2":
            size = max(4, min(50, n_trials // 4))
            return samplers.NSGAIISampler(seed=seed, population_size=size)
        return samplers.RandomSampler(seed=seed)


def make_qmc(seed: int) -> Any:
    """The sampler of a scrambled Sobol sequence: one seed for the whole study."""
    import optuna
    from optuna import samplers

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return samplers.QMCSampler(
            seed=seed,
            scramble=True,
            warn_independent_sampling=False,
            warn_asynchronous_seeding=False,
        )


def make_pruner(name: str, n_steps: int) -> Any:
    """An Optuna pruner for trials that report at most `n_steps` values."""
    from optuna import pruners

    if name == "median":
        return pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=0 if n_steps < 10 else 2)
    if name == "halving":
        return pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=2)
    if name == "hyperband":
        return pruners.HyperbandPruner(min_resource=1, max_resource=n_steps, reduction_factor=3)
    return pruners.NopPruner()
