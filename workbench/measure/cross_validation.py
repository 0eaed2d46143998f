"""cross_validate(): a candidate trained anew and scored on several folds of a task's train rows.

train rows    fold 1   [ held ][ learn      | valid ]      valid: a part of the fold's train
              fold 2   [ learn ][ held ][ learn | valid ]  rows, for early stopping
valid, test   never touched
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.data.folds import Fold, fold_indices
from workbench.errors import DataError, unknown
from workbench.events import Report
from workbench.measure.anew import Anew
from workbench.measure.held_out import fold_seed, held_out_values
from workbench.measure.statistics.resampled import FoldScores, compare_folds, fold_scores
from workbench.measure.statistics.verdict import Verdict, holm
from workbench.system.cache import Cache, fingerprint
from workbench.system.machine import device_of, host
from workbench.system.records import record
from workbench.system.wording import percent
from workbench.task import Candidate, Task

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CrossValidation", "compare", "compare_all", "cross_validate"]


@dataclass(frozen=True)
class CrossValidation:
    """The scores of a candidate that was trained anew for each fold of a task's train rows.

    `scores` has an entry for each metric of the task, the deciding one first. `n_train` and
    `n_held` are the numbers of rows of each fold, `digest` is equal for the same folds of the same
    rows.
    """

    candidate: str
    task: str
    scores: tuple[FoldScores, ...]
    n_folds: int
    repeats: int
    seed: int
    budget: str
    n_train: tuple[int, ...]
    n_held: tuple[int, ...]
    digest: str
    in_time: bool = False
    seconds: float = 0.0
    notes: tuple[str, ...] = ()

    def score(self, metric: str = "") -> FoldScores:
        """The scores of a metric, empty for the deciding one; raises DataError for another name."""
        for scores in self.scores:
            if metric in ("", scores.metric):
                return scores
        raise DataError(unknown("metric", metric, [s.metric for s in self.scores]))

    @property
    def mean(self) -> float:
        """The mean of the deciding metric over the folds."""
        return self.scores[0].mean

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            **asdict(self),
            "scores": [s.to_json() for s in self.scores],
            **{k: list(getattr(self, k)) for k in ("n_train", "n_held", "notes")},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CrossValidation:
        """The result of the values that `to_json` gave."""
        scores = tuple(FoldScores.from_json(s) for s in data["scores"])
        tuples = {k: tuple(data[k]) for k in ("n_train", "n_held", "notes")}
        return record(cls, {**data, "scores": scores, **tuples})

    def to_frame(self) -> pd.DataFrame:
        """A row for each fold: its repeat, its numbers of rows, and a column a metric."""
        import pandas as pd

        places = range(len(self.n_held))
        return pd.DataFrame(
            {
                "repeat": [1 + place // self.n_folds for place in places],
                "fold": [1 + place % self.n_folds for place in places],
                "n_train": self.n_train,
                "n_held": self.n_held,
                **{scores.metric: scores.values for scores in self.scores},
            }
        )

    @property
    def sentence(self) -> str:
        """The meaning of the intervals."""
        share = percent(sum(self.n_train) / (sum(self.n_train) + sum(self.n_held)), 0)
        rows = "the rows before it" if self.in_time else f"{share} of the train rows"
        if len(self.n_held) < 2:
            return (
                f"One hold-out, of a model trained on {rows}: one score has no interval; use more "
                "folds."
            )
        check = "Quick check, decides nothing: the" if self.budget == "smoke" else "The"
        return (
            f"{check} 95 % interval is that of the mean score of models trained on {rows}, by the "
            "corrected resampled t-test (folds share train rows)."
        )


def cross_validate(
    candidate: Candidate,
    task: Task,
    *,
    folds: int = 5,
    repeats: int = 1,
    seed: int = 0,
    groups: Any = None,
    budget: str = "standard",
    device: str = "cpu",
    report: Report | None = None,
    cache: Path | None = None,
) -> CrossValidation:
    """Train a candidate anew for each fold of train, and score it on the rows held out.

    Only train rows of the task are used; valid and test are never touched. For each fold `prepare`
    is fitted anew on the rows that the model learns from, the model starts untrained, and its
    `fit` settings hold. A network stops early by 15 % of the fold's train rows; the rows held out
    are scored once. `groups` `(train rows,)` replace those of the task: rows of one group are in
    one fold. The same seed
    gives the same folds for every candidate, which `compare` needs. `cache` is a folder in which
    finished folds are kept, and from which a validation that was interrupted goes on.

    Raises CandidateError for a candidate that cannot be trained anew (an ONNX file, a pruned
    network), SettingsError and DataError for folds that the rows do not give, TaskError for a
    metric that is not defined on a fold, Cancelled when the report was asked to stop.
    """
    report = report or Report()
    began = time.perf_counter()
    anew = Anew.of(candidate, task)
    if groups is not None:
        anew = anew.with_groups(groups)
    train = anew.task.data.train
    parts = fold_indices(train, task.kind, folds, seed=seed, repeats=repeats)
    targets = np.asarray(train.targets)
    n_classes = int(targets.max()) + 1 if task.kind == "classification" else 0
    kept = None if cache is None else _kept(cache, anew, parts, budget, seed)
    values: list[list[float]] = []
    notes: dict[str, None] = {}
    for number, (train_index, held_index) in enumerate(parts):
        text = f"fold {number + 1} of {len(parts)}"
        report.progress(number, len(parts), text)
        _refuse_missing_class(anew, targets[train_index], n_classes, text)
        done = None if kept is None else kept.get(str(number))
        if done is None:
            trained, told = anew.trained(
                train_index,
                budget=budget,
                seed=fold_seed(seed, number),
                device=device_of(device),
                report=report.part(number, len(parts), text, curves=False),
            )
            done = {
                "values": held_out_values(trained, anew.task, held_index, text, report),
                "notes": told,
            }
            if kept is not None:
                kept.put(str(number), done)
        notes |= dict.fromkeys(done["notes"])
        values.append([float(value) for value in done["values"]])
    report.progress(len(parts), len(parts), "all folds are scored")
    if not anew.is_from_builder and anew.form.trained_by_loss:
        notes["No builder is known: weights were drawn anew, so a pretraining does not count."] = (
            None
        )
    ratio = float(np.mean([len(held) / len(rest) for rest, held in parts]))
    n_rows = len(np.unique(np.concatenate([held for _, held in parts])))
    return CrossValidation(
        candidate=candidate.name,
        task=task.name,
        scores=tuple(
            fold_scores([v[i] for v in values], metric, n_rows=n_rows, ratio=ratio)
            for i, metric in enumerate(task.metrics)
        ),
        n_folds=folds,
        repeats=repeats,
        seed=seed,
        budget=budget,
        n_train=tuple(len(rest) for rest, _ in parts),
        n_held=tuple(len(held) for _, held in parts),
        digest=_digest(train, parts),
        in_time=train.times is not None,
        seconds=time.perf_counter() - began,
        notes=tuple(notes),
    )


def compare(
    before: CrossValidation,
    after: CrossValidation,
    *,
    metric: str = "",
    margin: float | None = None,
    alpha: float = 0.05,
) -> Verdict:
    """The verdict on two candidates by their differences on the same folds.

    It judges the deciding metric, or `metric`, with the metric's own `margin` if None. The interval
    is that of the corrected resampled t-test. Raises DataError for results of other folds.
    """
    if before.digest != after.digest:
        raise DataError(
            f"`{before.candidate}` and `{after.candidate}` were scored on other folds: "
            "cross-validate both on the same train rows with the same `folds`, `repeats` and "
            "`seed`."
        )
    if before.budget != after.budget:
        raise DataError(
            f"`{before.candidate}` was trained with the budget {before.budget}, "
            f"`{after.candidate}` with {after.budget}: cross-validate both with one budget."
        )
    return compare_folds(before.score(metric), after.score(metric), margin=margin, alpha=alpha)


def compare_all(
    before: CrossValidation, after: CrossValidation, *, alpha: float = 0.05
) -> tuple[Verdict, ...]:
    """A verdict a metric, with Holm's correction: `alpha` bounds the chance of a false one."""

    def of(name: str) -> Any:
        return lambda share: compare(before, after, metric=name, alpha=share)

    return holm([of(scores.metric) for scores in before.scores], alpha)


def _kept(folder: Path, anew: Anew, parts: list[Fold], budget: str, seed: int) -> Cache | None:
    """The finished folds of the same validation; None for a model that has no fingerprint."""
    choices = anew.choices()
    if choices is None:
        return None
    key = fingerprint(
        *choices,
        [metric.name for metric in anew.task.metrics],
        _digest(anew.task.data.train, parts),
        [budget, seed, host().versions],
    )
    return Cache(folder, f"folds-{key}")


def _refuse_missing_class(anew: Anew, targets: np.ndarray, n_classes: int, text: str) -> None:
    """Raise DataError for a class without train rows, which an estimator would not know of."""
    if not n_classes or anew.form.trained_by_loss:
        return
    missing = np.setdiff1d(np.unique(anew.task.data.train.targets), targets)
    if len(missing):
        raise DataError(
            f"Class number {missing[0]} has no train row in {text}: use fewer folds, other groups, "
            "or leave rare classes out."
        )


def _digest(train: Any, parts: list[Fold]) -> str:
    """A short hash of the rows and of the folds."""
    sha = hashlib.sha256(train.digest.encode())
    for _, held in parts:
        sha.update(np.asarray(held, np.int64).tobytes() + b"|")
    return sha.hexdigest()[:16]
