"""Labels: the kind of task that targets speak of, and their coding into the numbers that losses and
metrics take.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from workbench.data.rows import AnyRows, DatasetRows, Rows
from workbench.errors import DataError, WorkbenchError, all_of

__all__ = [
    "Coding",
    "Kind",
    "coded_rows",
    "coding_of",
    "infer_kind",
    "refuse_missing",
    "with_targets",
]

Kind = Literal["classification", "binary", "multilabel", "regression", "custom"]

MOST_CLASSES = 1000


def infer_kind(targets: np.ndarray) -> Kind:
    """The kind of task that targets `(rows, ...)` speak of.

    0 and 1 alone, or any two labels: binary; other floats: regression; whole numbers and text:
    classification; several columns of 0 and 1: multilabel, of other floats: regression; all else:
    custom. Raises DataError when whole numbers or texts have so many values that they are hardly
    classes.
    """
    targets = targets[:, 0] if targets.ndim == 2 and targets.shape[1] == 1 else targets
    floating = targets.dtype.kind == "f"
    if targets.ndim == 2 and (floating or targets.dtype.kind in "biu"):
        if np.isin(targets, (0, 1)).all():
            return "multilabel"
        return "regression" if floating else "custom"
    if targets.ndim != 1:
        return "custom"
    values = set(targets.tolist())
    if floating:
        return "binary" if values == {0.0, 1.0} else "regression"
    if len(values) > MOST_CLASSES or len(values) > max(30, len(targets) // 5):
        raise DataError(
            f"The targets have {len(values):,} different values in {len(targets):,} rows: say "
            "`kind='regression'` or `kind='classification'`."
        )
    return "binary" if len(values) == 2 else "classification"


@dataclass(frozen=True)
class Coding:
    """How targets as given become what losses and metrics take; `values` are labels in order of
    their number.
    """

    kind: Kind
    values: tuple[Any, ...] = ()
    names: tuple[str, ...] = ()

    def __call__(self, targets: np.ndarray) -> np.ndarray:
        if self.kind == "custom":
            return targets
        targets = targets[:, 0] if targets.ndim == 2 and targets.shape[1] == 1 else targets
        if self.values:
            number = {value: i for i, value in enumerate(self.values)}
            coded = [number.get(value, -1) for value in targets.tolist()]
            if -1 in coded:
                strange = sorted({str(v) for v in targets.tolist() if v not in number})
                raise DataError(
                    f"has labels that are not among {list(self.values)[:20]}: "
                    f"{', '.join(strange[:5])}."
                )
            return np.asarray(coded, np.int64)
        if self.kind == "regression" or targets.dtype.kind not in "biuf":
            return targets
        whole = targets.astype(np.int64) if np.isfinite(targets).all() else targets
        return whole if np.array_equal(whole, targets) else targets


@dataclass(frozen=True)
class _CodedCollate:
    """A dataset's collate function, its targets coded on the way; `rows` say how to collate and
    hold no sample.
    """

    coding: Coding
    rows: DatasetRows

    def __call__(self, samples: list[Any]) -> tuple[dict[str, np.ndarray], np.ndarray]:
        inputs, targets = self.rows._collated(samples)
        return inputs, self.coding(targets)


def refuse_missing(targets: np.ndarray) -> None:
    """Raises DataError when targets `(rows,)` miss values, with their number and the first row."""
    missing = (
        [i for i, v in enumerate(targets.tolist()) if v is None or v != v]
        if targets.ndim == 1
        else []
    )
    if missing:
        raise DataError(
            f"The targets of train miss {len(missing):,} values, the first in row {missing[0]}: "
            "drop these rows."
        )


def coding_of(kind: Kind, targets: np.ndarray, classes: tuple[Any, ...], model: Any) -> Coding:
    """How to number labels: in the order that a fitted `model` learned, of `classes`, or sorted;
    numbers outside both stay.
    """
    if kind not in ("classification", "binary") or targets.ndim > 2:
        return Coding(kind, (), tuple(map(str, classes)))
    found = set(targets.ravel().tolist())
    learned = getattr(model, "classes_", None)
    for order in (learned.tolist() if isinstance(learned, np.ndarray) else (), classes):
        if len(order) and found <= set(order):
            names = classes if len(classes) == len(order) and set(classes) != set(order) else order
            return Coding(kind, tuple(order), tuple(map(str, names)))
    if targets.dtype.kind in "biuf":
        return Coding(kind, (), tuple(map(str, classes)))
    order = tuple(classes or sorted(found, key=lambda v: (type(v).__name__, v)))
    return Coding(kind, order, tuple(map(str, order)))


def coded_rows(rows: Mapping[str, AnyRows], coding: Coding) -> dict[str, AnyRows]:
    """The same rows with their targets coded; raises one DataError with the problems of all splits."""
    coded, problems = {}, []
    for split, given in rows.items():
        try:
            targets = coding(np.asarray(given.targets))
            if isinstance(given, Rows):
                coded[split] = replace(given, targets=targets)
            else:
                collate = _CodedCollate(
                    coding, replace(given, dataset=())
                )  # or every split would carry the others
                coded[split] = with_targets(replace(given, collate=collate), targets)
        except WorkbenchError as error:
            problems.append(f"`{split}` {error}")
    if problems:
        raise DataError(all_of(problems, "The labels cannot be used"))
    return coded


def with_targets(rows: DatasetRows, targets: np.ndarray) -> DatasetRows:
    """The same rows with their targets known: reading them again is one more pass over the dataset."""
    rows.__dict__["targets"] = targets  # where its cached_property would put them
    return rows
