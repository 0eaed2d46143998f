"""Trials of a study as this package counts them: finished, failed, orphaned, and their table."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from workbench.settings.spaces import Space
from workbench.techniques.tuning.problem import Score
from workbench.techniques.tuning.storage import Study

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "DEFAULT",
    "ERROR",
    "LOST",
    "SCORE",
    "SURPLUS",
    "WORKER",
    "best_of",
    "counted",
    "finished",
    "here",
    "is_feasible",
    "lose",
    "point_of",
    "retry_orphans",
    "score_of",
    "trial_table",
]

Trial = Any  # optuna.trial.FrozenTrial

WORKER, SCORE, ERROR, LOST, SURPLUS = "worker", "score", "error", "lost", "surplus"
DEFAULT = "default"  # marks the trial of the default settings
RETRY_OF, MOST_RETRIES = "retry_of", 2


def here() -> dict[str, Any]:
    """This process, as a trial names its worker."""
    import psutil

    process = psutil.Process()
    return {"host": socket.gethostname(), "pid": os.getpid(), "born": process.create_time()}


def counted(study: Study) -> list[Trial]:
    """The trials that count: all but those of killed workers and those that were too many."""
    trials = study.get_trials(deepcopy=False)
    return [t for t in trials if LOST not in t.user_attrs and SURPLUS not in t.user_attrs]


def finished(study: Study) -> list[Trial]:
    """The trials that ended by themselves: complete, stopped early, or failed, by their number."""
    return [t for t in counted(study) if t.state.is_finished()]


def score_of(trial: Trial) -> Score | None:
    """The score of a trial; None for one that failed or was stopped before its first fold."""
    record = trial.user_attrs.get(SCORE)
    return None if record is None else Score.of(record)


def point_of(trial: Trial, space: Space) -> dict[str, Any]:
    """The point of a finished trial."""
    values = {p.name: p.own(trial.params[p.name]) for p in space.searched if p.name in trial.params}
    return space.of_trial(values)


def is_feasible(trial: Trial) -> bool:
    """Whether a trial keeps all limits."""
    return all(value <= 0 for value in trial.constraints.values())


def best_of(study: Study, sign: int) -> Trial | None:
    """The complete trial within the limits with the best score; the earliest of equal ones.

    Of several objectives it is that among the trials which no other one beats.
    """
    from optuna.trial import TrialState

    complete = [t for t in finished(study) if t.state == TrialState.COMPLETE and is_feasible(t)]
    if len(study.directions) > 1:
        front = {t.number for t in study.best_trials}
        complete = [t for t in complete if t.number in front] or complete
    scored = [(t, score_of(t)) for t in complete]
    known = [(t, s) for t, s in scored if s is not None]
    return max(known, key=lambda pair: (sign * pair[1].mean, -pair[0].number))[0] if known else None


def retry_orphans(study: Study) -> int:
    """Fail the trials whose process is gone, and put their points first in the queue.

    Only processes of this machine are looked at. A point whose process died three times is not
    tried again. Returns the number of orphans.
    """
    from optuna.trial import TrialState

    orphans = [
        t
        for t in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        if _is_gone(t.user_attrs.get(WORKER))
    ]
    for trial in orphans:
        lose(study, trial)
    return len(orphans)


def lose(study: Study, trial: Any) -> None:
    """Take a trial that did not end out of the count, and put its point first in the queue."""
    from optuna.trial import Trial, TrialState

    running = trial if isinstance(trial, Trial) else Trial(study, trial._trial_id)
    n_before = int(running.user_attrs.get(RETRY_OF, {}).get("n", 0))
    if n_before >= MOST_RETRIES:
        running.set_user_attr(ERROR, "Its process died three times, as without memory.")
    else:
        running.set_user_attr(LOST, True)
        if running.params:
            kept = {k: running.user_attrs[k] for k in (DEFAULT,) if k in running.user_attrs}
            retry = {**kept, RETRY_OF: {"number": running.number, "n": n_before + 1}}
            study.enqueue_trial(running.params, user_attrs=retry)
    study.tell(running.number, state=TrialState.FAIL, skip_if_finished=True)


def _is_gone(worker: Mapping[str, Any] | None) -> bool:
    import psutil

    if worker is None or worker.get("host") != socket.gethostname():
        return False
    try:
        process = psutil.Process(int(worker["pid"]))
        is_other = abs(process.create_time() - float(worker["born"])) > 1
        return is_other or process.status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return True


def trial_table(study: Study, space: Space) -> pd.DataFrame:
    """A row a trial.

    `score` is the mean over the folds in the metric's own unit, `std` their standard deviation,
    `unseen` the mean score on valid, `started` and `seconds` are seconds, the former since the
    first trial; then a column a parameter, empty where it is not active.
    """
    import numpy as np
    import pandas as pd

    trials = finished(study)
    begun = [t.datetime_start for t in trials if t.datetime_start is not None]
    first = min(begun, default=None)
    workers: dict[str, int] = {}
    rows = []
    for trial in trials:
        score = score_of(trial)
        about = trial.user_attrs.get(WORKER, {})
        name = f"{about.get('host')} {about.get('pid')}"
        start, end = trial.datetime_start, trial.datetime_complete
        rows.append(
            {
                "number": trial.number,
                "state": {"FAIL": "failed"}.get(trial.state.name, trial.state.name.lower()),
                "score": score.mean if score is not None and score.folds else np.nan,
                "std": np.std(score.folds, ddof=1) if score and len(score.folds) > 1 else np.nan,
                "unseen": np.mean(score.unseen) if score is not None and score.unseen else np.nan,
                "seconds": (end - start).total_seconds() if start and end else np.nan,
                "started": (start - first).total_seconds() if start and first else np.nan,
                "worker": workers.setdefault(name, len(workers)),
                "n_folds": len(score.folds) if score is not None else 0,
                **(score.costs if score is not None else {}),
                "feasible": is_feasible(trial),
                **({} if not trial.params else _shown(point_of(trial, space))),
                "error": trial.user_attrs.get(ERROR, ""),
            }
        )
    table = pd.DataFrame(rows)
    last = [c for c in ("error",) if c in table]
    return table[[c for c in table.columns if c not in last] + last]


def _shown(point: Mapping[str, Any]) -> dict[str, Any]:
    plain = (bool, int, float, str, type(None))
    return {name: v if isinstance(v, plain) else str(v) for name, v in point.items()}
