"""The check of a table that a figure is drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from workbench.errors import DataError

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["check_table"]


def check_table(table: DataFrame, columns: Sequence[str], way_out: str) -> None:
    """Raise DataError for a table without one of the columns, or without rows.

    `way_out` is the sentence that says where such a table comes from.
    """
    missing = [column for column in columns if column not in table]
    if missing:
        raise DataError(
            f"The table must have the columns {', '.join(columns)}; missing: "
            f"{', '.join(f'`{column}`' for column in missing)}. {way_out}"
        )
    if not len(table):
        raise DataError(f"The table must have at least one row, got none. {way_out}")
