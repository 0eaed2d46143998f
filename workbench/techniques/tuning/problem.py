"""Problem, all that a trial needs: the candidate of a point, and its scores on folds of train.

Each fold trains the candidate anew on its part of train, and scores it on the rows held out. A part
of the fold's train rows is an inner hold-out, by which networks and boosted ensembles stop early.
Valid is predicted too, and no choice looks at it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from statistics import median
from typing import Any

import numpy as np

from workbench.data.folds import Fold, fold_indices
from workbench.errors import SettingsError, required, sentence_of
from workbench.events import PartReport, Report
from workbench.measure.anew import Anew
from workbench.measure.held_out import fold_seed, held_out_values
from workbench.models.boosted import n_rounds, rounds_name, with_rounds
from workbench.models.usual_spaces import FIT_NAMES, estimator_space
from workbench.runtimes.outputs import outputs_on
from workbench.settings.spaces import Space, Targets, space_of_knobs
from workbench.task import Candidate
from workbench.technique import Job
from workbench.techniques.tuning.costs import costs_of
from workbench.techniques.tuning.settings import TuningSettings
from workbench.training import RegularizedFit

__all__ = ["Problem", "Score"]

Heard = Callable[[int, float], None]  # a step and the score so far; may raise to stop the trial


@dataclass
class Score:
    """The scores of one point.

    `folds` and `unseen` are the deciding metric on the rows held out and on valid, by fold;
    `epochs` the best epoch of each fold, for a boosted ensemble the best number of rounds (empty
    for other estimators), `costs` the costs that were measured, `outputs` those on valid
    `(folds, rows, ...)`.
    """

    folds: list[float] = field(default_factory=list)
    unseen: list[float] = field(default_factory=list)
    epochs: list[int] = field(default_factory=list)
    costs: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    outputs: list[np.ndarray] = field(default_factory=list)

    @property
    def mean(self) -> float:
        """The mean over the folds so far."""
        return float(np.mean(self.folds))

    @property
    def epoch(self) -> int | None:
        """The median best epoch of the folds; None where none was found."""
        return max(1, round(median(self.epochs))) if self.epochs else None

    def value(self, objective: str) -> float:
        """The value of an objective."""
        return self.mean if objective == "quality" else self.costs[objective]

    def record(self) -> dict[str, Any]:
        """The plain values, without the outputs."""
        names = ("folds", "unseen", "epochs", "costs", "seconds", "notes")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Score:
        """The score of a `record`."""
        return cls(**record)


@dataclass(frozen=True)
class Problem:
    """A candidate whose hyperparameters are searched; `settings` are resolved."""

    job: Job
    settings: TuningSettings

    @cached_property
    def anew(self) -> Anew:
        """The start, as it is trained anew; raises CandidateError where it cannot be."""
        return Anew.of(self.job.start, self.job.task)

    @cached_property
    def targets(self) -> Targets:
        """The names that the space may vary."""
        start, task = self.job.start, self.job.task
        if self.anew.form.settings_in_model:
            return Targets.of(estimator=start.model)
        builder = task.builders.get(start.builder_name) if self.anew.is_from_builder else None
        return Targets.of(fit=self.fit, builder=builder)

    @cached_property
    def fit(self) -> RegularizedFit:
        """The training of a trial with the default settings: any knob of it may be searched."""
        brought = {**self.job.task.fit_of(self.job.start), **self.settings.fit.tree()}
        return RegularizedFit(**brought).resolved(self.settings.budget)

    @cached_property
    def space(self) -> Space:
        """The space of the settings, else that of the task for this model, else the usual one.

        Raises SettingsError for a space that is refused, and for an estimator without a usual one.
        """
        own = self.settings.space or (self.job.task.spaces or {}).get(self.job.start.builder_name)
        if own:
            return Space.of(own, self.targets)
        if self.targets.fit is not None:
            return space_of_knobs(self.targets.fit, FIT_NAMES)
        usual = estimator_space(self.job.start.model)
        if not usual:
            name = type(self.job.start.model).__name__
            example = next(iter(self.targets.names), "estimator.alpha")
            raise SettingsError(
                f"There is no usual search space for {name}: declare `space`, such as "
                f"`{example}: {{low: 0.01, high: 100, log: true}}`."
            )
        return Space.of(usual, self.targets)

    @cached_property
    def finds_rounds(self) -> bool:
        """Whether early stopping finds the rounds of a boosted ensemble: the space lacks them."""
        model = self.job.start.model
        if self.anew.form.trained_by_loss or not self.anew.form.can_stop_early(model):
            return False
        return f"estimator.{rounds_name(model)}" not in {p.name for p in self.space}

    @cached_property
    def folds(self) -> list[Fold]:
        """Row numbers of train, `(learn, held)` of each fold, the same for all trials."""
        return fold_indices(
            self.anew.task.data.train,
            self.job.task.kind,
            required(self.settings.folds),
            seed=self.job.seed,
            repeats=self.settings.repeats,
        )

    @cached_property
    def default(self) -> dict[str, Any] | None:
        """The point of the default settings; None where it lies outside of the space."""
        point = {}
        for parameter in self.space:
            target = self.targets.get(parameter.name)
            namespace, _, name = parameter.name.partition(".")
            value = target.default if target is not None else None
            if namespace == "fit":
                value = self.fit.flat().get(name)
            elif namespace == "model":
                value = self.job.start.builder_args.get(name, value)
            point[parameter.name] = list(value) if isinstance(value, tuple) else value
        active = {p.name for p in self.space if p.is_active(point)}
        point = {name: value for name, value in point.items() if name in active}
        return self.space.normal(point) if self.space.contains(point) else None

    def candidate(self, point: Mapping[str, Any] | None) -> Candidate:
        """The untrained candidate of a point; of the default settings if None.

        Raises SettingsError for values that the builder or the estimator refuses.
        """
        start = self.job.start
        parts = self.space.split(point, self.targets) if point is not None else {}
        if self.anew.form.settings_in_model:
            model = required(self.anew.form.untrained(start.model))()
            try:
                model.set_params(**parts.get("estimator", {}))
            except Exception as error:  # of a class of the user's
                raise SettingsError(
                    f"The estimator refused {parts['estimator']}: {sentence_of(error)}"
                ) from error
            return replace(start, model=model)
        fit = {**self.fit.tree(), **parts.get("fit", {})}
        args = {**start.builder_args, **parts.get("model", {})}
        return replace(start, fit=fit, builder_args=args, training={})

    def score(
        self,
        point: Mapping[str, Any] | None,
        report: Report,
        heard: Heard = lambda step, score: None,
        *,
        into: Score | None = None,
    ) -> Score:
        """Train and score the candidate of a point on each fold; `into` is filled while it goes.

        `heard(step, score)` is called after each fold, and for a single fold after each epoch; it
        may raise to stop the trial. Raises TaskError where training or scoring fails.
        """
        began = time.perf_counter()
        anew = replace(self.anew, candidate=self.candidate(point))
        stops_early = self.finds_rounds and anew.form.can_stop_early(anew.candidate.model)
        result = Score() if into is None else into
        valid = self.job.task.data.valid
        targets = np.asarray(valid.targets)
        n, sign = len(self.folds), self.job.task.metric.sign
        for number, (learn, held) in enumerate(self.folds):
            text = f"fold {number + 1} of {n}" if n > 1 else ""
            part = _FoldReport(report, number, n, text, sign, heard if n == 1 else None)
            trained, notes = anew.trained(
                learn,
                budget=self.settings.budget,
                seed=fold_seed(self.job.seed, number),
                device=self.job.device,
                report=part,
                stops_early=stops_early,
            )
            where = text or "the hold-out"
            result.folds.append(held_out_values(trained, anew.task, held, where, report)[0])
            result.outputs.append(outputs_on(trained, valid, report.silent()))
            result.unseen.append(float(self.job.task.metric(result.outputs[-1], targets)))
            if stops_early:
                result.epochs.append(n_rounds(trained.model))
            elif part.best_epoch:
                result.epochs.append(part.best_epoch)
            result.notes += [note for note in notes if note not in result.notes]
            if number == 0:
                result.costs = costs_of(trained, self.job, self.settings)
            if n > 1:
                heard(number, result.mean)
        result.seconds = time.perf_counter() - began
        return result

    def final(self, point: Mapping[str, Any] | None, score: Score, report: Report) -> Candidate:
        """The candidate of a point, trained on all of train for the median best epoch.

        That of a boosted ensemble is its number of rounds. Nothing is chosen by valid: the weights
        after the last step are kept.
        """
        untrained = self.candidate(point)
        epochs = score.epoch
        if self.anew.form.trained_by_loss:
            own = self._own_fit(point)
            if epochs is not None:
                own |= {"epochs": epochs, "patience": epochs, "restore_best": False}
            untrained = replace(untrained, fit=own)
        elif epochs is not None:
            untrained = replace(untrained, model=with_rounds(untrained.model, epochs))
        anew = replace(self.anew, candidate=untrained)
        return anew.trained_on_all(
            budget=self.settings.budget,
            seed=self.job.seed,
            device=self.job.device,
            report=report,
        )

    def _own_fit(self, point: Mapping[str, Any] | None) -> dict[str, Any]:
        """Settings of training that somebody chose: those of the start, of the user, of the point.

        The others follow from the budget when the candidate is trained again.
        """
        parts = self.space.split(point, self.targets) if point is not None else {}
        given, default = self.settings.fit.tree(), type(self.settings.fit)().resolved("standard")
        usual = default.tree()
        chosen = {k: v for k, v in given.items() if v is not None and v != usual.get(k)}
        chosen.pop("max_steps", None)
        return {**self.job.task.fit_of(self.job.start), **chosen, **parts.get("fit", {})}


class _FoldReport(PartReport):
    """The report of one fold's training, which listens to the scores of its epochs."""

    def __init__(
        self, whole: Report, number: int, n: int, text: str, sign: float, heard: Heard | None
    ) -> None:
        super().__init__(whole, number, n, text, curves=False)
        self._heard = heard
        self._sign = sign
        self._scores: list[float] = []

    def curve(self, name: str, x: float, y: float) -> None:
        """Keep the score of an epoch on the inner hold-out."""
        self.check()
        if name.startswith("valid "):
            self._scores.append(self._sign * y)
            if self._heard is not None:
                self._heard(len(self._scores) - 1, y)

    def message(self, text: str) -> None:
        """Leave out what is said of each fold of each trial."""
        self.check()

    @property
    def best_epoch(self) -> int:
        """The last epoch with the best score on the inner hold-out, from 1; 0 without epochs.

        A hold-out of few rows gives many equal scores, the first of them before training is done.
        """
        if not self._scores:
            return 0
        return 1 + int(np.flatnonzero(np.asarray(self._scores) == max(self._scores))[-1])
