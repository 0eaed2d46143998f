"""Points that Hyperopt proposes: its random search and its TPE, on the trials of our study.

Bergstra, Yamins, Cox, "Making a Science of Model Search", ICML 2013.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from workbench.errors import MissingExtra
from workbench.settings.spaces import Choice, Parameter, Range, Space
from workbench.techniques.tuning.problem import Problem
from workbench.techniques.tuning.storage import Study
from workbench.techniques.tuning.trials import finished, score_of

__all__ = ["proposed"]

FIRST_RANDOM = 10  # as for the other samplers, in place of Hyperopt's 20


def proposed(problem: Problem, study: Study, n_before: int) -> dict[str, Any]:
    """The next point as a queue of trials takes it.

    Conditional parameters are drawn at each point, and left out where they are not active. Raises
    MissingExtra without Hyperopt.
    """
    try:
        from hyperopt import Trials, base, hp, rand, tpe
    except ImportError as error:
        raise MissingExtra(
            "This sampler needs Hyperopt: pip install 'model-optimization-workbench[hyperopt]', or "
            "use `sampler: tpe`."
        ) from error
    space, settings = problem.space, problem.settings
    expressions = {p.name: _expression(hp, p) for p in space.searched}
    domain = base.Domain(lambda values: 0.0, expressions)
    history = _history(problem, study, Trials(), base)
    seed = int(np.random.SeedSequence([problem.job.seed, n_before]).generate_state(1)[0] >> 1)
    new_ids = history.new_trial_ids(1)
    if settings.sampler == "hyperopt_random":
        documents = rand.suggest(new_ids, domain, history, seed)
    else:
        documents = tpe.suggest(
            new_ids, domain, history, seed, n_startup_jobs=FIRST_RANDOM, verbose=False
        )
    drawn = {name: values[0] for name, values in documents[0]["misc"]["vals"].items() if values}
    return _as_queued(space, drawn)


def _expression(hp: Any, parameter: Parameter) -> Any:
    """The distribution of a parameter: the places of choices and steps, else a range."""
    name = parameter.name
    if isinstance(parameter, Choice):
        return hp.choice(name, list(range(len(parameter.choices))))
    assert isinstance(parameter, Range)
    low, high = float(parameter.low), float(parameter.high)
    if (parameter.is_int and not parameter.log) or parameter.step is not None:
        return hp.randint(name, parameter.n_values)
    if parameter.log:
        return hp.loguniform(name, math.log(low), math.log(high))
    return hp.uniform(name, low, high)


def _as_queued(space: Space, drawn: dict[str, Any]) -> dict[str, Any]:
    """The drawn values as those of a point, without the parameters that are not active."""
    values = {}
    for parameter in space.searched:
        value = drawn[parameter.name]
        if isinstance(parameter, Choice):
            values[parameter.name] = parameter.choices[int(value)]
        else:
            values[parameter.name] = _of_range(parameter, value)
    point: dict[str, Any] = {p.name: p.corners()[0] for p in space if p.is_fixed}
    point |= values
    active: dict[str, Any] = {}
    for parameter in sorted(space, key=lambda p: len(p.conditions)):
        if parameter.is_active(point):
            active[parameter.name] = point[parameter.name]
    return space.to_trial(_consistent(space, active))


def _consistent(space: Space, point: dict[str, Any]) -> dict[str, Any]:
    """The point without parameters whose conditions name one that is not active."""
    kept = {p.name: point[p.name] for p in space if p.name in point and p.is_active(point)}
    return kept if kept.keys() == point.keys() else _consistent(space, kept)


def _of_range(parameter: Any, value: float) -> float:
    if (parameter.is_int and not parameter.log) or parameter.step is not None:
        return parameter.grid(None, None)[int(value)] if parameter.step else parameter.low + value
    if parameter.is_int:
        return min(max(round(value), parameter.low), parameter.high)
    return min(max(float(value), parameter.low), parameter.high)


def _place(parameter: Parameter, value: Any) -> Any:
    """The value of a parameter as Hyperopt counts it."""
    if isinstance(parameter, Choice):
        return [repr(c) for c in parameter.choices].index(repr(parameter.own(value)))
    assert isinstance(parameter, Range)
    if (parameter.is_int and not parameter.log) or parameter.step is not None:
        return round((value - parameter.low) / (parameter.step or 1))
    return value


def _history(problem: Problem, study: Study, trials: Any, base: Any) -> Any:
    """The finished trials as Hyperopt keeps them; it minimizes."""
    sign = problem.job.task.metric.sign
    documents = []
    for number, trial in enumerate(finished(study)):
        score = score_of(trial)
        values = {
            p.name: [_place(p, p.own(trial.params[p.name]))] if p.name in trial.params else []
            for p in problem.space.searched
        }
        is_known = score is not None and bool(score.folds)
        result = (
            {"status": base.STATUS_OK, "loss": -sign * score.mean}
            if is_known and score is not None
            else {"status": base.STATUS_FAIL}
        )
        documents.append(
            {
                "state": base.JOB_STATE_DONE,
                "tid": number,
                "spec": None,
                "result": result,
                "misc": {
                    "tid": number,
                    "cmd": None,
                    "workdir": None,
                    "idxs": {name: [number] if v else [] for name, v in values.items()},
                    "vals": values,
                },
                "exp_key": None,
                "owner": None,
                "version": 0,
                "book_time": None,
                "refresh_time": None,
            }
        )
    trials.insert_trial_docs(documents)
    trials.refresh()
    return trials
