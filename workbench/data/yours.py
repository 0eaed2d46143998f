"""A user's own data as rows: files, arrays, tables, datasets and loaders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from workbench.data.files import is_path, read_file
from workbench.data.rows import AnyRows, DatasetRows, Rows, named_batch
from workbench.data.tables import framed, is_frame, is_pair, rows_of_frame, rows_of_pair
from workbench.errors import DataError, WorkbenchError, all_of, sentence_of, shown

__all__ = ["framed_all", "is_table", "read_all"]


def is_table(data: Any) -> bool:
    """Whether the data are a table: a DataFrame, a file of rows, or a DataFrame with targets."""
    return is_path(data) or is_frame(data) or is_pair(data)


def framed_all(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data of each split, tables of other libraries as DataFrames.

    A split that is the same object as another one is converted once. Raises one DataError with the
    problems of all splits.
    """
    made: dict[int, Any] = {}
    problems = []
    for split, split_data in data.items():
        try:
            if id(split_data) not in made:
                made[id(split_data)] = framed(split_data)
        except DataError as error:
            problems.append(f"`{split}`: {error}")
    if problems:
        raise DataError(all_of(problems, "The data cannot be read"))
    return {split: made[id(split_data)] for split, split_data in data.items()}


def read_all(
    data: Mapping[str, Any], target: Any, times: Any = None, groups: Any = None
) -> dict[str, AnyRows]:
    """The rows of each split in `data`.

    The columns `target`, `times` and `groups` of a DataFrame are not among its inputs. Text is the
    path of a CSV, Parquet or Feather file. Raises one DataError with the problems of all splits.
    """
    labels = {"times": times, "groups": groups}
    labels = {name: value for name, value in labels.items() if isinstance(value, str)}
    rows: dict[str, AnyRows] = {}
    problems = []
    tables = [d for d in data.values() if is_path(d) or is_frame(d)]
    if target is not None and not tables and "train" in data:
        problems.append(
            f"`target={shown(target)}` names a column, and no data are a DataFrame or a file: "
            "leave it out."
        )
    for split, split_data in data.items():
        try:
            rows[split] = _read(split_data, target, labels)
            if not len(rows[split]):
                problems.append(f"`{split}` is empty")
        except WorkbenchError as error:
            problems.append(f"`{split}`: {error}")
    if problems:
        raise DataError(all_of(problems, "The data cannot be read"))
    return rows


def _read(data: Any, target: Any, labels: Mapping[str, str]) -> AnyRows:
    """The rows of one split; `labels` are the columns with times and groups."""
    if isinstance(data, (Rows, DatasetRows)):
        return data
    data = read_file(data) if is_path(data) else data
    if isinstance(data, type):
        raise DataError(f"`{data.__name__}` is a class: give an object of it, with rows.")
    if is_frame(data):
        return rows_of_frame(data, target, labels.get("times"), labels.get("groups"))
    for name, column in labels.items():
        raise DataError(
            f"`{name}={column!r}` names a column, and the data are not a DataFrame: give an array "
            "with one value a row."
        )
    has_samples = isinstance(data, list) and bool(data) and isinstance(data[0], (tuple, Mapping))
    if isinstance(data, (tuple, list, Mapping)) and not has_samples:
        if is_pair(data):
            return rows_of_pair(data[0], data[1])
        return Rows(*named_batch(data, ()))
    is_loader = hasattr(data, "dataset") and hasattr(data, "collate_fn")
    dataset = data.dataset if is_loader else data
    is_array = hasattr(dataset, "shape")
    if hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__") and not is_array:
        # Without a batch size, the collate function of a loader takes one sample.
        is_batched = is_loader and data.batch_size is not None
        return DatasetRows(dataset, (), data.collate_fn if is_batched else None)
    if hasattr(data, "__iter__") and not hasattr(data, "shape"):
        return _from_iterable(data, is_loader)
    raise DataError(
        f"{type(data).__name__} holds no targets: give a tuple (x, y), a mapping, a Dataset, a "
        "DataLoader, a DataFrame with `target=`, or Rows."
    )


def _samples(data: Any) -> Any:
    """An iterable dataset of any iterable, a generator say."""
    from torch.utils.data import IterableDataset

    class Samples(IterableDataset):
        def __iter__(self) -> Any:
            return iter(data)

    return data if isinstance(data, IterableDataset) else Samples()


def _from_iterable(data: Any, is_loader: bool) -> Rows:
    from torch.utils.data import DataLoader

    try:
        loader = data if is_loader else DataLoader(_samples(data), batch_size=256)
        batches = [named_batch(batch, ()) for batch in loader]
    except WorkbenchError:
        raise
    except Exception as error:  # the user's iterable or collate function
        raise DataError(
            f"iterating it raised {type(error).__name__}: {sentence_of(error)} It must give one "
            "input or more and a target a row, of the same shapes."
        ) from error
    if not batches:
        raise DataError("the iterable gave no batch: give at least one row.")
    first_inputs, _ = batches[0]
    try:
        inputs = {
            name: np.concatenate([inputs[name] for inputs, _ in batches]) for name in first_inputs
        }
        return Rows(inputs, np.concatenate([targets for _, targets in batches]))
    except ValueError as error:
        raise DataError(
            f"the batches of an iterable must have one shape ({error}): pad to one length."
        ) from error
