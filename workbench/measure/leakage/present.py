"""Strength of a column on the rows where it has a value: gaps hide a copy of the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from workbench.measure.leakage.strength import Strength, folds_of, strength_of
from workbench.measure.leakage.view import Aim, Column, View, codes_of, is_time_name, n_pairs_of

__all__ = ["is_unit_of_a_panel", "on_same_rows", "where_present"]

LEAST_GAPS = 0.01  # share of missing values
LEAST_ROWS = 60  # with a value, in train
LEAST_VALID_ROWS = 20
ROWS_A_TIME = 2.0
UNIQUE = 0.99  # share of different pairs of time and unit


def where_present(strength: Strength) -> Strength | None:
    """The strength on the rows that have a value; None without gaps or with too few rows."""
    column, aim = strength.column, strength.aim
    if column.type == "text":
        return None
    present = {split: ~column.missing(split) for split in ("train", "valid")}
    if present["train"].mean() > 1 - LEAST_GAPS:
        return None
    if present["train"].sum() < LEAST_ROWS or present["valid"].sum() < LEAST_VALID_ROWS:
        return None
    few = _aim_on(aim, present["train"], present["valid"])
    if np.ptp(few.labels) == 0 or np.ptp(few.valid_labels) == 0:
        return None
    return strength_of(_column_on(column, present), few, folds_of(len(few.train)))


def on_same_rows(others: Sequence[Strength], whole: Column, few: Strength) -> list[Strength]:
    """Other columns on the rows where the column `whole` has a value."""
    present = {split: ~whole.missing(split) for split in ("train", "valid")}
    return [replace(s, column=_column_on(s.column, present), aim=few.aim) for s in others]


def _column_on(column: Column, rows: dict[str, np.ndarray]) -> Column:
    return Column(column.name, column.type, {s: column.values[s][r] for s, r in rows.items()})


def _aim_on(aim: Aim, train: np.ndarray, valid: np.ndarray) -> Aim:
    return replace(
        aim,
        train=aim.train[train],
        valid=aim.valid[valid],
        labels=aim.labels[train],
        valid_labels=aim.valid_labels[valid],
    )


def is_unit_of_a_panel(view: View, column: Column) -> bool:
    """Whether a column names the unit of a panel, such as the shop in daily sales of shops.

    Each unit has one row a time. It is known before the target, however much it explains.
    """
    rows = view.whole["train"]
    values = rows.inputs.get(column.name)
    if values is None or values.ndim > 1 or column.type not in ("category", "number"):
        return False
    (units,), n_units = codes_of(values)
    if n_units < 2 or n_units > len(units) / ROWS_A_TIME:
        return False
    times = [] if rows.times is None else [np.asarray(rows.times)]
    times += [
        rows.inputs[c.name]
        for c in view.columns
        if c.name != column.name
        and c.name in rows.inputs
        and (c.type == "date" or (c.type == "number" and is_time_name(c.name)))
    ]
    for time in times:
        (codes,), n = codes_of(time)
        if len(codes) >= ROWS_A_TIME * n and n_pairs_of(codes, units) >= UNIQUE * len(codes):
            return True
    return False
