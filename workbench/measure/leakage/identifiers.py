"""Identifiers and the order of rows, which hold no cause of a target but may predict it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pandas as pd

from workbench.measure.leakage.findings import Finding
from workbench.measure.leakage.strength import Strength, chance_of, folds_of, score_of, strength_of
from workbench.measure.leakage.view import Column, View
from workbench.system.wording import percent

__all__ = ["identifier_column", "identifiers", "is_identifier_name", "row_order"]

ID_NAME = re.compile(
    r"(^|[_\W])(id|ids|uid|uuid|guid|index|idx|rowid|row_?number|record_?number|serial|key)($|[_\W])"
    r"|^unnamed",
    re.IGNORECASE,
)
CAMEL_ID = re.compile(r"[a-z](Id|ID)$")  # as in `customerId`
NUMBER_NAME = re.compile(r"[a-z][_ ](no|nr|num|number)$|[a-z](No|Nr|Number)$")  # `claim_no`
UNIQUE = 0.95  # share of different values among the rows of an identifier
DENSE = 3  # an identifier without a telling name has a range of at most so many values a row
N_FIRST = 1_000  # rows that are looked at first
LEAST_ROWS = 30
SOME = 0.08  # share explained by something that has no meaning
SORTED = 0.25  # share explained by the place of a row in the file
DEVIATIONS = 6.0
BLOCKS_A_CLASS = 2  # of rows one after another, where rows are sorted by class


def is_identifier_name(name: str) -> bool:
    """Whether the name of a column is that of an identifier or of a number of a row."""
    return ID_NAME.search(name) is not None or CAMEL_ID.search(name) is not None


def identifier_column(column: Column, n_rows: int) -> Column | None:
    """A column of identifiers as a column of numbers; None for any other column.

    It has whole numbers, or texts of one shape with a number, nearly all of them different. Without
    a telling name, they lie as close to one another as numbers of `n_rows` rows do.
    """
    if column.type == "date":
        return None
    few = column.train[:N_FIRST]
    if len(set(few.tolist())) < UNIQUE * len(few):
        return None
    values = {split: _numbers(v) for split, v in column.values.items()}
    train = values["train"]
    if train is None or values["valid"] is None or len(train) < LEAST_ROWS:
        return None
    if not np.isfinite(train).all() or (train % 1 != 0).any():
        return None
    is_telling = (
        is_identifier_name(column.name)
        or NUMBER_NAME.search(column.name) is not None
        or column.type != "number"
    )
    if len(np.unique(train)) < UNIQUE * len(train):
        return None
    if not is_telling and np.ptp(train) > DENSE * n_rows:
        return None
    return Column(column.name, "number", {s: v for s, v in values.items() if v is not None})


def _numbers(values: np.ndarray) -> np.ndarray | None:
    """Whole numbers as they are, the last number of texts that have one; else None."""
    if values.dtype.kind in "iuf":
        return values.astype(np.float64)
    if values.dtype.kind not in "OU":
        return None
    texts = pd.Series(values.astype(object)).astype(str)
    if (texts.str.split().str.len() > 2).any():
        return None
    digits = texts.str.extract(r"(\d+)\D*$")[0]
    numbers = pd.to_numeric(digits, errors="coerce").to_numpy(np.float64)
    return numbers if np.isfinite(numbers).all() else None


def identifiers(view: View) -> Iterator[Finding]:
    """A finding for each identifier whose number predicts the target."""
    n_rows = sum(len(rows) for rows in view.whole.values())
    for column in view.columns if view.are_columns else ():
        numbered = identifier_column(column, n_rows)
        if numbered is None:
            continue
        for aim in view.aims:
            strength = strength_of(numbered, aim, folds_of(len(aim.train)))
            if strength.least > SOME and _is_beyond_chance(strength):
                yield _identifier(view, strength)
                break


def _identifier(view: View, strength: Strength) -> Finding:
    name = strength.column.name
    score, value, chance = score_of(strength.aim, strength.aim.valid_labels, strength.predicted)
    return Finding(
        "identifier_predicts_target",
        (name,),
        f"`{name}` is different in nearly every row, as an identifier is, and alone reaches "
        f"{score} {value:.3f} on valid ({chance:.2f} by chance).",
        f"Leave `{name}` out. Its order holds how the rows were collected, which new rows do not "
        "have.",
        severity="look at it" if view.in_time else "leak",
        numbers={"value": value, "chance": chance, "explained": strength.least},
    )


def row_order(view: View) -> Iterator[Finding]:
    """A finding where the place of a row in train and in valid predicts its target.

    Rows that are ordered in time are left out: their targets may drift.
    """
    if view.in_time or _is_in_order_of_dates(view):
        return
    if (of_valid := _sorted_valid(view)) is not None:
        yield of_valid
        return
    n, m = len(view.whole["train"]), len(view.whole["valid"])
    places = {"train": view.positions / n, "valid": view.valid_positions / m}
    column = Column("order of rows", "number", places)
    for aim in view.aims:
        if len(aim.train) < LEAST_ROWS:
            return
        strength = strength_of(column, aim, folds_of(len(aim.train)))
        if strength.train < SORTED or not _is_beyond_chance(strength):
            continue
        yield Finding(
            "row_order_predicts_target",
            ("train",),
            f"The place of a row in train explains {percent(strength.train, None)} of its "
            f"{aim.name} (0 % by chance): the rows are sorted by it, or were collected class by "
            "class.",
            "Shuffle the rows before anything that depends on their order (batches, folds without "
            "shuffling), and check that no column holds the order, such as a number of a row or "
            "the time of a record.",
            severity="look at it",
            numbers={"value": strength.train, "chance": 0.0},
        )
        return


def _sorted_valid(view: View) -> Finding | None:
    """The finding where valid is sorted by its target; train is shuffled where it is cut."""
    for aim in view.aims:
        if len(aim.valid) < LEAST_ROWS or aim.kind != "classes":
            continue
        classes, counts = np.unique(aim.valid_labels, return_counts=True)
        changes = int((np.diff(aim.valid_labels) != 0).sum())
        shares = counts / counts.sum()
        chance = (len(aim.valid) - 1) * float(1 - (shares**2).sum())
        if changes > BLOCKS_A_CLASS * len(classes) - 1 or changes > SORTED * chance - DEVIATIONS:
            continue
        return Finding(
            "row_order_predicts_target",
            ("valid",),
            f"The rows of valid are sorted by their {aim.name}: it changes {changes} times from "
            f"one row to the next, by chance it would be {chance:.0f} times.",
            "Shuffle the rows, and check that no column holds their order, such as a number of a "
            "row, a name of a file or the time of a record.",
            severity="look at it",
            numbers={"value": float(changes), "chance": chance},
        )
    return None


def _is_in_order_of_dates(view: View) -> bool:
    """Whether a date column is in order: then the order of rows is that of time."""
    for column in view.columns:
        if column.type == "date":
            dates = column.numbers("train")
            dates = dates[np.isfinite(dates)]
            if len(dates) > 2 and (np.diff(dates) >= 0).mean() > 0.99:
                return True
    return False


def _is_beyond_chance(strength: Strength) -> bool:
    mean, deviation = chance_of(strength)
    return strength.train > mean + DEVIATIONS * max(deviation, 1e-6)
