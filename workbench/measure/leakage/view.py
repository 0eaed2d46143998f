"""View, the rows of a task as columns of numbers, categories, texts and dates, for all checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from workbench.data.rows import AnyRows, Rows
from workbench.errors import DataError
from workbench.measure.leakage.aims import Aim, aims_of
from workbench.measure.leakage.columns import (
    Column,
    codes_of,
    columns_of,
    is_time_name,
    n_pairs_of,
    numbers_of,
)
from workbench.measure.leakage.hashes import input_hashes
from workbench.task import Task

__all__ = [
    "Aim",
    "Column",
    "View",
    "codes_of",
    "is_time_name",
    "n_pairs_of",
    "numbers_of",
    "sampled",
]

MOST_ROWS = 30_000  # of a split that columns are scored on
MOST_VALUES = 30_000_000  # rows x columns that are scored
MOST_OF_DATASET = 5_000  # rows of a torch dataset that are read


@dataclass(frozen=True, eq=False)
class View:
    """The rows of a task for the checks.

    `whole` are all rows of each split that are in memory, `columns` and `aims` a sample of train
    and valid. `positions` are the places of the sampled train rows.
    """

    task: Task
    whole: Mapping[str, Rows]
    columns: tuple[Column, ...]
    aims: tuple[Aim, ...]
    positions: np.ndarray
    notes: tuple[str, ...] = ()
    are_columns: bool = True  # named columns, and no images
    valid_positions: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))

    @classmethod
    def of(cls, task: Task, seed: int = 0) -> View:
        """The view of a task; raises DataError for splits without rows."""
        notes: list[str] = []
        whole = {name: _in_memory(name, r, notes) for name, r in task.data.named().items()}
        for name in ("train", "valid"):
            if not len(whole[name]):
                raise DataError(f"`{name}` of task `{task.name}` has no row: give it rows.")
        n_columns = sum(int(np.prod(a.shape[1:])) for a in whole["train"].inputs.values())
        most = int(min(MOST_ROWS, max(500, MOST_VALUES / max(1, n_columns))))
        rng = np.random.default_rng(seed)
        places = {n: _places(n, len(whole[n]), most, rng, notes) for n in ("train", "valid")}
        sample = {name: whole[name].take(index) for name, index in places.items()}
        columns, are_columns = columns_of(sample, notes)
        return cls(
            task,
            whole,
            columns,
            aims_of(task, sample["train"], sample["valid"], notes),
            places["train"],
            tuple(notes),
            are_columns,
            places["valid"],
        )

    @cached_property
    def common(self) -> tuple[str, ...]:
        """Names of inputs that every split has, with rows of one shape."""
        shapes = [{n: a.shape[1:] for n, a in rows.inputs.items()} for rows in self.whole.values()]
        return tuple(n for n in shapes[0] if all(s.get(n) == shapes[0][n] for s in shapes))

    @cached_property
    def hashes(self) -> dict[str, np.ndarray]:
        """A hash of the inputs of each row `(rows,)` of each split, equal for equal rows."""
        return input_hashes(self.whole, self.common)

    @property
    def in_time(self) -> bool:
        """Whether rows are ordered in time."""
        return self.whole["train"].times is not None

    def column(self, name: str) -> Column:
        """The column of this name."""
        return next(c for c in self.columns if c.name == name)


def _in_memory(name: str, rows: AnyRows, notes: list[str]) -> Rows:
    if isinstance(rows, Rows):
        return rows
    if len(rows) > MOST_OF_DATASET:
        notes.append(
            f"{name} is a torch dataset: {MOST_OF_DATASET:,} of its {len(rows):,} rows were read, "
            "evenly spaced."
        )
    index = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MOST_OF_DATASET)).astype(int))
    return rows.take(index)


def _places(name: str, n: int, most: int, rng: np.random.Generator, notes: list[str]) -> np.ndarray:
    if n > most:
        notes.append(f"Columns were scored on {most:,} of the {n:,} {name} rows, drawn at random.")
    return sampled(n, most, rng)


def sampled(n: int, most: int, rng: np.random.Generator) -> np.ndarray:
    """Places of at most `most` of `n` rows, drawn at random, in order."""
    return np.arange(n) if n <= most else np.sort(rng.choice(n, most, replace=False))
