"""Trials: variants of a candidate trained anew on folds of train, a seed and a fold each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.data.cut import taken
from workbench.data.folds import Fold, fold_indices
from workbench.errors import TaskError
from workbench.events import Event, PartReport, Report
from workbench.measure.anew import Anew
from workbench.runtimes.outputs import outputs_on
from workbench.system.cache import Cache, fingerprint
from workbench.system.machine import host
from workbench.task import Candidate, Task
from workbench.techniques.regularization.history import some_rows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Trials"]

PARTS = 5  # each fold holds out a fifth of the rows, however few folds are used
COLUMNS = ["variant", "seed", "train", "held_out"]


@dataclass(frozen=True)
class Trials:
    """Scores of variants of one model; all variants see the same folds and seeds.

    Only train rows of the task are used. A network stops early by 15 % of the rows that it learns
    from. Finished trainings are kept in `cache`.
    """

    task: Task
    n_seeds: int
    seed: int
    budget: str
    device: str
    cache: Path

    def scores(self, variants: Mapping[str, Candidate], report: Report) -> pd.DataFrame:
        """Table of variant, seed, and the score on train and held-out rows, a row a training.

        The score on train is that of at most 2,000 rows. Raises TaskError for a score that is not
        finite, and all that `Anew` raises.
        """
        import pandas as pd

        folds = self.folds()
        n, rows = len(folds) * len(variants), []
        for number, (train_index, held) in enumerate(folds):
            for place, (name, candidate) in enumerate(variants.items()):
                part = number * len(variants) + place
                text = f"{name}, seed {self.seed + number}"
                report_of = PartReport(report, part, n, text, curves=False)
                values = self._kept(candidate, train_index, held, number, _progress(report_of))
                rows.append([name, self.seed + number, *values])
        report.progress(1, 1, "all are scored")
        return pd.DataFrame(rows, columns=COLUMNS)

    def folds(self) -> list[Fold]:
        """One fold a seed; those of rows ordered in time are the latest."""
        train = self.task.data.train
        parts = fold_indices(train, self.task.kind, max(PARTS, self.n_seeds), seed=self.seed)
        return parts[-self.n_seeds :] if train.times is not None else parts[: self.n_seeds]

    @property
    def ratio(self) -> float:
        """Held-out rows of a fold for each row that it learns from."""
        return float(np.mean([len(held) / len(rest) for rest, held in self.folds()]))

    @property
    def n_held(self) -> int:
        """Number of different held-out rows in all folds."""
        return len(np.unique(np.concatenate([held for _, held in self.folds()])))

    def _kept(
        self,
        candidate: Candidate,
        train_index: np.ndarray,
        held: np.ndarray,
        number: int,
        report: Report,
    ) -> tuple[float, float]:
        """The two scores of one training, from the cache where they are."""
        key = self._key(candidate, held, number)
        kept = None if key is None else Cache(self.cache, f"regularization-{key}")
        done = None if kept is None else kept.get("scores")
        if done is None:
            done = self._score(candidate, train_index, held, number, report)
            if kept is not None:
                kept.put("scores", done)
        report.progress(1, 1, "scored")
        return float(done[0]), float(done[1])

    def _key(self, candidate: Candidate, held: np.ndarray, number: int) -> str | None:
        """Fingerprint of all that a training depends on; None for a model that has none."""
        choices = Anew.of(candidate, self.task).choices()
        if choices is None:
            return None
        return fingerprint(
            *choices,
            [self.task.name, self.task.metric.name, self.task.data.train.digest],
            np.asarray(held),
            [self.budget, self.seed, number, self.device, host().versions],
        )

    def _score(
        self,
        candidate: Candidate,
        train_index: np.ndarray,
        held: np.ndarray,
        number: int,
        report: Report,
    ) -> list[float]:
        anew = Anew.of(candidate, self.task)
        trained, _ = anew.trained(
            train_index,
            budget=self.budget,
            seed=self.seed + number,
            device=self.device,
            report=report,
        )
        learned = some_rows(taken(self.task.data.train, train_index), number)
        rows = (learned, taken(self.task.data.train, held))
        return [self._value(trained, part, report) for part in rows]

    def _value(self, trained: Candidate, rows: Any, report: Report) -> float:
        targets = np.asarray(rows.targets)
        value = float(self.task.metric(outputs_on(trained, rows, report.silent()), targets))
        if not np.isfinite(value):
            raise TaskError(
                f"`{self.task.metric.name}` is {value} on {len(targets):,} rows of train: use more "
                "rows, or another metric."
            )
        return value


def _progress(report: Report) -> Report:
    """A report that passes only progress on: notes on each training would repeat one another."""

    def listen(event: Event) -> None:
        if event.kind == "progress":
            report.progress(**event.data)

    return report.silent().with_listener(listen)
