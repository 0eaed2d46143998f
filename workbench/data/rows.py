"""Rows: named arrays of equal length with their targets, in memory or from a torch dataset."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from workbench.data.columns import array_of
from workbench.errors import DataError, WorkbenchError, sentence_of, shown

__all__ = ["SPLIT_NAMES", "AnyRows", "Batch", "DatasetRows", "Rows", "Splits", "named_batch"]

SPLIT_NAMES = ("train", "valid", "calibration", "test")
TARGET_KEYS = ("labels", "label", "targets", "target", "y")

Batch = tuple[dict[str, np.ndarray], np.ndarray]
Prepare = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]


@dataclass(frozen=True, eq=False)  # arrays have no single truth value; `digest` compares content
class Rows:
    """Rows in memory: `inputs` maps a name to an array `(rows, ...)`, `targets` is `(rows, ...)`.

    `times` `(rows,)` is for rows that are ordered in time, and holds labels such as the day.
    `groups` `(rows,)` is for rows that belong together, and holds labels such as the patient: no
    cut and no fold parts a group. Intervals resample whole times or groups. Raises DataError for
    arrays of unequal length, of complex numbers and of records.
    """

    inputs: Mapping[str, np.ndarray]
    targets: np.ndarray
    times: np.ndarray | None = None
    groups: np.ndarray | None = None

    def __post_init__(self) -> None:
        for name, array in {**self.inputs, "targets": self.targets}.items():
            if array.dtype.kind in "cV":
                noun = "complex numbers" if array.dtype.kind == "c" else "records"
                raise DataError(
                    f"`{name}` holds {noun}: give real numbers, a `pandas.DataFrame` for records."
                )
        lengths = {name: len(array) for name, array in self.inputs.items()}
        lengths["targets"] = len(self.targets)
        lengths |= {name: len(labels) for name, labels in self._labels.items()}
        if len(set(lengths.values())) != 1:
            raise DataError(
                f"Arrays of unequal length: {lengths}. Give as many rows in each input as targets."
            )

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def blocks(self) -> np.ndarray | None:
        """Labels `(rows,)` of the rows that intervals resample together; None without any."""
        return self.times if self.groups is None else self.groups

    @property
    def _labels(self) -> dict[str, np.ndarray]:
        """The labels of the rows that there are, by their name."""
        labels = {"times": self.times, "groups": self.groups}
        return {name: values for name, values in labels.items() if values is not None}

    def take(self, indices: np.ndarray | slice) -> Rows:
        """The rows of these indices, in the order of the indices."""
        inputs = {name: array[indices] for name, array in self.inputs.items()}
        labels = {name: values[indices] for name, values in self._labels.items()}
        return Rows(inputs, self.targets[indices], **labels)

    def prepared(self, prepare: Prepare | None) -> Rows:
        """The same rows with `prepare` applied to all inputs at once."""
        if prepare is None:
            return self
        inputs = prepare(dict(self.inputs))
        if not isinstance(inputs, Mapping) or not inputs:
            raise DataError(
                f"`prepare` gave {shown(inputs)}: it must give named arrays, as in {{'x': array}}."
            )
        return replace(self, inputs=_named_arrays(inputs))

    def batches(
        self, size: int, *, rng: np.random.Generator | None = None, drop_last: bool = False
    ) -> Iterator[Batch]:
        """Batches of `size` rows, shuffled by a generator `rng` if there is one.

        `drop_last` leaves out a shorter last batch, unless it is the only one.
        """
        order = _order(len(self), size, rng)
        for start in range(0, len(order), size):
            chosen = order[start : start + size]
            if drop_last and len(chosen) < size and start:
                return
            rows = self.take(chosen if rng is not None else slice(start, start + size))
            yield dict(rows.inputs), rows.targets

    @cached_property
    def digest(self) -> str:
        """A short hash of the content, equal for two runs on the same rows."""
        parts = {f"input {name}": array for name, array in self.inputs.items()}
        parts["targets"] = self.targets
        parts |= self._labels
        sha = hashlib.sha256()
        for name, array in sorted(parts.items()):
            sha.update(f"{name} {np.asarray(array).dtype} {np.shape(array)}".encode())
            sha.update(_bytes(array))
        return sha.hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class DatasetRows:
    """Rows of a map-style torch dataset, read when needed, with the methods of `Rows`."""

    dataset: Any
    names: tuple[str, ...]
    collate: Callable[[list[Any]], Any] | None = None
    prepare: Prepare | None = None
    times: None = None
    groups: np.ndarray | None = None

    @property
    def blocks(self) -> np.ndarray | None:
        """Labels `(rows,)` of the rows that intervals resample together; None without any."""
        return self.groups

    def __len__(self) -> int:
        return len(self.dataset)

    def take(self, indices: np.ndarray | slice) -> Rows:
        """The rows of these indices, read into memory."""
        chosen = np.arange(len(self))[indices]
        inputs, targets = self._read(chosen)
        groups = None if self.groups is None else self.groups[chosen]
        return Rows(inputs, targets, groups=groups)

    def prepared(self, prepare: Prepare | None) -> DatasetRows:
        """The same rows with `prepare` applied to each batch, after an earlier `prepare`."""
        first = self.prepare
        if prepare is None:
            return self
        return replace(
            self, prepare=prepare if first is None else lambda inputs: prepare(first(inputs))
        )

    def batches(
        self, size: int, *, rng: np.random.Generator | None = None, drop_last: bool = False
    ) -> Iterator[Batch]:
        """Batches of `size` rows, as those of `Rows`."""
        order = _order(len(self), size, rng)
        for start in range(0, len(order), size):
            chosen = order[start : start + size]
            if drop_last and len(chosen) < size and start:
                return
            yield self._read(chosen)

    @cached_property
    def targets(self) -> np.ndarray:
        """All targets, read by one pass over the dataset."""
        if not len(self):
            raise DataError("The dataset is empty: give one with at least one row.")
        return np.concatenate([targets for _, targets in self.batches(256)])

    @cached_property
    def digest(self) -> str:
        """The length, and a short hash of the first 256 rows: all of a dataset may take hours."""
        return f"{len(self)}-{self.take(slice(0, 256)).digest}"

    def _read(self, chosen: np.ndarray) -> Batch:
        """The rows of these indices; an error of the dataset's own code becomes a DataError."""
        try:
            return self._collated([self.dataset[int(i)] for i in chosen])
        except WorkbenchError:
            raise
        except Exception as error:  # the user's dataset or collate function
            where = f"rows {chosen[0]} to {chosen[-1]}" if len(chosen) else "no row"
            raise DataError(
                f"The dataset raised {type(error).__name__} when {where} were read: "
                f"{sentence_of(error)} Every row must be one input or more and a target, of the "
                "same shapes."
            ) from error

    def _collated(self, samples: list[Any]) -> Batch:
        from torch.utils.data import default_collate

        inputs, targets = named_batch((self.collate or default_collate)(samples), self.names)
        return (inputs if self.prepare is None else self.prepare(inputs)), targets


AnyRows = Rows | DatasetRows


@dataclass(frozen=True)
class Splits:
    """The four parts of a task's data; `test` is None for techniques and workers."""

    train: AnyRows
    valid: AnyRows
    calibration: AnyRows
    test: AnyRows | None = None

    def without_test(self) -> Splits:
        """The same splits without test."""
        return replace(self, test=None)

    def named(self) -> dict[str, AnyRows]:
        """The splits that there are, by name."""
        splits = {name: getattr(self, name) for name in SPLIT_NAMES}
        return {name: rows for name, rows in splits.items() if rows is not None}

    def sizes(self) -> dict[str, int]:
        """The number of rows of each split."""
        return {name: len(rows) for name, rows in self.named().items()}


def named_batch(batch: Any, names: tuple[str, ...]) -> Batch:
    """Named arrays and targets from a collated batch.

    A batch is a mapping with the targets under `labels` (or `target`, `y`), or a tuple with the
    targets at its end. `names` are for the inputs of a tuple; without them, they are x, x1, x2.
    Raises DataError for a batch of another kind or without targets.
    """
    if isinstance(batch, Mapping):
        key = next((k for k in TARGET_KEYS if k in batch), None)
        if key is None:
            raise DataError(
                f"A batch with the keys {sorted(batch)} holds no target; name it `labels`, "
                "`target` or `y`."
            )
        # Other names of a target are left out too: a copy of the target must not become an input.
        inputs = {k: v for k, v in batch.items() if k not in TARGET_KEYS}
        return _named_arrays(inputs), array_of(batch[key], key)
    if isinstance(batch, (tuple, list)) and len(batch) >= 2:
        *parts, last = batch
        targets = array_of(last, "the last part, the targets,")
        if len(parts) == 1 and isinstance(parts[0], Mapping):
            return _named_arrays(parts[0]), targets
        if len(parts) == 1 and _holds_inputs(parts[0], len(targets)):
            parts = list(parts[0])
        if len(names) != len(parts):
            names = ("x", *(f"x{i}" for i in range(1, len(parts))))
        return _named_arrays(dict(zip(names, parts, strict=True))), targets
    is_sequence = isinstance(batch, (tuple, list))
    got = "one element and no target" if is_sequence else type(batch).__name__
    raise DataError(f"A batch must be a mapping or a tuple (inputs, ..., targets), got {got}.")


def _holds_inputs(values: Any, n_rows: int) -> bool:
    """Whether a sequence holds several inputs, each with all rows; a list of rows does not."""
    if not isinstance(values, (tuple, list)):
        return False
    lengths = [_length(value) for value in values]
    if any(length != n_rows for length in lengths):
        return len(values) != n_rows and all(hasattr(value, "shape") for value in values)
    is_batch = [hasattr(value, "shape") or isinstance(value, tuple) for value in values]
    return isinstance(values, tuple) or any(is_batch)


def _length(value: Any) -> int | None:
    """The number of rows of an array or a sequence; None for one value."""
    if hasattr(value, "shape"):
        return value.shape[0] if len(value.shape) else None
    return len(value) if isinstance(value, (tuple, list)) else None


def _named_arrays(values: Mapping[str, Any]) -> dict[str, np.ndarray]:
    return {str(name): array_of(value, f"`{name}`") for name, value in values.items()}


def _order(n: int, size: int, rng: np.random.Generator | None) -> np.ndarray:
    """The order in which batches of `size` take `n` rows."""
    if size < 1:
        raise DataError(f"A batch must have at least one row, got {size}.")
    return np.arange(n) if rng is None else rng.permutation(n)


def _bytes(array: np.ndarray) -> bytes:
    """The content of an array; of objects their text, as their bytes are addresses."""
    array = np.asarray(array)
    if array.dtype.hasobject:
        return repr(array.tolist()).encode()
    return np.ascontiguousarray(array).tobytes()
