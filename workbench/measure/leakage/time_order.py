"""Time that runs backward: train rows that are later than the rows they are judged on."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from workbench.measure.leakage.findings import Finding
from workbench.measure.leakage.strength import chance_of, folds_of, strength_of
from workbench.measure.leakage.view import Column, View, is_time_name, numbers_of
from workbench.system.wording import percent

__all__ = ["goes_forward", "time_backward"]

COUNTS_BACK = re.compile(
    r"(^|_)(ago|since|until|till|remaining|left|back|countdown)($|_)", re.IGNORECASE
)
HELD = ("valid", "test")
MOSTLY = 0.9  # share of pairs in which the train row is later: the splits are in reverse order
MIXED = 0.02  # share of pairs from which train and held-out rows are mixed in time
DRIFT = 0.05  # share of the target that its date explains
DEVIATIONS = 6.0


def time_backward(view: View) -> Iterator[Finding]:
    """Findings for train rows that are later than held-out rows.

    The task's `times` must be in order. A column of dates must be in order where the target drifts
    with it, or where train is later as a whole.
    """
    if view.in_time:
        yield from _counted_back(view)
        yield from _of_times(view)
        return
    for column in view.columns:
        if column.type == "date" or (column.type == "number" and is_time_name(column.name)):
            yield from _of_column(view, column)


def _counted_back(view: View) -> Iterator[Finding]:
    """The finding for `times` whose name says that they count down, such as `days_ago`."""
    name = getattr(view.task.reading, "times", None)
    if not name or COUNTS_BACK.search(name) is None:
        return
    yield Finding(
        "time_backward",
        (name, "train", "valid"),
        f"`times={name!r}` has the name of a number that counts backward: its largest values are "
        "the oldest rows. Rows are taken in ascending order, so train would hold the newest rows, "
        "and valid and test older ones.",
        f"If so, give the date itself, or minus `{name}`. If larger values are later, all is well.",
        severity="look at it",
        numbers={"value": 1.0, "chance": 0.0},
    )


def goes_forward(view: View) -> bool:
    """Whether every held-out row is later than all train rows, by `times` or by a date column."""
    held = [name for name in HELD if name in view.whole and len(view.whole[name])]
    if view.in_time:
        train = np.asarray(view.whole["train"].times)
        others = [view.whole[name].times for name in held]
        try:
            return all(o is not None and bool(train.max() <= np.min(o)) for o in others)
        except TypeError:
            return False
    for column in view.columns:
        if column.type != "date":
            continue
        train = _finite(view, column, "train")
        dates = [_finite(view, column, name) for name in held]
        if len(train) and all(len(d) and train.max() <= d.min() for d in dates):
            return True
    return False


def _of_times(view: View) -> Iterator[Finding]:
    train = np.asarray(view.whole["train"].times)
    for held in HELD:
        rows = view.whole.get(held)
        if rows is None or rows.times is None or not len(rows):
            continue
        try:
            first = rows.times.min()
            later = train > first
        except TypeError:
            continue
        if not later.any():
            continue
        yield Finding(
            "time_backward",
            ("train", held),
            f"{int(later.sum()):,} of {len(train):,} train rows ({percent(later.mean(), None)}) "
            f"are later than the first {held} row. With splits in order of time it would be 0.",
            f"Cut the splits by time, so that every train row is before {held} (`make_task` does "
            "so with `times=`): a model that has seen the future is judged too well.",
            numbers={"value": float(later.mean()), "chance": 0.0},
        )


def _of_column(view: View, column: Column) -> Iterator[Finding]:
    """Findings for one column; the mixed splits of a date that nothing depends on are none."""
    train = _finite(view, column, "train")
    for held in HELD:
        other = _finite(view, column, held)
        if len(train) < 5 or len(other) < 5:
            continue
        share = _share_later(train, other)
        is_reverse = share > MOSTLY
        drift = 0.0
        if not is_reverse:
            if column.type != "date" or share < MIXED:
                continue
            drift = _drift(view, column)
            if drift < DRIFT:
                continue
        told = (
            "the splits are in reverse order."
            if is_reverse
            else f"and the date alone explains {percent(drift, None)} of the target, so rows of "
            "one time are alike."
        )
        yield Finding(
            "time_backward",
            (column.name, "train", held),
            f"By `{column.name}`, a train row is later than a {held} row in {percent(share, None)} "
            f"of all pairs (0 % in order of time): {told}",
            f"If the model will predict the future, cut the splits by time: "
            f"`make_task(..., times={column.name!r})`. If not, this split is right.",
            severity="leak" if is_reverse and column.type == "date" else "look at it",
            numbers={"value": share, "chance": 0.0},
        )


def _finite(view: View, column: Column, split: str) -> np.ndarray:
    rows = view.whole.get(split)
    if rows is None or column.name not in rows.inputs:
        return np.empty(0)
    step = max(1, len(rows) // 20_000)
    numbers = numbers_of(rows.inputs[column.name][::step], column.type)
    return numbers[np.isfinite(numbers)]


def _share_later(train: np.ndarray, other: np.ndarray) -> float:
    """The share of pairs of a train row and another row in which the train row is later."""
    return float(np.searchsorted(np.sort(other), train, "left").mean() / len(other))


def _drift(view: View, column: Column) -> float:
    """The largest share of a target that the date explains, where that is beyond chance."""
    shares = [0.0]
    for aim in view.aims:
        strength = strength_of(column, aim, folds_of(len(aim.train)))
        mean, deviation = chance_of(strength)
        if strength.train > mean + DEVIATIONS * max(deviation, 1e-6):
            shares.append(strength.least)
    return max(shares)
