"""All errors of the workbench, under one root; every message names a way out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import TypeVar

__all__ = [
    "Cancelled",
    "CandidateError",
    "DataError",
    "ExportError",
    "FileError",
    "MissingExtra",
    "RecipeError",
    "RegistryError",
    "RunError",
    "SettingsError",
    "SettingsTypeError",
    "StoreError",
    "TaskError",
    "UnknownName",
    "WorkbenchError",
    "WorkbenchWarning",
    "all_of",
    "line_of",
    "required",
    "sentence_of",
    "shown",
    "unknown",
]

T = TypeVar("T")
MOST_SHOWN = 200  # letters of a value in a message


class WorkbenchError(Exception):
    """Root of all errors of this package."""


class WorkbenchWarning(UserWarning):
    """Something about a user's model or data that is worth a look and stops nothing."""


class SettingsError(WorkbenchError, ValueError):
    """One or more settings have a value that is not allowed."""

    problems: Sequence[tuple[str, str]] = ()
    """Each problem as the flat name of its setting and a sentence."""


class SettingsTypeError(SettingsError, TypeError):
    """One or more settings have a value of the wrong kind."""


class UnknownName(WorkbenchError, ValueError):
    """A name (of a technique, task, model, runtime, metric) that is not registered."""


class DataError(WorkbenchError, ValueError):
    """Rows, labels or splits that cannot be used as they are."""


class TaskError(WorkbenchError, ValueError):
    """Model and data do not fit each other."""


class CandidateError(WorkbenchError, ValueError):
    """A model whose form or structure the step cannot take."""


class ExportError(WorkbenchError, RuntimeError):
    """A model that cannot be converted to another form, or whose outputs differ afterwards."""


class FileError(WorkbenchError, ValueError):
    """A file of this package that is missing, damaged, or holds something else."""


class MissingExtra(WorkbenchError, ImportError):
    """An optional library is not installed; the message holds the exact pip line."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs the extra `{extra}`, which is not installed. "
            f'Install it with: python -m pip install "model-optimization-workbench[{extra}]"'
        )


class RegistryError(UnknownName):
    """A registered technique, form, runtime, metric or task that cannot be loaded."""


class RecipeError(WorkbenchError, ValueError):
    """A recipe that cannot be read, or whose steps do not fit each other."""


class RunError(WorkbenchError, RuntimeError):
    """A run that failed, or whose state does not allow the call."""


class StoreError(WorkbenchError, RuntimeError):
    """The store of runs cannot be opened or written."""


class Cancelled(WorkbenchError):
    """The work was cancelled on request; finished steps are kept."""


def unknown(kind: str, got: object, valid: Iterable[str]) -> str:
    """The sentence for an unknown name, with the nearest valid name and all valid names."""
    names = sorted(valid)
    got = got if isinstance(got, str) and len(got) <= MOST_SHOWN else shown(got)
    nearest = difflib.get_close_matches(got, names, n=1, cutoff=0.5)
    hint = f" Did you mean `{nearest[0]}`?" if nearest else ""
    listed = ", ".join(f"`{name}`" for name in names) or "none"
    return f"Unknown {kind} `{got}`.{hint} Valid: {listed}."


def shown(value: object) -> str:
    """A value as text in a message: cut, on one line, and the class of a value without a text."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # too many levels, or an object whose own method fails
        return f"a {type(value).__name__}"
    if " object at 0x" in text:
        return f"a {type(value).__name__}"
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def all_of(problems: list[str], heading: str) -> str:
    """One text for all problems, so that the user can correct all of them at once."""
    if len(problems) == 1:
        return f"{heading}: {problems[0]}"
    lines = "\n".join(f"  - {problem}" for problem in problems)
    return f"{heading}, {len(problems)} problems:\n{lines}"


def required(value: T | None) -> T:
    """The value of something that is never None here, such as a setting that was resolved."""
    if value is None:
        raise TypeError("A value is None that must be set here, such as a setting of a run.")
    return value


def line_of(error: BaseException | None, which: int = 0) -> str:
    """One line of another library's error: the first, or the last if `which` is -1.

    An error without text gives the name of its class.
    """
    lines = [
        line.strip()
        for line in str(error).splitlines()
        if line.strip() and "Exception from" not in line
    ]
    return (lines[which] if lines else type(error).__name__)[:300]


def sentence_of(error: BaseException | None) -> str:
    """The first line of another library's error, ended as a sentence."""
    text = line_of(error)
    return text if text.endswith((".", "!", "?")) else f"{text}."
