"""Every error that the workbench raises: one root, and messages that name the way out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "Cancelled",
    "CandidateError",
    "DataError",
    "ExportError",
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
    "all_of",
    "line_of",
    "sentence_of",
    "unknown",
]


class WorkbenchError(Exception):
    """Root of all errors of this package; catch it to catch them all."""


class SettingsError(WorkbenchError, ValueError):
    """One or more settings have a value that is not allowed."""


class SettingsTypeError(SettingsError, TypeError):
    """One or more settings have a value of the wrong kind."""


class UnknownName(WorkbenchError, ValueError):
    """A name (technique, task, model, runtime, metric) that nobody registered."""


class DataError(WorkbenchError, ValueError):
    """Rows, labels or splits that cannot be used as they are."""


class TaskError(WorkbenchError, ValueError):
    """Model and data do not fit each other."""


class CandidateError(WorkbenchError, ValueError):
    """A model in a form, or with a structure, that the step cannot take."""


class ExportError(WorkbenchError, RuntimeError):
    """A model that could not be written in another form, or whose outputs differ after it was."""


class MissingExtra(WorkbenchError, ImportError):
    """An optional library is not installed; the message holds the exact pip line."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} needs the extra `{extra}`, which is not installed. "
            f'Install it with: python -m pip install "model-optimization-workbench[{extra}]"'
        )


class RegistryError(UnknownName):
    """A registered technique, form, runtime, metric or task that cannot be loaded."""


class RecipeError(WorkbenchError, ValueError):
    """A recipe that cannot be read, or whose steps do not fit each other."""


class RunError(WorkbenchError, RuntimeError):
    """A run that failed, or is not in the state that the call needs."""


class StoreError(WorkbenchError, RuntimeError):
    """The store of runs cannot be opened or written."""


class Cancelled(WorkbenchError):
    """Somebody asked the work to stop; what was finished is kept."""


def unknown(kind: str, got: object, valid: Iterable[str]) -> str:
    """The sentence for an unknown name: the nearest one suggested, all valid ones listed."""
    names = sorted(valid)
    near = difflib.get_close_matches(str(got), names, n=1, cutoff=0.5)
    hint = f" Did you mean `{near[0]}`?" if near else ""
    return f"Unknown {kind} `{got}`.{hint} Valid: {', '.join(f'`{n}`' for n in names) or 'none'}."


def all_of(problems: list[str], heading: str) -> str:
    """One text for many problems, so that all of them can be mended at once."""
    if len(problems) == 1:
        return f"{heading}: {problems[0]}"
    return f"{heading}, {len(problems)} problems:\n" + "\n".join(f"  - {p}" for p in problems)


def line_of(error: BaseException | None, which: int = 0) -> str:
    """One line of another library's error, the first one or, with -1, the last; its kind where it
    says nothing.
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
