"""What tables with planted leaks are made of: a table, its leak or its temptation, and parts of it.

A set of them is written by somebody who has not read the guard, and tells how it does on leaks that
it was not written for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

import workbench as wb

Frame = pd.DataFrame
Rng = np.random.Generator


@dataclass(frozen=True)
class Table:
    """Data as a user has it, with the arguments that `make_task` gets."""

    train: Frame
    target: str
    valid: Frame | None = None
    test: Frame | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def task(self, name: str, seed: int = 0) -> wb.Task:
        """The task that `make_task` makes of it."""
        given = {"valid": self.valid, "test": self.test}
        given = {split: frame for split, frame in given.items() if frame is not None}
        options = {"target": self.target, "seed": seed, **given, **self.options}
        return wb.make_task(name, train=self.train, **options)


Make = Callable[[int], Table]


@dataclass(frozen=True)
class Leak:
    """One planted leak: what it is, and what a finding must name or be about."""

    name: str
    kind: str
    says: str
    make: Make
    columns: tuple[str, ...] = ()
    about: tuple[str, ...] = ()


@dataclass(frozen=True)
class Clean:
    """One honest table, and what tempts to accuse it."""

    name: str
    tempts: str
    make: Make


class Planted:
    """A set of tables: the leaks and the clean ones by name, entered by decorators."""

    def __init__(self) -> None:
        self.leaks: dict[str, Leak] = {}
        self.clean_ones: dict[str, Clean] = {}

    def leak(
        self, kind: str, says: str, *, columns: tuple[str, ...] = (), about: tuple[str, ...] = ()
    ) -> Callable[[Make], Make]:
        """Enters a function as a table with a leak."""

        def enter(make: Make) -> Make:
            self.leaks[make.__name__] = Leak(make.__name__, kind, says, make, columns, about)
            return make

        return enter

    def clean(self, tempts: str) -> Callable[[Make], Make]:
        """Enters a function as a clean table."""

        def enter(make: Make) -> Make:
            self.clean_ones[make.__name__] = Clean(make.__name__, tempts, make)
            return make

        return enter


def chance(score: Any, rng: Rng) -> np.ndarray:
    """Outcomes 0 and 1 with the logistic probability of a score."""
    return (rng.random(len(score)) < 1 / (1 + np.exp(-np.asarray(score)))).astype(int)


def days(start: str, offsets: Any) -> Any:
    """Dates so many days after a start."""
    return pd.Timestamp(start) + pd.to_timedelta(np.asarray(offsets).astype(int), unit="D")


def gaps(values: Any, share: float, rng: Rng) -> Any:
    """The values as a column in which a share is missing at random."""
    column = pd.Series(values)
    return column.mask(rng.random(len(column)) < share).to_numpy()


def cut(frame: Frame, rng: Rng, *shares: float) -> list[Frame]:
    """Rows of a frame at random in parts of these shares, and the rest."""
    order = rng.permutation(len(frame))
    ends = (np.cumsum(shares) * len(frame)).astype(int)
    return [frame.iloc[part].reset_index(drop=True) for part in np.split(order, ends)]


def shuffled(frame: Frame, rng: Rng) -> Frame:
    """The frame in another order of rows."""
    return frame.iloc[rng.permutation(len(frame))].reset_index(drop=True)


def sentence(rng: Rng, *parts: list[str]) -> str:
    """One choice of each part, as a text."""
    return " ".join(str(rng.choice(part)) for part in parts if part)
