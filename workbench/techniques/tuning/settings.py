"""TuningSettings, the choices of a hyperparameter search."""

from __future__ import annotations

from typing import Any, Literal

from workbench.settings import TechniqueSettings, free_form, knob, nested, scaled
from workbench.training import FitSettings

__all__ = ["OBJECTIVES", "TrialFit", "TuningSettings"]

OBJECTIVES = ("quality", "latency_ms", "size_bytes", "macs")
"""Values that a search can optimize or limit; quality is the deciding metric of the task."""

FEW = "`{}` looks at one objective: set `{}`, or leave one objective in `objectives`."


class TrialFit(FitSettings):
    """Training of each trial, for the settings that the space does not vary."""

    max_steps: int | None = scaled(smoke=100, standard=None, thorough=None, low=1)
    """Limit on the number of optimizer steps."""


class TuningSettings(TechniqueSettings):
    """Space, sampler, scores of a trial, and workers."""

    space: dict[str, Any] = free_form({}, title="Search space")
    """Parameters to search, as a mapping, as YAML text, or as the path of a YAML file: fit.NAME for
    settings of training, model.NAME for arguments of the builder, estimator.NAME for parameters of
    a scikit-learn estimator. Empty: the usual space of the model.
    """

    n_trials: int | None = scaled(
        smoke=4, standard=30, thorough=150, low=1, high=100_000, log=True, title="Number of trials"
    )
    """Number of trials to finish, those that are stopped early included."""

    timeout: float | None = knob(None, above=0, unit="s", title="Time limit")
    """Time after which no new trial begins. Empty: no limit."""

    sampler: Literal[
        "auto",
        "grid",
        "random",
        "tpe",
        "gp",
        "cmaes",
        "qmc",
        "nsga2",
        "hyperopt_tpe",
        "hyperopt_random",
    ] = knob("auto", title="Sampler")
    """Method that proposes the next point. Auto: a grid if it has at most as many points as trials,
    a Gaussian process for a few ranges of numbers and one worker, else the tree-structured Parzen
    estimator.
    """

    grid_values: int | None = knob(
        None, low=2, high=1000, only_if={"sampler": "grid"}, expert=True, title="Values of a range"
    )
    """Number of values that a grid takes of each range without a step. Empty: such a range is
    refused.
    """

    folds: int | None = scaled(
        smoke=1, standard=3, thorough=5, low=1, high=50, title="Folds of a trial"
    )
    """Folds of train on which each trial is trained and scored; 1 holds out a fifth of train."""

    repeats: int = knob(1, low=1, high=50, expert=True, title="Repeats of the folds")
    """Number of times that the folds are cut anew, with other seeds of training."""

    trial_pruner: Literal["auto", "none", "median", "halving", "hyperband"] = knob(
        "auto", title="Trial pruner"
    )
    """Rule that stops a trial before its last fold, or before its last epoch if there is one fold.
    Auto: median for one objective, none for several.
    """

    objectives: list[str] = free_form(["quality"], expert=True, title="Objectives")
    """Values to optimize: quality, which is the deciding metric of the task, latency_ms (batch 1,
    one thread), size_bytes, macs. Of the trials that no other one beats, the one with the best
    score is taken.
    """

    limits: dict[str, float] = free_form({}, expert=True, title="Limits")
    """Highest values of latency_ms, size_bytes or macs. A trial above one is never taken."""

    n_workers: int = knob(1, low=1, high=256, expert=True, title="Workers")
    """Number of processes that run trials at the same time, each with its share of the threads."""

    study: str = knob("", expert=True, title="Name of the study")
    """Name under which trials are kept for later runs, which go on with them. Empty: the trials
    belong to this run alone.
    """

    storage: str = knob("", expert=True, title="Storage of trials")
    """URL of a database of Optuna that several machines share, such as postgresql://HOST/NAME, or
    grpc://HOST:PORT for its proxy. Empty: a journal file.
    """

    fit: TrialFit = nested(TrialFit, expert=True, title="Training of a trial")
    """Training of each trial, for the settings that the space does not vary."""

    def conflicts(self) -> list[tuple[str, str]]:
        """Objectives and limits that do not exist, and methods that take one objective only."""
        from workbench.errors import unknown

        found = [
            ("objectives", unknown("objective", name, OBJECTIVES))
            for name in self.objectives
            if name not in OBJECTIVES
        ]
        found += [
            ("limits", unknown("limit", name, OBJECTIVES[1:]))
            for name in self.limits
            if name not in OBJECTIVES[1:]
        ]
        found += [
            ("limits", f"`limits`: {name} must be above 0, got {value}.")
            for name, value in self.limits.items()
            if not value > 0
        ]
        if not self.objectives or len(set(self.objectives)) < len(self.objectives):
            found.append(("objectives", "`objectives` needs one or more names, each once."))
        if len(self.objectives) > 1:
            found += self._of_one_objective()
        if self.storage and not self.study:
            found.append(("study", "`storage` is shared: give the study a name with `study`."))
        return found

    def _of_one_objective(self) -> list[tuple[str, str]]:
        found = []
        if self.trial_pruner not in ("auto", "none"):
            found.append(("trial_pruner", FEW.format("trial_pruner", "trial_pruner: none")))
        if self.sampler == "cmaes" or self.sampler.startswith("hyperopt"):
            found.append(("sampler", FEW.format(f"sampler: {self.sampler}", "sampler: nsga2")))
        return found
