"""The time of day of a date that tells a class: rows of one class were written in one go at night.

A date that is known when the model predicts may tell a class by its hour too, so only what is far
more than usual is a finding. Amounts that follow the hours of a day are left out.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from workbench.measure.leakage.evidence import (
    explained_by_others,
    is_beyond_chance,
    score_in_words,
)
from workbench.measure.leakage.findings import Finding
from workbench.measure.leakage.strength import Strength, folds_of, strength_of
from workbench.measure.leakage.view import Column, View
from workbench.system.wording import percent

__all__ = ["times_of_day"]

DAY = 86_400.0  # seconds
MUCH = 0.6  # share of a class that the time of day explains,
FAR = 0.45  # ... if all other columns together explain less than this part of it
SEVERAL = 24  # different times of day, at least


def times_of_day(view: View) -> Iterator[Finding]:
    """A finding for each date whose time of day tells a class."""
    for column in view.columns if view.are_columns else ():
        if column.type != "date":
            continue
        times = {split: np.mod(column.numbers(split), DAY) for split in ("train", "valid")}
        if len(np.unique(times["train"])) < SEVERAL:
            continue
        for aim in view.aims:
            if aim.kind != "classes":
                continue
            of_day = Column(column.name, "number", times)
            strength = strength_of(of_day, aim, folds_of(len(aim.train)))
            if strength.least < MUCH or not is_beyond_chance(strength, len(view.columns)):
                continue
            rest = explained_by_others(view.columns, aim, column.name)
            if rest < FAR * strength.least:
                yield _finding(strength, rest)
                break


def _finding(strength: Strength, rest: float) -> Finding:
    name = strength.column.name
    score, chance, numbers = score_in_words(strength)
    return Finding(
        "predicts_target",
        (name,),
        f"The time of day of `{name}` alone reaches {score} ({chance}). It explains "
        f"{percent(strength.least, None)} of the target, all other columns together "
        f"{percent(rest, None)}.",
        f"Ask when `{name}` is written. If it is the time of an entry that was made once the "
        "target was known, leave it out.",
        severity="look at it",
        numbers={**numbers, "others": rest},
    )
