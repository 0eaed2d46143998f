"""TuningSettings, the choices of a hyperparameter search."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import field_validator

from workbench.errors import SettingsError
from workbench.settings import SET, TechniqueSettings, free_form, knob, nested, scaled
from workbench.settings.spaces import NAMESPACES, Space
from workbench.training import FitSettings

__all__ = ["TrialFit", "TuningSettings"]

OF_SEVERAL = ("auto", "grid", "random", "tpe", "gp", "qmc", "nsga2")  # samplers


class TrialFit(FitSettings):
    """Training of each trial, for the settings that the space does not vary."""

    max_steps: int | None = scaled(smoke=100, standard=None, thorough=None, low=1)
    """Limit on the number of optimizer steps."""


class TuningSettings(TechniqueSettings):
    """Space, sampler, scores of a trial, and workers."""

    space: dict[str, Any] = free_form({}, title="Search space")
    """Parameters to search, as a mapping, as YAML text, or as the path of a YAML file: fit.NAME for
    settings of training, model.NAME for arguments of the builder, estimator.NAME for parameters of
    a scikit-learn estimator. Empty: the usual space of the model. Early stopping finds the rounds
    of a boosted ensemble, unless the space names them.
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
        "auto", only_if={"second_objective": "none"}, title="Trial pruner"
    )
    """Rule that stops a trial before its last fold, or before its last epoch if there is one fold.
    Auto: median if there are several folds.
    """

    second_objective: Literal["none", "latency_ms", "size_bytes", "macs"] = knob(
        "none", only_if={"sampler": OF_SEVERAL}, expert=True, title="Second objective"
    )
    """Cost to lower while the score rises: latency_ms (batch 1, one thread), size_bytes, macs. Of
    the trials that no other one beats in both, the one with the best score is taken.
    """

    max_latency_ms: float | None = knob(
        None, above=0, unit="ms", expert=True, title="Highest latency"
    )
    """Latency at batch 1 on one thread above which a trial is never taken. Empty: no limit."""

    max_size_bytes: int | None = knob(None, low=1, unit="bytes", expert=True, title="Largest size")
    """Size of the model above which a trial is never taken. Empty: no limit."""

    max_macs: int | None = knob(None, low=1, expert=True, title="Most multiply-adds")
    """Multiply-adds a row above which a trial is never taken. Empty: no limit."""

    n_workers: int = knob(1, low=1, high=256, expert=True, title="Workers")
    """Number of processes that run trials at the same time, each with its share of the threads."""

    study: str = knob("", expert=True, title="Name of the study")
    """Name under which trials are kept for later runs, which go on with them. Empty: the trials
    belong to this run alone.
    """

    storage: str = knob("", only_if={"study": SET}, expert=True, title="Storage of trials")
    """URL of a database of Optuna that several machines share, such as postgresql://HOST/NAME, or
    grpc://HOST:PORT for its proxy. Empty: a journal file.
    """

    fit: TrialFit = nested(TrialFit, expert=True, title="Training of a trial")
    """Training of each trial, for the settings that the space does not vary."""

    @field_validator("space")
    @classmethod
    def _check_space(cls, space: dict[str, Any]) -> dict[str, Any]:
        """Refuse ranges and conditions that are wrong for every model, before a run begins.

        The names themselves are checked against the model, when the run begins.
        """
        known = {n: v for n, v in space.items() if str(n).partition(".")[0] in NAMESPACES}
        if known:
            try:
                Space.of(known)
            except SettingsError as error:
                texts = " ".join(text for _, text in error.problems)
                raise ValueError(f"is refused: {texts}") from None
        return space

    @property
    def objectives(self) -> tuple[str, ...]:
        """The values to optimize; quality is the deciding metric of the task."""
        second = self.second_objective
        return ("quality",) if second == "none" else ("quality", second)

    @property
    def limits(self) -> dict[str, float]:
        """The highest allowed costs by name."""
        limits = {
            "latency_ms": self.max_latency_ms,
            "size_bytes": self.max_size_bytes,
            "macs": self.max_macs,
        }
        return {name: value for name, value in limits.items() if value is not None}
