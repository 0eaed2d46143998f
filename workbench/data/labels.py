"""Labels: the kind of task of the targets, and their coding as numbers for losses and metrics."""

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
    """The kind of task of targets `(rows, ...)`.

    Only 0 and 1, or any two labels: binary. Other floats: regression. Whole numbers and texts:
    classification. Several columns of 0 and 1: multilabel; of other floats: regression. Any other
    targets: custom. Raises DataError for whole numbers or texts with too many values for classes.
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
    """The coding of targets as numbers: `values` are the labels in the order of their numbers.

    Without `values`, whole numbers become int64 and other targets stay. `names` are the classes.
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
                others = sorted({str(v) for v in targets.tolist() if v not in number})
                raise DataError(
                    f"has labels that are not among {list(self.values)[:20]}: "
                    f"{', '.join(others[:5])}."
                )
            return np.asarray(coded, np.int64)
        is_number = targets.dtype.kind in "biuf"
        if self.kind == "regression" or not is_number or not np.isfinite(targets).all():
            return targets
        whole = targets.astype(np.int64)
        return whole if np.array_equal(whole, targets) else targets


@dataclass(frozen=True)
class _CodedCollate:
    """A dataset's collate function that also codes the targets; `rows` hold no sample."""

    coding: Coding
    rows: DatasetRows

    def __call__(self, samples: list[Any]) -> tuple[dict[str, np.ndarray], np.ndarray]:
        inputs, targets = self.rows._collated(samples)
        return inputs, self.coding(targets)


def refuse_missing(targets: np.ndarray) -> None:
    """Raise DataError for missing targets `(rows,)`, with their number and the first row."""
    if targets.ndim != 1:
        return
    # NaN is the one value that differs from itself.
    missing = [row for row, value in enumerate(targets.tolist()) if value is None or value != value]
    if missing:
        n = len(missing)
        raise DataError(
            f"{n:,} {'target of train is' if n == 1 else 'targets of train are'} missing, the "
            f"first in row {missing[0]}: drop {'this row' if n == 1 else 'these rows'}."
        )


def coding_of(kind: Kind, targets: np.ndarray, classes: tuple[Any, ...], model: Any) -> Coding:
    """The coding of labels: in the order of a fitted `model`, of `classes`, or sorted.

    Numbers that are in neither of the first two keep their values.
    """
    class_names = tuple(map(str, classes))
    if kind not in ("classification", "binary") or targets.ndim > 2:
        return Coding(kind, (), class_names)
    labels = set(targets.ravel().tolist())
    learned = getattr(model, "classes_", None)
    for order in (learned.tolist() if isinstance(learned, np.ndarray) else (), classes):
        if len(order) and labels <= set(order):
            renamed = len(classes) == len(order) and set(classes) != set(order)
            return Coding(kind, tuple(order), class_names if renamed else tuple(map(str, order)))
    if targets.dtype.kind in "biuf":
        return Coding(kind, (), class_names)
    order = tuple(classes or sorted(labels, key=lambda label: (type(label).__name__, label)))
    return Coding(kind, order, tuple(map(str, order)))


def coded_rows(rows: Mapping[str, AnyRows], coding: Coding) -> dict[str, AnyRows]:
    """The same rows with coded targets; raises one DataError with the problems of all splits."""
    coded: dict[str, AnyRows] = {}
    problems = []
    for split, split_rows in rows.items():
        try:
            targets = coding(np.asarray(split_rows.targets))
            if isinstance(split_rows, Rows):
                coded[split] = replace(split_rows, targets=targets)
            else:
                # Without the dataset: the collate function must not hold the rows of the split.
                collate = _CodedCollate(coding, replace(split_rows, dataset=()))
                coded[split] = with_targets(replace(split_rows, collate=collate), targets)
        except WorkbenchError as error:
            problems.append(f"`{split}` {error}")
    if problems:
        raise DataError(all_of(problems, "The labels cannot be used"))
    return coded


def with_targets(rows: DatasetRows, targets: np.ndarray) -> DatasetRows:
    """The same rows with these targets, which saves a pass over the dataset to read them."""
    rows.__dict__["targets"] = targets  # the place of its cached_property
    return rows
