"""View, the rows of a task as columns of numbers, categories, texts and dates, for all checks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from workbench.data.columns import WORDS_OF_A_TEXT
from workbench.data.rows import AnyRows, Rows
from workbench.errors import DataError
from workbench.measure.leakage.hashes import input_hashes
from workbench.task import Task

__all__ = ["Aim", "Column", "View", "codes_of", "is_time_name", "numbers_of"]

Type = Literal["number", "category", "text", "date"]

MOST_ROWS = 30_000  # of a split that columns are scored on
MOST_VALUES = 30_000_000  # rows x columns that are scored
MOST_COLUMNS = 6_000  # of one array that are taken one by one
MOST_OF_DATASET = 5_000  # rows of a torch dataset that are read
MOST_AIMS = 20  # labels or outputs that are scored each
MOST_CLASSES = 60  # that are scored each; the rarest others count as one
N_SAMPLE = 2_000  # values that a type is told from
TIME_NAME = re.compile(r"(^|_)(date|datetime|timestamp|time|year|epoch|ts)($|_)", re.IGNORECASE)
DATE_TEXT = re.compile(r"^\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?$")


@dataclass(frozen=True, eq=False)
class Column:
    """One column: its values by split `(rows,)`, as they are in the task."""

    name: str
    type: Type
    values: Mapping[str, np.ndarray]

    @property
    def train(self) -> np.ndarray:
        """The values of train rows."""
        return self.values["train"]

    def numbers(self, split: str) -> np.ndarray:
        """The values as floats `(rows,)`, dates as seconds; NaN where missing or no number."""
        return numbers_of(self.values[split], self.type)

    def missing(self, split: str) -> np.ndarray:
        """Whether each value is missing `(rows,)`; an empty text is missing too."""
        import pandas as pd

        values = self.values[split]
        if values.dtype.kind in "iub":
            return np.zeros(len(values), bool)
        missing = np.asarray(pd.isna(values))
        return missing | (values == "") if values.dtype.kind in "OU" else missing


@dataclass(frozen=True, eq=False)
class Aim:
    """Something to predict: arrays `(rows, k)` of train and valid, one column a class.

    `labels` are class numbers or amounts `(rows,)`. Amounts are taken as ranks among train rows.
    """

    name: str
    kind: Literal["classes", "amount"]
    train: np.ndarray
    valid: np.ndarray
    labels: np.ndarray
    valid_labels: np.ndarray


@dataclass(frozen=True, eq=False)
class View:
    """The rows of a task for the checks.

    `whole` are all rows of each split that are in memory, `columns` and `aims` a sample of train
    and valid. `positions` are the places of the sampled train rows.
    """

    task: Task
    whole: Mapping[str, Rows]
    columns: tuple[Column, ...]
    aims: tuple[Aim, ...]
    positions: np.ndarray
    notes: tuple[str, ...] = ()
    are_columns: bool = True  # named columns, and no images
    valid_positions: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))

    @classmethod
    def of(cls, task: Task, seed: int = 0) -> View:
        """The view of a task; raises DataError for splits without rows."""
        notes: list[str] = []
        whole = {name: _in_memory(name, r, notes) for name, r in task.data.named().items()}
        for name in ("train", "valid"):
            if not len(whole[name]):
                raise DataError(f"`{name}` of task `{task.name}` has no row: give it rows.")
        n_columns = sum(int(np.prod(a.shape[1:])) for a in whole["train"].inputs.values())
        most = int(min(MOST_ROWS, max(500, MOST_VALUES / max(1, n_columns))))
        rng = np.random.default_rng(seed)
        places = {n: _places(n, len(whole[n]), most, rng, notes) for n in ("train", "valid")}
        sample = {name: whole[name].take(index) for name, index in places.items()}
        columns, are_columns = _columns(sample, notes)
        return cls(
            task,
            whole,
            columns,
            _aims(task, sample["train"], sample["valid"], notes),
            places["train"],
            tuple(notes),
            are_columns,
            places["valid"],
        )

    @cached_property
    def common(self) -> tuple[str, ...]:
        """Names of inputs that every split has, with rows of one shape."""
        shapes = [{n: a.shape[1:] for n, a in rows.inputs.items()} for rows in self.whole.values()]
        return tuple(n for n in shapes[0] if all(s.get(n) == shapes[0][n] for s in shapes))

    @cached_property
    def hashes(self) -> dict[str, np.ndarray]:
        """A hash of the inputs of each row `(rows,)` of each split, equal for equal rows."""
        return input_hashes(self.whole, self.common)

    @property
    def in_time(self) -> bool:
        """Whether rows are ordered in time."""
        return self.whole["train"].times is not None

    def column(self, name: str) -> Column:
        """The column of this name."""
        return next(c for c in self.columns if c.name == name)


def is_time_name(name: str) -> bool:
    """Whether the name of a column is that of a time."""
    return TIME_NAME.search(name) is not None


def numbers_of(values: np.ndarray, type: Type) -> np.ndarray:
    """Values of a column as floats `(rows,)`, dates as seconds since 1970; NaN where none is."""
    import pandas as pd

    if values.dtype.kind in "biuf":
        return values.astype(np.float64)
    if type == "date":
        dates = pd.to_datetime(pd.Series(values), errors="coerce", format="mixed", utc=True)
        seconds = dates.dt.tz_localize(None).to_numpy("datetime64[ns]").astype(np.int64) / 1e9
        return np.where(dates.isna().to_numpy(), np.nan, seconds)
    if values.dtype.kind == "m":
        return np.where(np.isnat(values), np.nan, values.astype("m8[ns]").astype(np.int64) / 1e9)
    return pd.to_numeric(pd.Series(values.astype(object)), errors="coerce").to_numpy(np.float64)


def codes_of(*arrays: np.ndarray) -> tuple[list[np.ndarray], int]:
    """Equal values of several arrays as equal numbers from 0, and the number of values."""
    import pandas as pd

    joined = np.concatenate([_comparable(a) for a in arrays])
    codes, values = pd.factorize(joined, use_na_sentinel=False)
    ends = np.cumsum([len(a) for a in arrays])[:-1]
    return np.split(codes, ends), len(values)


def _comparable(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "U":
        return values.astype(object)
    if values.dtype.kind != "O":
        return values
    return np.array([v if isinstance(v, str) else str(v) for v in values.tolist()], object)


def _in_memory(name: str, rows: AnyRows, notes: list[str]) -> Rows:
    if isinstance(rows, Rows):
        return rows
    if len(rows) > MOST_OF_DATASET:
        notes.append(
            f"{name} is a torch dataset: {MOST_OF_DATASET:,} of its {len(rows):,} rows were read, "
            "evenly spaced."
        )
    index = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MOST_OF_DATASET)).astype(int))
    return rows.take(index)


def _places(name: str, n: int, most: int, rng: np.random.Generator, notes: list[str]) -> np.ndarray:
    if n <= most:
        return np.arange(n)
    notes.append(f"Columns were scored on {most:,} of the {n:,} {name} rows, drawn at random.")
    return np.sort(rng.choice(n, most, replace=False))


def _columns(sample: Mapping[str, Rows], notes: list[str]) -> tuple[tuple[Column, ...], bool]:
    columns: list[Column] = []
    are_columns = True
    for name, array in sample["train"].inputs.items():
        if any(name not in rows.inputs for rows in sample.values()):
            notes.append(f"Input `{name}` is not in every split, and was left out.")
            continue
        if array.ndim == 1:
            type_ = _type_of(array)
            if type_ is None:
                notes.append(f"Column `{name}` holds lists or other containers, and was left out.")
            else:
                columns.append(Column(name, type_, {s: r.inputs[name] for s, r in sample.items()}))
            continue
        are_columns &= array.ndim == 2
        columns += _flat(name, sample, notes)
    return tuple(columns), are_columns


def _flat(name: str, sample: Mapping[str, Rows], notes: list[str]) -> list[Column]:
    """The columns of a matrix, or the pixels of images."""
    shape = sample["train"].inputs[name].shape[1:]
    if any(rows.inputs[name].shape[1:] != shape for rows in sample.values()):
        notes.append(f"Rows of `{name}` have other shapes in valid; its parts were not scored.")
        return []
    if sample["train"].inputs[name].dtype.kind not in "biuf":
        return []
    n = int(np.prod(shape))
    chosen = np.unique(np.linspace(0, n - 1, min(n, MOST_COLUMNS)).astype(int))
    if n > MOST_COLUMNS:
        notes.append(f"{MOST_COLUMNS:,} of the {n:,} values of a row of `{name}` were scored.")
    flat = {s: r.inputs[name].reshape(len(r), -1) for s, r in sample.items()}
    places = np.array(np.unravel_index(chosen, shape)).T
    return [
        Column(
            f"{name}[{', '.join(map(str, place))}]",
            "number",
            {s: np.ascontiguousarray(a[:, at]) for s, a in flat.items()},
        )
        for at, place in zip(chosen, places.tolist(), strict=True)
    ]


def _type_of(values: np.ndarray) -> Type | None:
    import pandas as pd

    if values.dtype.kind in "biufm":
        return "number"
    if values.dtype.kind == "M":
        return "date"
    present = values[~np.asarray(pd.isna(values))][:N_SAMPLE]
    cells = [v for v in present.tolist() if v != ""]
    if not cells:
        return "category"
    if isinstance(cells[0], (list, tuple, dict, set, np.ndarray)):
        return None
    if hasattr(cells[0], "year") and hasattr(cells[0], "month"):
        return "date"
    texts = [str(v) for v in cells]
    if sum(DATE_TEXT.match(t) is not None for t in texts) > 0.95 * len(texts):
        parsed = pd.to_datetime(pd.Series(texts), errors="coerce", format="mixed")
        if parsed.notna().mean() > 0.95:
            return "date"
    words = np.mean([len(t.split()) for t in texts])
    are_many = len(set(texts)) > 0.2 * len(texts)
    return "text" if words >= WORDS_OF_A_TEXT and are_many else "category"


def _aims(task: Task, train: Rows, valid: Rows, notes: list[str]) -> tuple[Aim, ...]:
    labels, others = np.asarray(train.targets), np.asarray(valid.targets)
    is_number = labels.dtype.kind in "biuf" and others.dtype.kind in "biuf"
    if task.kind == "custom" or not is_number or labels.shape[1:] != others.shape[1:]:
        notes.append("Targets are neither classes nor amounts: only inputs were looked at.")
        return ()
    if labels.ndim > 2:
        notes.append("A row has a target of several dimensions: only inputs were looked at.")
        return ()
    if labels.ndim == 1:
        labels, others = labels[:, None], others[:, None]
    n = labels.shape[1]
    names = task.classes if task.kind == "multilabel" and len(task.classes) == n else range(n)
    if n > MOST_AIMS:
        notes.append(f"The first {MOST_AIMS} of the {n} targets of a row were looked at.")
    return tuple(
        _aim("target" if n == 1 else f"target {name}", labels[:, i], others[:, i], task.kind)
        for i, name in zip(range(min(n, MOST_AIMS)), names, strict=False)
    )


def _aim(name: str, labels: np.ndarray, others: np.ndarray, kind: str) -> Aim:
    if kind == "regression":
        ordered = np.sort(labels.astype(np.float64))
        ranks = [_ranks(ordered, v.astype(np.float64))[:, None] for v in (labels, others)]
        return Aim(name, "amount", ranks[0], ranks[1], labels, others)
    values, counts = np.unique(labels, return_counts=True)
    if len(values) == 2:
        values = values[1:]
    values = values[np.argsort(-counts[-len(values) :], kind="stable")][:MOST_CLASSES]
    parts: list[Any] = [(v[:, None] == values[None]).astype(np.float64) for v in (labels, others)]
    return Aim(name, "classes", parts[0], parts[1], labels, others)


def _ranks(ordered: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Ranks from 0 to 1 among ordered values; equal values have one rank."""
    left = np.searchsorted(ordered, values, "left")
    right = np.searchsorted(ordered, values, "right")
    return (left + right) / (2 * len(ordered))
