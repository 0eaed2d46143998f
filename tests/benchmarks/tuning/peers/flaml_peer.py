"""FLAML's AutoML with its defaults: it chooses among its own learners.

With the option `time` its hold-out is the last tenth of the rows; else it shuffles them.
"""

from __future__ import annotations

import time

from flaml import AutoML
from handoff import Handoff


def main() -> None:
    work = Handoff.from_command_line()
    x, y = work.train()
    automl = AutoML()
    began = time.perf_counter()
    automl.fit(
        x,
        y,
        task="classification",
        metric="ap",
        time_budget=work.seconds,
        n_jobs=1,
        seed=work.seed,
        split_type="time" if "time" in work.options else "auto",
    )
    seconds = time.perf_counter() - began
    refit = automl.best_config_train_time  # of the last training, which is that on all rows
    work.give_back(
        automl.predict_proba(work.valid())[:, 1],
        trials=automl.modelcount,
        search_seconds=seconds - refit,
        refit_seconds=refit,
        learner=automl.best_estimator,
        best=1 - automl.best_loss,
        point=automl.best_config,
        learners=list(automl.estimator_list),
    )


if __name__ == "__main__":
    main()
