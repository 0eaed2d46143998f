"""Kind, a kind of generated input: a strategy of cases, and the function that tries one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis.strategies import SearchStrategy

from tests.generated import (
    commands,
    files,
    folders,
    forms,
    recipes,
    references,
    settings,
    tables,
    tasks,
)

__all__ = ["KINDS", "Kind", "cases_of"]


@dataclass(frozen=True)
class Kind:
    """A kind of input; `try_case` returns `accepted` or `refused`, and raises Foreign.

    `share` is its part of all cases, in thousandths.
    """

    name: str
    cases: SearchStrategy[Any]
    try_case: Callable[[Any], str]
    share: int


KINDS = (
    Kind("settings", settings.CASES, settings.try_case, 220),
    Kind("recipes", recipes.CASES, recipes.try_case, 200),
    Kind("model files", files.MODEL_CASES, files.try_model, 100),
    Kind("files of rows", files.ROW_CASES, files.try_rows, 60),
    Kind("kept candidates", files.KEPT_CASES, files.try_kept, 70),
    Kind("tables", tables.CASES, tables.try_case, 110),
    Kind("tasks", tasks.CASES, tasks.try_case, 110),
    Kind("run folders", folders.CASES, folders.try_case, 60),
    Kind("references", references.CASES, references.try_case, 30),
    Kind("command lines", commands.CASES, commands.try_case, 30),
    Kind("forms", forms.CASES, forms.try_case, 10),
)


def cases_of(kind: Kind, n_cases: int) -> int:
    """The number of cases of a kind among `n_cases` of all kinds."""
    return max(1, round(n_cases * kind.share / sum(k.share for k in KINDS)))
