"""Seconds of 200 trials of an objective that costs nothing: of the loop, not of training."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from workbench.settings.spaces import Space
from workbench.techniques.tuning.samplers import make_sampler

__all__ = ["plain_seconds"]

N_TRIALS = 200
SPACE = Space.of({f"fit.x{i}": {"low": 0.0, "high": 1.0} for i in range(5)})


def plain_seconds(sampler: str = "tpe", n_trials: int = N_TRIALS) -> float:
    """Seconds of plain Optuna on a journal file, with the sampler that `tuning` makes."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with TemporaryDirectory() as folder:
        storage = JournalStorage(JournalFileBackend(str(Path(folder) / "journal.log")))
        study = optuna.create_study(storage=storage, sampler=make_sampler(sampler, 0, n_trials))
        began = time.perf_counter()
        study.optimize(lambda trial: sum(SPACE.suggest(trial).values()), n_trials=n_trials)
        return time.perf_counter() - began
