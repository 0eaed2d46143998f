"""Further data of a run: rows that settings name, read with the task's own columns and labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from workbench.data.files import is_file_of_rows, read_file
from workbench.data.rows import AnyRows, DatasetRows, Rows
from workbench.errors import UnknownName, unknown
from workbench.system.declared import named_object
from workbench.task import Task

__all__ = ["data_named"]


def data_named(
    reference: str, task: Task | None, sealed: Mapping[str, Any]
) -> AnyRows | Iterable[AnyRows]:
    """The rows behind a reference: data that were handed to the run, a file, or a function.

    `sealed` are the data handed over as `wb.run(..., data={...})`. A function `module:name` is
    called only if it is annotated to return Rows or a DataFrame. An iterator is read window by
    window. Raises UnknownName for a name that is none of these, DataError for a file that cannot be
    read.
    """
    if reference in sealed:
        return _rows(sealed[reference], task, reference)
    if is_file_of_rows(reference):
        return _rows(read_file(reference), task, reference)
    if ":" in reference:
        import pandas as pd

        kinds = (Rows, DatasetRows, pd.DataFrame)
        return _rows(named_object(reference, kinds, "rows or a DataFrame"), task, reference)
    raise UnknownName(
        unknown("data", reference, sealed) + " Hand them over as `data={name: ...}`, or name a CSV "
        "or Parquet file, or package.module:function."
    )


def _rows(data: Any, task: Task | None, name: str) -> AnyRows | Iterable[AnyRows]:
    if isinstance(data, (Rows, DatasetRows)) or task is None:
        return data
    if isinstance(data, Iterator):
        return (task.read(window, name) for window in data)
    return task.read(data, name)
