"""attempt(): call the package with a bad input, and fail for whatever is not its own answer."""

from __future__ import annotations

import contextlib
import io
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError, WorkbenchWarning, shown

__all__ = ["Attempt", "Foreign", "Silent", "attempt", "require"]

HOME = str(Path(__file__).parents[2] / "workbench")
NEVER_SHOWN = ("Traceback", '  File "', "errors.pydantic.dev", "[type=", "object at 0x")
OF_VERSIONS = (  # they speak to developers of a library, about its future
    DeprecationWarning,
    PendingDeprecationWarning,
    FutureWarning,
    ImportWarning,
    ResourceWarning,
)
LEAST_WORDS = 4  # of its own that a message needs beside the text of another library


class Foreign(AssertionError):
    """An exception or warning of another library, or a message that only hands one on."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind


class Silent(Foreign):
    """A value that was given, and is not in the result that was accepted."""


@dataclass(frozen=True)
class Attempt:
    """How a call ended: with a value, or with the package's refusal."""

    value: Any = None
    refusal: Exception | None = None

    @property
    def status(self) -> str:
        return "accepted" if self.refusal is None else "refused"


def attempt(call: Callable[[], Any], own: tuple[type[Exception], ...] = ()) -> Attempt:
    """The value of a call, or its refusal; `own` are further classes of errors of the package.

    Raises Foreign for another exception, for a refusal without words of the package, and for a
    warning of another library.
    """
    with _quiet() as told:
        try:
            ended = Attempt(call())
        except (WorkbenchError, *own) as error:
            ended = Attempt(refusal=error)
        except (Exception, SystemExit) as error:
            raise Foreign(_kind_of(error), _shown(error)) from error
    for warning in told:
        if not issubclass(warning.category, (WorkbenchWarning, *OF_VERSIONS)):
            where = f"{Path(warning.filename).name}:{warning.lineno}"
            raise Foreign(f"{warning.category.__name__} ({where})", str(warning.message)[:300])
    if ended.refusal is not None:
        _check_message(ended.refusal)
    return ended


def require(condition: bool, what: str, *values: Any) -> None:
    """Raise Silent unless a condition holds; `what` names the kind of the fault."""
    if not condition:
        raise Silent(f"silent: {what}", " -> ".join(map(shown, values)))


def check_text(text: str, kind: str) -> None:
    """Raise Foreign for a message that is empty or shows the inside of another library."""
    if len(text.split()) < LEAST_WORDS:
        raise Foreign(f"few words: {kind}", repr(text))
    for sign in NEVER_SHOWN:
        if sign in text:
            raise Foreign(f"inside shown ({sign.strip()}): {kind}", text[:400])


@contextlib.contextmanager
def _quiet() -> Iterator[list[warnings.WarningMessage]]:
    """Inside, printed text is dropped and every warning is recorded."""
    with (
        warnings.catch_warnings(record=True) as told,
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("always")
        yield told


def _check_message(error: Exception) -> None:
    text, kind = str(error), _kind_of(error)
    check_text(text, kind)
    cause = error.__cause__
    if cause is not None and not _is_own(cause) and str(cause):
        rest = text.replace(str(cause), " ").replace(str(cause).splitlines()[0], " ")
        if len(rest.split()) < LEAST_WORDS:
            raise Foreign(f"handed on: {kind}", text[:400])


def _is_own(error: BaseException) -> bool:
    """Whether an error is of a class of the package."""
    return type(error).__module__.startswith("workbench.")


def _kind_of(error: BaseException) -> str:
    """The class of an error and the last function of the package that it went through."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(HOME)]
    at = f" ({Path(frames[-1].filename).relative_to(HOME)}:{frames[-1].name})" if frames else ""
    return f"{type(error).__name__}{at}"


def _shown(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
