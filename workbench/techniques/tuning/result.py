"""The outcome of a search: the best point trained on all of train, its control, and the notes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from workbench.errors import TaskError
from workbench.system.wording import difference_text, value_text
from workbench.technique import Outcome
from workbench.techniques.tuning.importance import importance
from workbench.techniques.tuning.problem import Problem, Score
from workbench.techniques.tuning.search import Search
from workbench.techniques.tuning.tables import curse_table, front_table
from workbench.techniques.tuning.trials import (
    DEFAULT,
    ERROR,
    best_of,
    finished,
    point_of,
    score_of,
    trial_table,
)

__all__ = ["outcome_of"]

MOST_SHOWN = 6  # parameters in a note
OUTSIDE = (
    "The default settings are outside of the search space, so no trial has them; the control is "
    "trained with them."
)
LEAST_GAPS = 5  # complete trials whose mean difference says something


def outcome_of(search: Search) -> Outcome:
    """Train the best point and the default settings on all of train, each for its best epochs.

    Raises TaskError where no trial is complete within the limits.
    """
    problem, study, report = search.problem, search.study, search.problem.job.report
    metric = problem.job.task.metric
    best = best_of(study, metric.sign)
    if best is None:
        raise TaskError(_without_result(study))
    score = score_of(best)
    assert score is not None  # best_of takes trials with a score only
    point = point_of(best, problem.space)
    tuned = problem.final(point, score, report.part(0, 2, "training the best point"))
    default, is_best = _default(search, best)
    text = "training with default settings"
    control = tuned if is_best else problem.final(None, default, report.part(1, 2, text))
    start = problem.job.start
    candidate = start.child(
        f"{start.name}-tuned",
        "tuning",
        model=tuned.model,
        prepare=tuned.prepare,
        builder_args=tuned.builder_args,
        fit=tuned.fit,
        training=tuned.training,
        macs=None,
        trains_anew=True,
    )
    curse = curse_table(problem, study)
    trials = trial_table(study, problem.space)
    tables = {
        "trials": trials,
        "curse": curse,
        "importance": importance(trials, problem.space, metric, seed=problem.job.seed),
        **(
            {"front": front_table(study, list(problem.settings.objectives))}
            if len(problem.settings.objectives) > 1
            else {}
        ),
    }
    notes = [
        _best_note(search, best, point, score, is_best),
        _rounds_note(problem, score),
        OUTSIDE if problem.default is None else "",
        _curse_note(problem, curse, trials, score),
        *_counts(search),
        *score.notes,
    ]
    return Outcome(
        candidate,
        problem.settings,
        evidence=tables,
        notes=tuple(note for note in notes if note),
        partial=len(finished(study)) < search.n_trials,
        control=replace(control, name=f"{start.name}-default", parent=start.name),
    )


def _default(search: Search, best: Any) -> tuple[Score, bool]:
    """The score of the default settings, and whether they are the best point.

    An estimator without a score is trained as it is given: its rounds are a default setting too.
    """
    problem = search.problem
    if problem.finds_rounds:
        return Score(), False
    for trial in finished(search.study):
        score = score_of(trial)
        if trial.user_attrs.get(DEFAULT) and trial.state.name == "COMPLETE" and score is not None:
            return score, trial.number == best.number
    if not problem.anew.form.trained_by_loss:
        return Score(), False  # an estimator is trained on all of train, whatever its score
    report = problem.job.report.part(1, 2, "default settings")
    return problem.score(None, report), False


def _without_result(study: Any) -> str:
    done = finished(study)
    errors = [t.user_attrs[ERROR] for t in done if ERROR in t.user_attrs]
    if errors:
        return f"None of {len(done)} trials ended with a score: {errors[-1]}"
    if any(t.state.name == "COMPLETE" for t in done):
        return (
            f"None of {len(done)} trials keeps the limits of costs: raise them, or search smaller "
            "models."
        )
    return (
        f"None of {len(done)} trials ran to its end within the time: raise `timeout`, or train "
        "less in a trial (`fit`, `folds`)."
    )


def _best_note(
    search: Search, best: Any, point: dict[str, Any], score: Score, is_default: bool
) -> str:
    problem, n_done = search.problem, len(finished(search.study))
    metric = problem.job.task.metric
    if is_default:
        return f"None of {_trials(n_done)} scored better than the default settings."
    parts = [f"{name} {_value(value)}" for name, value in list(point.items())[:MOST_SHOWN]]
    n_more = len(point) - len(parts)
    more = f" and {n_more} more" if n_more > 0 else ""
    return (
        f"Best of {_trials(n_done)}: number {best.number} with {', '.join(parts)}{more}; "
        f"{metric.name} {value_text(score.mean, metric.unit)} on folds of train "
        f"(sampler {problem.settings.sampler})."
    )


def _rounds_note(problem: Problem, score: Score) -> str:
    """How many rounds a boosted ensemble was trained for, and why; empty for other models."""
    if not problem.finds_rounds or not score.epochs:
        return ""
    found = ", ".join(str(n) for n in score.epochs)
    where = "on the fold" if len(score.epochs) == 1 else f"on the folds, the median of {found}"
    return f"Trained for {score.epoch} rounds, as early stopping found {where}."


def _trials(n: int) -> str:
    return f"{n} trial{'' if n == 1 else 's'}"


def _value(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _curse_note(problem: Problem, curse: Any, trials: Any, score: Score) -> str:
    """The best score beside that of the same models on rows that no trial saw.

    Folds and valid may differ for all models alike, as of another time. What the winner loses
    beyond that was luck in the choice.
    """
    if not len(curse) or not np.isfinite(curse["unseen"].iloc[-1]):
        return ""
    last, metric = curse.iloc[-1], problem.job.task.metric
    unseen, low, high = (
        value_text(last[k], metric.unit) for k in ("unseen", "unseen_low", "unseen_high")
    )
    interval = f" ({low} to {high})" if np.isfinite(last["unseen_low"]) else ""
    text = (
        f"Chosen by {value_text(score.mean, metric.unit)} on folds of train; the same models have "
        f"{unseen}{interval} on valid, which no trial saw."
    )
    complete = trials[trials["state"] == "complete"]
    gaps = (complete["unseen"] - complete["score"]).dropna()
    if len(gaps) < LEAST_GAPS:
        return text
    luck = last["unseen"] - score.mean - gaps.mean()
    return (
        f"{text} All complete trials differ by {difference_text(gaps.mean(), metric.unit)} between "
        f"the two on average, the best one by {difference_text(luck, metric.unit)} more: that was "
        "luck of the choice, the winner's curse."
        if metric.sign * luck < 0
        else text
    )


def _counts(search: Search) -> list[str]:
    """Notes on trials that failed, and on trials that were not made."""
    done = finished(search.study)
    notes = []
    errors = [t.user_attrs.get(ERROR, "") for t in done if t.state.name == "FAIL"]
    if errors:
        notes.append(f"{len(errors)} of {len(done)} trials failed, the last one: {errors[-1]}")
    asked = search.problem.settings.n_trials or 0
    size = search.problem.space.size()
    if size is not None and size < asked:
        noun = "point" if size == 1 else "points"
        notes.append(f"The space has {size} {noun}: no more trials were made.")
    elif len(done) < search.n_trials:
        notes.append(f"{len(done)} of {search.n_trials} trials were made within the time limit.")
    return notes
