"""Reading, the way in which the data of a task became rows, kept to read more data the same way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from workbench.data.labels import Coding, coded_rows
from workbench.data.rows import AnyRows
from workbench.data.yours import read_all

__all__ = ["Reading"]


@dataclass(frozen=True)
class Reading:
    """Names of the columns with target, times and groups, order of the inputs, numbers of labels.

    `arrange` gives the columns as the model takes them; `coding` is None where targets stay as they
    are. `files` are the paths of the splits that were read from files.
    """

    target: Any = None
    times: str | None = None
    coding: Coding | None = None
    arrange: Callable[[AnyRows], AnyRows] | None = None
    files: tuple[tuple[str, str], ...] = ()
    groups: str | None = None

    @property
    def labels_note(self) -> str:
        """How labels that are numbers were numbered again; empty if they were not."""
        return "" if self.coding is None else self.coding.note

    def __call__(self, data: Any, name: str = "data") -> AnyRows:
        """Rows from data in any shape that `make_task` takes; DataError names the data `name`."""
        rows = read_all({name: data}, self.target, self.times, self.groups)
        if self.arrange is not None:
            rows = {n: self.arrange(r) for n, r in rows.items()}
        return (coded_rows(rows, self.coding) if self.coding is not None else rows)[name]
