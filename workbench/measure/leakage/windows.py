"""Columns made from targets of their own time or later, such as a centred mean of a series."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from workbench.measure.leakage.findings import Finding
from workbench.measure.leakage.present import is_unit_of_a_panel
from workbench.measure.leakage.view import View, codes_of, numbers_of
from workbench.system.wording import percent

__all__ = ["later_targets"]

REACH = 10  # rows of one unit before and after, whose targets are looked at
LEAST_ROWS = 10 * (2 * REACH + 1)
EXACT = 0.9995  # share of a column that is explained by the targets around it
TIMES_LESS = 10.0  # so many times as much is left unexplained by what was known before it
UNEXPLAINED = 0.0005  # and at least this share


def later_targets(view: View) -> Iterator[Finding]:
    """A finding for each number that is a weighted sum of targets around it, not only before it.

    The rows of each unit of a panel are taken in the order of `times`. The column is fitted by
    least squares to the targets of the `REACH` rows before and after, and to those before alone
    with its own values before: a season is smooth, and goes with targets that are smooth too.
    """
    train = view.whole["train"]
    if train.times is None or train.targets.ndim > 1 or train.targets.dtype.kind not in "biuf":
        return
    units = _units(view)
    places = np.lexsort((np.unique(train.times, return_inverse=True)[1], units))
    targets = _windows(train.targets[places].astype(np.float64), units[places])
    if len(targets) < LEAST_ROWS:
        return
    for column in view.columns:
        values = train.inputs.get(column.name)
        if column.type != "number" or values is None or values.ndim > 1:
            continue
        own = _windows(numbers_of(values, "number")[places], units[places])[:, : REACH + 1]
        known = np.isfinite(own).all(axis=1)
        numbers = own[known, -1]
        if known.sum() < LEAST_ROWS or np.ptp(numbers) == 0:
            continue
        around = _explained(targets[known], numbers)
        if around < EXACT:
            continue
        before = _explained(np.hstack([targets[known, :REACH], own[known, :-1]]), numbers)
        if 1 - before > max(UNEXPLAINED, TIMES_LESS * (1 - around)):
            yield _finding(column.name, around, before)


def _units(view: View) -> np.ndarray:
    """The number of the unit of each train row `(rows,)`."""
    train = view.whole["train"]
    units = np.zeros(len(train), np.int64)
    for column in view.columns:
        if column.type == "category" and is_unit_of_a_panel(view, column):
            (units,), _ = codes_of(train.inputs[column.name])
            break
    return units


def _windows(values: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Values around rows `(rows, 2 * REACH + 1)`, of rows with enough neighbours of their unit."""
    if len(values) <= 2 * REACH:
        return np.empty((0, 2 * REACH + 1))
    windows = np.lib.stride_tricks.sliding_window_view(values, 2 * REACH + 1)
    return windows[units[: -2 * REACH] == units[2 * REACH :]]


def _explained(x: np.ndarray, y: np.ndarray) -> float:
    x, y = x - x.mean(axis=0), y - y.mean()
    weights = np.linalg.lstsq(x, y, rcond=None)[0]
    return 1 - float(((y - x @ weights) ** 2).sum() / (y**2).sum())


def _finding(name: str, around: float, before: float) -> Finding:
    return Finding(
        "later_targets",
        (name,),
        f"`{name}` is a weighted sum of targets of rows before, at and after its own time: they "
        f"explain {percent(around, 2)} of it, targets and its own values before it "
        f"{percent(before, 2)}.",
        f"Compute `{name}` from earlier rows only, such as a mean over `shift(1)`.",
        numbers={"value": around, "chance": before},
    )
