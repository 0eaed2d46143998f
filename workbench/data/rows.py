"""Rows, the one shape of data: named arrays of equal length with their targets, in memory or from a
torch dataset.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from workbench.errors import DataError

__all__ = ["SPLIT_NAMES", "AnyRows", "Batch", "DatasetRows", "Rows", "Splits", "named_batch"]

SPLIT_NAMES = ("train", "valid", "calibration", "test")
TARGET_KEYS = ("labels", "label", "targets", "target", "y")

Batch = tuple[dict[str, np.ndarray], np.ndarray]
Prepare = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]


@dataclass(frozen=True, eq=False)  # arrays have no single truth value; `digest` compares content
class Rows:
    """Rows in memory: `inputs` maps a name to an array `(rows, ...)`, `targets` is `(rows, ...)`.

    `times`, where rows are ordered in time, is an array `(rows,)` of block labels (a day, say):
    intervals then resample whole blocks.
    """

    inputs: Mapping[str, np.ndarray]
    targets: np.ndarray
    times: np.ndarray | None = None

    def __post_init__(self) -> None:
        lengths = {name: len(a) for name, a in self.inputs.items()} | {"targets": len(self.targets)}
        if self.times is not None:
            lengths["times"] = len(self.times)
        if len(set(lengths.values())) != 1:
            raise DataError(
                f"Arrays of unequal length: {lengths}. Every input needs one row a target."
            )

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, indices: np.ndarray | slice) -> Rows:
        """Some of the rows, in the order given."""
        times = None if self.times is None else self.times[indices]
        return Rows(
            {name: a[indices] for name, a in self.inputs.items()}, self.targets[indices], times
        )

    def prepared(self, prepare: Prepare | None) -> Rows:
        """The same rows with `prepare` applied to the inputs, once for all."""
        return self if prepare is None else replace(self, inputs=prepare(dict(self.inputs)))

    def batches(
        self, size: int, *, rng: np.random.Generator | None = None, drop_last: bool = False
    ) -> Iterator[Batch]:
        """Batches of `size` rows, shuffled when a generator is given."""
        order = _order(len(self), size, rng)
        for start in range(0, len(order), size):
            chosen = order[start : start + size]
            if drop_last and len(chosen) < size and start:
                return
            rows = self.take(chosen if rng is not None else slice(start, start + size))
            yield dict(rows.inputs), rows.targets

    @cached_property
    def digest(self) -> str:
        """A short hash of the content, to tell whether two runs saw the same rows."""
        sha = hashlib.sha256()
        parts = {**{f"input {n}": a for n, a in self.inputs.items()}, "targets": self.targets}
        for name, array in sorted(
            {**parts, **({} if self.times is None else {"times": self.times})}.items()
        ):
            sha.update(f"{name} {np.asarray(array).dtype} {np.shape(array)}".encode())
            sha.update(_bytes(array))
        return sha.hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class DatasetRows:
    """Rows of a map-style torch dataset, read when asked for; the same calls as `Rows`."""

    dataset: Any
    names: tuple[str, ...]
    collate: Callable[[list[Any]], Any] | None = None
    prepare: Prepare | None = None
    times: None = None

    def __len__(self) -> int:
        return len(self.dataset)

    def take(self, indices: np.ndarray | slice) -> Rows:
        """Some of the rows, read into memory."""
        chosen = np.arange(len(self))[indices]
        inputs, targets = self._collated([self.dataset[int(i)] for i in chosen])
        return Rows(inputs, targets)

    def prepared(self, prepare: Prepare | None) -> DatasetRows:
        """The same rows with `prepare` applied to each batch, after what was applied before."""
        first = self.prepare
        if prepare is None:
            return self
        return replace(
            self, prepare=prepare if first is None else lambda inputs: prepare(first(inputs))
        )

    def batches(
        self, size: int, *, rng: np.random.Generator | None = None, drop_last: bool = False
    ) -> Iterator[Batch]:
        order = _order(len(self), size, rng)
        for start in range(0, len(order), size):
            chosen = order[start : start + size]
            if drop_last and len(chosen) < size and start:
                return
            yield self._collated([self.dataset[int(i)] for i in chosen])

    @cached_property
    def targets(self) -> np.ndarray:
        """All targets, read by one pass over the dataset."""
        if not len(self):
            raise DataError("The dataset is empty.")
        return np.concatenate([targets for _, targets in self.batches(256)])

    @cached_property
    def digest(self) -> str:
        """A short hash of the length and the first 256 rows: reading all of a dataset can take
        hours.
        """
        return f"{len(self)}-{self.take(slice(0, 256)).digest}"

    def _collated(self, samples: list[Any]) -> Batch:
        from torch.utils.data import default_collate

        inputs, targets = named_batch((self.collate or default_collate)(samples), self.names)
        return (inputs if self.prepare is None else self.prepare(inputs)), targets


AnyRows = Rows | DatasetRows


@dataclass(frozen=True)
class Splits:
    """The four parts of a task's data. `test` is None in what a technique or a worker is given."""

    train: AnyRows
    valid: AnyRows
    calibration: AnyRows
    test: AnyRows | None = None

    def without_test(self) -> Splits:
        return replace(self, test=None)

    def named(self) -> dict[str, AnyRows]:
        """The splits that there are, by name."""
        splits = {name: getattr(self, name) for name in SPLIT_NAMES}
        return {name: rows for name, rows in splits.items() if rows is not None}

    def sizes(self) -> dict[str, int]:
        return {name: len(rows) for name, rows in self.named().items()}


def named_batch(batch: Any, names: tuple[str, ...]) -> Batch:
    """Named arrays and targets from a collated batch: a mapping with `labels` (or `target`, `y`),
    or a tuple.

    Raises DataError when the batch is of neither kind or holds no target.
    """
    if isinstance(batch, Mapping):
        key = next((k for k in TARGET_KEYS if k in batch), None)
        if key is None:
            raise DataError(
                f"A batch with the keys {sorted(batch)} holds no target; name it `labels`, "
                "`target` or `y`."
            )
        # Every other name of a target is left out too: a second copy among the inputs would give
        # the answer away.
        return {k: _array(v) for k, v in batch.items() if k not in TARGET_KEYS}, _array(batch[key])
    if isinstance(batch, (tuple, list)) and len(batch) >= 2:
        *inputs, targets = batch
        if len(inputs) == 1 and isinstance(inputs[0], Mapping):
            return {k: _array(v) for k, v in inputs[0].items()}, _array(targets)
        if len(inputs) == 1 and isinstance(inputs[0], (tuple, list)):
            inputs = list(inputs[0])
        wanted = (
            names
            if len(names) == len(inputs)
            else tuple(f"x{i}" if i else "x" for i in range(len(inputs)))
        )
        return {name: _array(v) for name, v in zip(wanted, inputs, strict=True)}, _array(targets)
    what = "one element and no target" if isinstance(batch, (tuple, list)) else type(batch).__name__
    raise DataError(f"A batch must be a mapping or a tuple (inputs, ..., targets), got {what}.")


def _order(n: int, size: int, rng: np.random.Generator | None) -> np.ndarray:
    if size < 1:
        raise DataError(f"A batch must have at least one row, got {size}.")
    return np.arange(n) if rng is None else rng.permutation(n)


def _array(value: Any) -> np.ndarray:
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        return (
            value.float() if str(value.dtype) == "torch.bfloat16" else value
        ).numpy()  # numpy has no bfloat16
    return np.asarray(value)


def _bytes(array: np.ndarray) -> bytes:
    array = np.asarray(array)
    return (
        repr(array.tolist()).encode()
        if array.dtype.hasobject
        else np.ascontiguousarray(array).tobytes()
    )
