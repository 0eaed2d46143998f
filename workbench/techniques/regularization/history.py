"""History, the callback that writes down gap, weight norm and sparsity after each epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.data.cut import taken
from workbench.data.tensors import TensorRows
from workbench.metrics import Metric, like_targets
from workbench.task import Task
from workbench.training import Callback, Fitted, RegularizedFit, TrainingContext
from workbench.training.evaluate import predict_batches
from workbench.training.penalties import penalized
from workbench.training.settings import steps_an_epoch

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["History", "history_table", "some_rows", "stops_table"]

N_ROWS = 2_000  # of train that are scored


class History(Callback):
    """Adds train_score, weight_norm and sparsity to the row of each epoch.

    The train score is that of the network which is scored on valid, on at most 2,000 train rows
    without augmentation.
    """

    def __init__(self, task: Task, prepare: Any, device: str) -> None:
        self._task = task
        rows = some_rows(task.data.train)
        self._targets = np.asarray(rows.targets)
        self._rows = TensorRows(rows, prepare or task.prepare, device)
        self._device = device

    def on_epoch_end(self, context: TrainingContext, record: dict[str, float]) -> None:
        """Score the train rows, and measure the weights."""
        batches = predict_batches(context.scored_model, self._rows, self._device, {})
        outputs = np.concatenate(list(batches))
        record["train_score"] = float(
            self._task.metric(like_targets(outputs, self._targets), self._targets)
        )
        weights = [p.detach() for p in penalized(context.scored_model)]
        n = sum(w.numel() for w in weights)
        squares = sum(float(w.double().square().sum()) for w in weights)
        record["weight_norm"] = squares**0.5
        record["sparsity"] = sum(int((w == 0).sum()) for w in weights) / max(1, n)


def some_rows(rows: Any, seed: int = 0) -> Any:
    """At most 2,000 of some rows, drawn by a seed."""
    if len(rows) <= N_ROWS:
        return rows
    index = np.random.default_rng(seed).permutation(len(rows))[:N_ROWS]
    return taken(rows, np.sort(index))


def history_table(
    histories: Mapping[str, Sequence[Mapping[str, float]]], metric: Metric
) -> pd.DataFrame:
    """Table of all trainings, a row an epoch.

    Columns: training, epoch, step, train_loss, train_score, held_out_score, gap (the part by which
    the score on train is better), weight_norm and sparsity, the share of weights that are zero.
    """
    import pandas as pd

    columns = ["train_loss", "train_score", "held_out_score", "gap", "weight_norm", "sparsity"]
    rows = [
        {
            **row,
            "training": name,
            "held_out_score": row["valid_score"],
            "gap": metric.sign * (row["train_score"] - row["valid_score"]),
        }
        for name, history in histories.items()
        for row in history
    ]
    return pd.DataFrame(rows, columns=["training", "epoch", "step", *columns])


def stops_table(fits: Mapping[str, tuple[Fitted, RegularizedFit]], task: Task) -> pd.DataFrame:
    """Table of where each training stopped: training, best_epoch, last_epoch, planned, stopped.

    `planned` are the epochs that its settings allow, `stopped` says that early stopping cut them.
    """
    import pandas as pd

    rows = []
    for name, (fitted, settings) in fits.items():
        an_epoch = steps_an_epoch(len(task.data.train), settings.batch_size or 1)
        planned = settings.epochs or 0
        if settings.max_steps is not None:
            planned = min(planned, -(settings.max_steps // -an_epoch))
        last = len(fitted.history)
        rows.append(
            {
                "training": name,
                "best_epoch": fitted.best_epoch,
                "last_epoch": last,
                "planned": planned,
                "stopped": last < planned,
            }
        )
    return pd.DataFrame(rows)
