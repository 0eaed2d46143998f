"""Labels: the kind of task of the targets, and their coding as numbers for losses and metrics."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from numbers import Number
from typing import Any, Literal

import numpy as np

from workbench.data.columns import missing_rows
from workbench.data.notices import notice
from workbench.data.rows import AnyRows, DatasetRows, Rows
from workbench.errors import DataError, WorkbenchError, all_of, shown

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
LABELS = (str, bytes, Number, np.generic, type(None))  # one of them may be a class
LARGEST_WHOLE = 2.0**63  # from here on, floats have no whole number of 64 bits
FEW_FLOATS = 10  # whole floats with so few values may be classes


def infer_kind(targets: np.ndarray) -> Kind:
    """The kind of task of targets `(rows, ...)`.

    Any two labels (of floats only whole ones): binary. Other floats: regression. Whole numbers and
    texts: classification. Several columns of 0 and 1: multilabel; of other floats: regression. Any
    other targets: custom. Raises DataError for whole numbers or texts with too many values for
    classes, for dates, and where all targets are equal.
    """
    targets = targets[:, 0] if targets.ndim == 2 and targets.shape[1] == 1 else targets
    floating = targets.dtype.kind == "f"
    _refuse_times_and_containers(targets)
    if targets.ndim == 2 and (floating or targets.dtype.kind in "biu"):
        if np.isin(targets, (0, 1)).all():
            _tell_one_hot(targets)
            return "multilabel"
        return "regression" if floating else "custom"
    if targets.ndim != 1:
        return "custom"
    values = set(targets.tolist())
    if len(values) == 1 and len(targets) > 1:
        raise DataError(
            f"Every target of train is {next(iter(values))!r}: there is nothing to learn from "
            "them. Give rows with other targets too."
        )
    if floating:
        return _kind_of_floats(values)
    if len(values) > MOST_CLASSES or len(values) > max(30, len(targets) // 5):
        raise DataError(
            f"The targets have {len(values):,} different values in {len(targets):,} rows: say "
            "`kind='regression'` or `kind='classification'`."
        )
    return "binary" if len(values) == 2 else "classification"


def _refuse_times_and_containers(targets: np.ndarray) -> None:
    first = targets.flat[0] if targets.dtype.kind == "O" and targets.size else None
    is_period = hasattr(first, "ordinal") and hasattr(first, "freqstr")
    if targets.dtype.kind in "Mm" or is_period or isinstance(first, (date, timedelta)):
        raise DataError(
            "The targets are dates or spans of time: give numbers, such as days since the first "
            "date, or classes."
        )
    others = [v for v in targets.flat if not isinstance(v, LABELS)] if targets.dtype == "O" else []
    if others:
        place = "The first target is" if others[0] is first else "One of the targets is"
        raise DataError(
            f"{place} a {type(others[0]).__name__}: give one number or text a row, or an "
            "array (rows, labels) of 0 and 1 for several labels a row."
        )


def _kind_of_floats(values: set[float]) -> Kind:
    are_whole = all(value % 1 == 0 for value in values)
    if are_whole and len(values) == 2:
        return "binary"
    if are_whole and len(values) <= FEW_FLOATS:
        shown = ", ".join(f"{value:g}" for value in sorted(values))
        notice(
            f"The targets are floats with the values {shown}, and are taken as amounts "
            "(regression). If they are classes, say `kind='classification'`."
        )
    return "regression"


def _tell_one_hot(targets: np.ndarray) -> None:
    """Warn where each row has exactly one 1, as one-hot classes have."""
    if targets.shape[1] > 1 and (targets.sum(axis=1) == 1).all():
        notice(
            f"The targets have {targets.shape[1]} columns with exactly one 1 a row, and are taken "
            "as several labels a row (multilabel). If each row has one class, give its number: "
            "`targets.argmax(axis=1)`."
        )


@dataclass(frozen=True)
class Coding:
    """The coding of targets as numbers: `values` are the labels in the order of their numbers.

    Without `values`, whole numbers become int64 and other targets stay. `names` are the classes.
    """

    kind: Kind
    values: tuple[Any, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """How labels that are numbers were numbered again; empty if they were not."""
        if not self.values or not all(isinstance(v, (int, float)) for v in self.values):
            return ""
        if self.values == tuple(range(len(self.values))):
            return ""
        shown = ", ".join(_names(self.values[:8])) + (", ..." if len(self.values) > 8 else "")
        return (
            f"The labels {shown} are taken as {len(self.values)} classes; if they are numbers of "
            "the model's outputs, give `classes=` with the names of all outputs."
        )

    def __call__(self, targets: np.ndarray) -> np.ndarray:
        if self.kind == "custom":
            return targets
        targets = targets[:, 0] if targets.ndim == 2 and targets.shape[1] == 1 else targets
        missing = missing_rows(targets) if targets.ndim == 1 else np.empty(0, np.int64)
        if len(missing):
            raise DataError(
                f"misses {len(missing):,} targets, the first in row {missing[0]}: drop these rows."
            )
        if targets.ndim > 1 and self.kind in ("classification", "binary"):
            raise DataError(
                f"has targets of shape {targets.shape}, and a row of kind `{self.kind}` has one "
                "class: give its number, `targets.argmax(axis=1)` for one-hot columns, or leave "
                "`kind` out for several labels a row."
            )
        if targets.ndim == 1 and self.kind == "multilabel":
            raise DataError(
                "has one label a row, and a row of kind `multilabel` has several: give targets "
                "(rows, labels), or leave `kind` out."
            )
        if self.values:
            number = {value: i for i, value in enumerate(self.values)}
            labels = targets.tolist()
            coded = [number.get(v, -1) if isinstance(v, Hashable) else -1 for v in labels]
            if -1 in coded:
                left = [v for v, code in zip(labels, coded, strict=True) if code == -1]
                others = sorted({v if isinstance(v, str) else shown(v) for v in left})
                raise DataError(
                    f"has labels that are not among {list(self.values)[:20]}: "
                    f"{', '.join(others[:5])}."
                )
            return np.asarray(coded, np.int64)
        is_number = targets.dtype.kind in "biuf"
        if self.kind == "regression" or not is_number or not np.isfinite(targets).all():
            return targets
        if targets.dtype.kind == "f" and (np.abs(targets) >= LARGEST_WHOLE).any():
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


def refuse_missing(targets: np.ndarray, texts: Callable[[], Sequence[str]] = tuple) -> None:
    """Raise DataError for missing targets `(rows, ...)`, with their number and the first row.

    `texts()` are the texts of the file that were read as missing; one may be a label, such as `NA`.
    """
    if targets.ndim != 1 and targets.dtype.kind != "O":
        return  # NaN in an array of floats may mean "no target here" to the user's loss
    missing = missing_rows(targets)
    if len(missing):
        n = len(missing)
        raise DataError(
            f"{n:,} {'target of train is' if n == 1 else 'targets of train are'} missing, the "
            f"first in row {missing[0]}: drop {'this row' if n == 1 else 'these rows'}."
            f"{_hint_on_texts(targets, texts())}"
        )


def _hint_on_texts(targets: np.ndarray, texts: Sequence[str]) -> str:
    """A sentence for a label that pandas has read as missing; empty where that cannot be."""
    way_out = "`pandas.read_csv(path, keep_default_na=False)`"
    if texts:
        names = ", ".join(f"`{text}`" for text in texts)
        return (
            f" The file has {names} there, which is read as missing: if it is a label, give the "
            f"DataFrame of {way_out}."
        )
    if targets.ndim == 1 and any(isinstance(value, str) for value in targets):
        return (
            " If a label is a text such as `NA` or `None` in a CSV file, read it by "
            f"{way_out}: pandas takes such texts as missing."
        )
    return ""


def coding_of(kind: Kind, targets: np.ndarray, classes: tuple[Any, ...], model: Any) -> Coding:
    """The coding of labels: in the order of a fitted `model`, of `classes`, or sorted.

    Whole numbers from 0 on keep their values. Others, such as 1 to 3, -1 and 1, or 10, 20 and 30,
    are numbered in their order; so are those that cannot be numbers of `classes`.
    """
    class_names = tuple(map(str, classes))
    if kind not in ("classification", "binary") or targets.ndim > 2:
        return Coding(kind, (), class_names)
    labels = set(targets.ravel().tolist())
    learned = getattr(model, "classes_", None)
    for order in (learned.tolist() if isinstance(learned, np.ndarray) else (), classes):
        if len(order) and labels <= set(order):
            renamed = len(classes) == len(order) and set(classes) != set(order)
            return Coding(kind, tuple(order), class_names if renamed else _names(order))
    if targets.dtype.kind in "biuf":
        return _coding_of_numbers(kind, labels, class_names)
    order = tuple(classes or sorted(labels, key=lambda label: (type(label).__name__, label)))
    return Coding(kind, order, _names(order))


def _coding_of_numbers(kind: Kind, labels: set[Any], class_names: tuple[str, ...]) -> Coding:
    """The coding of numbers that are neither learned nor among `classes`."""
    order = tuple(sorted(labels))
    if class_names:
        if order[-1] < len(class_names) or len(order) != len(class_names):
            return Coding(kind, (), class_names)
        pairs = ", ".join(
            f"{value:g} as {name}" for value, name in list(zip(order, class_names, strict=True))[:8]
        )
        notice(f"The labels are no numbers of `classes`, and are taken in their order: {pairs}.")
        return Coding(kind, order, class_names)
    are_whole = all(value % 1 == 0 for value in order)
    if set(order) <= {0, 1} or len(order) > MOST_CLASSES:
        return Coding(kind)
    # Numbers from 0 on with a few gaps are classes of which no row is there, which is told.
    from_zero = order[0] == 0 and are_whole and 2 * len(order) > order[-1] + 1
    return Coding(kind) if from_zero and kind != "binary" else Coding(kind, order, _names(order))


def _names(order: Iterable[Any]) -> tuple[str, ...]:
    """Labels as names; whole floats without their point."""
    return tuple(f"{v:.0f}" if isinstance(v, float) and v % 1 == 0 else str(v) for v in order)


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
