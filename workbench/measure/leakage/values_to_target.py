"""Columns with a value that stands for one class: flags of classes, and gaps filled by class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from workbench.measure.leakage.evidence import MOST_OTHERS, explained_by_others
from workbench.measure.leakage.findings import Finding
from workbench.measure.leakage.telling_values import (
    ALPHA,
    Counts,
    Telling,
    class_names,
    counts_of,
    telling_values,
)
from workbench.measure.leakage.view import Aim, View
from workbench.system.wording import percent

__all__ = ["some_classes", "values_to_target"]

Flag = tuple[tuple[int, ...], float]  # classes, and the share of them that is explained

NEARLY = 0.93  # share of one class that a column explains, which real causes hardly reach
MUCH = 0.8  # ... if all other columns together explain at most this part of it
HIGH = 0.7  # share that is far more than usual,
FAR = 0.45  # ... if the others explain less than this part of it
LEAST_OF_CLASS = 10  # rows of the class in train,
LEAST_OF_VALID = 3  # and in valid


def values_to_target(view: View) -> Iterator[Finding]:
    """Findings for values that go with one class without an exception, or nearly so.

    Columns of few values are judged for each class against all others as well.
    """
    if not view.are_columns:
        return
    for aim in view.aims:
        if aim.kind == "classes":
            yield from _of_aim(view, aim)


def _of_aim(view: View, aim: Aim) -> Iterator[Finding]:
    counts = counts_of(view.columns, aim)
    names = class_names(view, aim)
    flags = _flags(counts) if len(names) > 2 else {}
    # Of two findings on a column the first counts: the one on its values, not the one on 0.
    telling = {t.column.name: t for t in reversed(telling_values(counts))}
    ordered = {c.column.name for c in counts if c.column.type == "number" and len(c.names) > 2}
    others = Others(view, aim, {*flags, *telling} - ordered)
    sure = {name: f for name, f in flags.items() if _is_alone(name, f, others)}
    if sure:
        most = max(others.explain(name, found[0]) for name, found in sure.items())
        yield _flags_finding(sure, names, most)
    for name, found in telling.items():
        classes = {value[1] for value in found.values}
        if name not in sure and all(others.explain(name, (c,)) <= MUCH for c in classes):
            yield _value_finding(found, names)


class Others:
    """The columns beside a suspect, without other flags that may belong to it.

    Numbers in order stay: where several of them tell a class, the class is far apart by nature.
    """

    def __init__(self, view: View, aim: Aim, suspects: set[str]) -> None:
        self.aim = aim
        self.columns = [c for c in view.columns if c.name not in suspects][:MOST_OTHERS]
        self.found: dict[tuple[str, tuple[int, ...]], float] = {}

    def explain(self, name: str, places: tuple[int, ...]) -> float:
        """The share of some classes that all of them but `name` explain, computed once."""
        others = [c for c in self.columns if c.name != name]
        key = ("" if len(others) == len(self.columns) else name), places
        if key not in self.found:
            self.found[key] = explained_by_others(others, some_classes(self.aim, places))
        return self.found[key]


def _flags(counts: Sequence[Counts]) -> dict[str, Flag]:
    """Columns of few values that explain some classes: the classes, and the share explained."""
    found: dict[str, Flag] = {}
    for one in counts:
        if not one.is_whole:
            continue
        is_ordered = one.column.type == "number" and len(one.names) > 2  # judged as a column
        shares = np.minimum(_explained(one, one.train, one.total), _explained_on_valid(one))
        shares[(one.total < LEAST_OF_CLASS) | (one.valid_total < LEAST_OF_VALID)] = 0
        if shares.max() > HIGH and not is_ordered:
            found[one.column.name] = (int(shares.argmax()),), float(shares.max())
        of_several = _several_classes(one)
        if of_several is not None and one.column.name not in found:
            found[one.column.name] = of_several
    return found


def _several_classes(counts: Counts) -> Flag | None:
    """The classes for which one value of a column stands, such as all that are a pass."""
    of_class = counts.train / np.maximum(counts.total, 1)
    for value in range(len(counts.names)):
        is_in = of_class[value] > 0.5
        if not 1 < is_in.sum() < len(is_in):
            continue
        tables = ((counts.train, counts.total), (counts.valid, counts.valid_total))
        share = min(_phi(rows[value], total, is_in) for rows, total in tables)
        if share > NEARLY:
            return tuple(np.flatnonzero(is_in).tolist()), share
    return None


def _phi(rows: np.ndarray, total: np.ndarray, is_in: np.ndarray) -> float:
    """The squared correlation of having a value and being in some classes."""
    n, a, b, c = total.sum(), rows.sum(), total[is_in].sum(), rows[is_in].sum()
    if min(a, b, n - a, n - b) < LEAST_OF_VALID:
        return 0.0
    return float((n * c - a * b) ** 2 / (a * b * (n - a) * (n - b)))


def _explained_on_valid(counts: Counts) -> np.ndarray:
    return _explained(counts, counts.valid, counts.valid_total)


def _explained(counts: Counts, rows: np.ndarray, total: np.ndarray) -> np.ndarray:
    """The share of each class `(classes,)` that the train shares of the values explain."""
    inside = counts.train.astype(np.float64)
    mean = counts.total / counts.total.sum()
    predicted = (inside + 0.3 * mean) / (inside.sum(axis=1, keepdims=True) + 0.3)
    n = rows.sum(axis=1, keepdims=True)
    error = (n * predicted**2 - 2 * rows * predicted + rows).sum(axis=0)
    rest = total - rows.sum(axis=0)  # rows without a value
    n_rest = total.sum() - n.sum()
    error = error + n_rest * mean**2 - 2 * rest * mean + rest
    usual = total.sum() * mean**2 - 2 * total * mean + total
    return 1 - error / np.maximum(usual, 1e-12)


def _is_alone(name: str, found: Flag, others: Others) -> bool:
    places, share = found
    by_others = others.explain(name, places)
    return by_others <= MUCH * share if share > NEARLY else by_others < FAR * share


def some_classes(aim: Aim, places: tuple[int, ...]) -> Aim:
    """One class or several against all others."""
    values = np.unique(aim.labels)[list(places)]
    parts = [np.isin(v, values) for v in (aim.labels, aim.valid_labels)]
    return replace(
        aim,
        train=parts[0][:, None].astype(np.float64),
        valid=parts[1][:, None].astype(np.float64),
        labels=parts[0].astype(np.int64),
        valid_labels=parts[1].astype(np.int64),
    )


def _flags_finding(flags: dict[str, Flag], names: list[str], by_others: float) -> Finding:
    share = min(f[1] for f in flags.values())
    listed = ", ".join(
        f"`{name}` the class {' or '.join(f'`{names[i]}`' for i in found[0][:4])}"
        for name, found in list(flags.items())[:6]
    )
    return Finding(
        "flags_predict_target",
        tuple(flags),
        f"Of few values, these columns tell classes against all others: {listed}. They explain "
        f"{percent(share, None)} or more of them (0 % by chance), the other columns together "
        f"{percent(by_others, None)} at most.",
        "Check whether these columns are made from the target, as the flags of an encoding are. If "
        "so, leave all of them out.",
        numbers={"value": share, "chance": 0.0, "others": by_others},
    )


def _value_finding(found: Telling, names: list[str]) -> Finding:
    name = found.column.name
    listed = "; ".join(
        f"{n:,} train rows have `{value}`, {percent(share, None)} of them of the class "
        f"`{names[place]}`"
        for value, place, n, share in found.values[:3]
    )
    return Finding(
        "value_predicts_target",
        (name,),
        f"A value of `{name}` goes with one class: {listed}. With an odds ratio of "
        f"{found.odds_ratio:.0f}, which honest causes hardly reach, so few exceptions have a "
        f"probability of {found.p:.1g}; {ALPHA:g} is the limit for all values tried.",
        f"Ask how these values of `{name}` came about. If gaps were filled class by class, or the "
        "value is set once the target is known, leave the column out or fill its gaps without the "
        "target.",
        severity="leak" if found.is_sure else "look at it",
        numbers={"value": found.values[0][3], "chance": ALPHA, "p": found.p},
    )
