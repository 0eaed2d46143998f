"""Further data of a run: rows that settings name, read with the task's own columns and labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from workbench.data.rows import AnyRows, DatasetRows, Rows
from workbench.errors import DataError, UnknownName, unknown
from workbench.system.declared import named_object
from workbench.task import Task

__all__ = ["data_named"]

READERS = {".csv": "read_csv", ".parquet": "read_parquet", ".feather": "read_feather"}


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
    path = Path(reference).expanduser()
    if path.suffix in READERS:
        return _rows(_read(path), task, reference)
    if ":" in reference:
        import pandas as pd

        kinds = (Rows, DatasetRows, pd.DataFrame)
        return _rows(named_object(reference, kinds, "rows or a DataFrame"), task, reference)
    raise UnknownName(
        unknown("data", reference, sealed) + " Hand them over as `data={name: ...}`, or name a CSV "
        "or Parquet file, or package.module:function."
    )


def _read(path: Path) -> Any:
    import pandas as pd

    if not path.is_file():
        raise DataError(f"There is no file {path.resolve()}.")
    try:
        return getattr(pd, READERS[path.suffix])(path)
    except Exception as error:  # pandas passes on the errors of its parsers
        raise DataError(f"{path} cannot be read: {type(error).__name__}: {error}") from error


def _rows(data: Any, task: Task | None, name: str) -> AnyRows | Iterable[AnyRows]:
    if isinstance(data, (Rows, DatasetRows)) or task is None:
        return data
    if isinstance(data, Iterator):
        return (task.read(window, name) for window in data)
    return task.read(data, name)
