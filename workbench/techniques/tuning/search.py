"""Search, the loop of trials: ask for a point, score it, tell the score; alone or as a worker."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import Cancelled, TaskError, WorkbenchError, required, sentence_of
from workbench.events import Report
from workbench.techniques.tuning.problem import Problem, Score
from workbench.techniques.tuning.samplers import (
    HYPEROPT,
    make_pruner,
    make_qmc,
    make_sampler,
    trial_pruner_of,
)
from workbench.techniques.tuning.storage import Study, open_study
from workbench.techniques.tuning.trials import (
    DEFAULT,
    ERROR,
    SCORE,
    SURPLUS,
    WORKER,
    best_of,
    counted,
    finished,
    here,
    lose,
    retry_orphans,
    score_of,
)

__all__ = ["Search", "outputs_path"]

QUEUED = "queued"  # attribute of a study: points of a grid that are in the queue
FIRST_FAILURES = 3  # trials after which a search without any success ends
EPOCHS = 50  # reports of a trial with one fold, for the trial pruner


def outputs_path(folder: Path, number: int) -> Path:
    """The outputs on valid of a trial that was the best when it ended."""
    return folder / "unseen" / f"{number}.npz"


@dataclass(frozen=True)
class Search:
    """A search on one study, in this process; several of them may share the study."""

    problem: Problem
    began: float = 0.0

    @cached_property
    def study(self) -> Study:
        """The study, made with its queue if it is new."""
        problem, settings = self.problem, self.problem.settings
        task = problem.job.task
        study = open_study(
            settings,
            problem.job.folder,
            problem.job.cache,
            space=problem.space,
            about={
                "task": task.name,
                "model": problem.job.start.builder_name or problem.job.start.name,
                "metric": task.metric.name,
                "rows": task.data.train.digest,
                "folds": settings.folds,
                "repeats": settings.repeats,
                "seed": problem.job.seed,
                "budget": settings.budget,
            },
            directions=[
                "maximize" if name == "quality" and task.metric.sign > 0 else "minimize"
                for name in settings.objectives
            ],
        )
        study.pruner = self._pruner
        return study

    @cached_property
    def n_trials(self) -> int:
        """The number of trials to finish: at most the number of points."""
        size = self.problem.space.size()
        n = required(self.problem.settings.n_trials)
        return n if size is None else min(n, size)

    @cached_property
    def _pruner(self) -> Any:
        settings = self.problem.settings
        n_folds = len(self.problem.folds)
        return make_pruner(trial_pruner_of(settings), n_folds if n_folds > 1 else EPOCHS)

    def prepare(self) -> None:
        """Retry the trials of killed processes, and queue the default settings and a grid."""
        study, problem = self.study, self.problem
        retry_orphans(study)
        if QUEUED not in study.user_attrs:
            study.set_user_attr(QUEUED, 0)
            if problem.default is not None and problem.settings.sampler != "grid":
                values = problem.space.to_trial(problem.default)
                study.enqueue_trial(values, user_attrs={DEFAULT: True})
        if problem.settings.sampler == "grid":
            points = self._grid()
            n_queued = int(study.user_attrs[QUEUED])
            for point in points[n_queued : self.n_trials]:
                attributes = {DEFAULT: True} if point == problem.default else {}
                study.enqueue_trial(problem.space.to_trial(point), user_attrs=attributes)
            study.set_user_attr(QUEUED, max(n_queued, self.n_trials))

    def _grid(self) -> list[dict[str, Any]]:
        """The points of the grid in a random order, so that any number of them is a fair sample."""
        points = self.problem.space.grid(self.problem.settings.grid_values)
        random.Random(self.problem.job.seed).shuffle(points)
        default = self.problem.default
        return sorted(points, key=lambda point: point != default)

    def run(self, report: Report) -> None:
        """Run trials until there are enough, or no time is left.

        Raises TaskError where the first trials all fail, Cancelled on request; finished trials are
        kept in any case.
        """
        while self.goes_on():
            if not self._trial(report):
                break
            self.tell_progress(report)

    def goes_on(self) -> bool:
        """Whether another trial begins."""
        done = finished(self.study)
        self._refuse_failures(done)
        timeout = self.problem.settings.timeout
        is_late = timeout is not None and time.time() - self.began > timeout
        return len(done) < self.n_trials and not is_late

    def tell_progress(self, report: Report) -> None:
        """Report the number of finished trials and the best score so far."""
        done = finished(self.study)
        best = best_of(self.study, self.problem.job.task.metric.sign)
        score = None if best is None else score_of(best)
        if score is not None:
            report.curve(f"best {self.problem.job.task.metric.name}", len(done), score.mean)
        report.progress(len(done), self.n_trials, f"{len(done)} of {self.n_trials} trials")

    def _refuse_failures(self, done: list[Any]) -> None:
        errors = [t.user_attrs.get(ERROR, "") for t in done if t.state.name == "FAIL"]
        if len(errors) >= FIRST_FAILURES and len(errors) == len(done):
            raise TaskError(f"The first {len(errors)} trials failed: {errors[-1]}")

    def _trial(self, report: Report) -> bool:
        """Run one trial; False where all trials have been taken by other workers."""
        study, space = self.study, self.problem.space
        n_before = len(_begun(study))
        if n_before >= self.n_trials:  # other workers have the last ones
            return False
        study.sampler = self._sampler(n_before)
        if self.problem.settings.sampler in HYPEROPT:
            self._propose(n_before)
        trial = study.ask()
        trial.set_user_attr(WORKER, self._here)
        if self._is_surplus(trial.number):
            trial.set_user_attr(SURPLUS, True)
            self._fail(trial)
            return False
        try:
            point = space.suggest(trial)
            self._scored(trial, point, report, len(finished(study)))
        except (Cancelled, KeyboardInterrupt):
            lose(study, trial)
            raise
        return True

    @cached_property
    def _here(self) -> dict[str, Any]:
        return here()

    def _sampler(self, n_before: int) -> Any:
        """A sampler whose seed depends on the trials before, so that a resumed search is equal."""
        name, seed = self.problem.settings.sampler, self.problem.job.seed
        if name == "qmc":
            return make_qmc(seed)
        state = int(np.random.SeedSequence([seed, n_before]).generate_state(1)[0])
        return make_sampler(name, state, self.n_trials)

    def _propose(self, n_before: int) -> None:
        from optuna.trial import TrialState

        from workbench.techniques.tuning.hyperopt_points import proposed

        waiting = self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        if not waiting:
            self.study.enqueue_trial(proposed(self.problem, self.study, n_before))

    def _is_surplus(self, number: int) -> bool:
        """Whether workers that asked at the same moment began more trials than there are to be."""
        if self.problem.settings.n_workers == 1:
            return False
        return sum(t.number < number for t in _begun(self.study)) >= self.n_trials

    def _scored(self, trial: Any, point: dict[str, Any], report: Report, n_done: int) -> None:
        """Score a point and tell the study; a trial that raises an error is failed with it."""
        import optuna

        study, settings = self.study, self.problem.settings
        is_default = bool(trial.user_attrs.get(DEFAULT))
        pruner = trial_pruner_of(settings)

        def heard(step: int, score: float) -> None:
            if pruner == "none":
                return
            trial.report(score, step)
            if not is_default and trial.should_prune():
                raise optuna.TrialPruned

        score = Score()
        part = report.part(n_done, self.n_trials, f"trial {n_done + 1} of {self.n_trials}")
        try:
            known = self._known(trial)
            if known is None:
                self.problem.score(point, part, heard, into=score)
            else:
                score = known
        except optuna.TrialPruned:
            if score.folds:
                trial.set_user_attr(SCORE, score.record())
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            return
        except (Cancelled, KeyboardInterrupt):
            raise
        except Exception as error:  # the user's code too: the other trials go on
            is_ours = isinstance(error, WorkbenchError)
            text = str(error) if is_ours else f"{type(error).__name__}: {sentence_of(error)}"
            trial.set_user_attr(ERROR, text)
            self._fail(trial)
            return
        self._keep_outputs(trial.number, score)
        trial.set_user_attr(SCORE, score.record())
        for name, limit in settings.limits.items():
            trial.set_constraint(name, score.costs[name] - limit)
        study.tell(trial, [score.value(name) for name in settings.objectives])

    def _known(self, trial: Any) -> Score | None:
        """The score of an earlier trial at the same point, which would be the same again."""
        same = (
            t
            for t in finished(self.study)
            if t.state.name == "COMPLETE" and t.params == trial.params
        )
        return next((score_of(t) for t in same), None)

    def _keep_outputs(self, number: int, score: Score) -> None:
        """Keep the outputs on valid of a trial that is the best so far."""
        sign = self.problem.job.task.metric.sign
        best = best_of(self.study, sign)
        before = None if best is None else score_of(best)
        if score.outputs and (before is None or sign * score.mean >= sign * before.mean):
            path = outputs_path(self.problem.job.folder, number)
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(path, outputs=np.stack(score.outputs))

    def _fail(self, trial: Any) -> None:
        from optuna.trial import TrialState

        self.study.tell(trial, state=TrialState.FAIL)


def _begun(study: Study) -> list[Any]:
    """The trials that count and do not wait in the queue."""
    return [t for t in counted(study) if t.state.name != "WAITING"]
