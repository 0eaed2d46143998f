"""Objects and functions named by text, used only if they say that they are of the kind wanted.

A recipe is a file that people pass on. `task: os:system` in it must not run anything, so a function
named by a reference is called only if its annotation says that it returns the kind wanted.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Mapping
from typing import Any

from workbench.errors import UnknownName, WorkbenchError, sentence_of, shown
from workbench.system.references import resolve

__all__ = ["named_object"]


def named_object(
    reference: str, kinds: tuple[type, ...], noun: str, args: Mapping[str, Any] | None = None
) -> Any:
    """The object behind `package.module:name`, or what the function of this name returns.

    `kinds` are the classes it may be of, `noun` the words for them. A class of one of the kinds is
    called too. Raises UnknownName for a function without that annotation, which is not called, and
    for an object of another kind.
    """
    named = resolve(reference)
    if isinstance(named, kinds):
        return named
    if not callable(named):
        raise UnknownName(f"`{reference}` is {type(named).__name__}, not {noun}.")
    if not _returns(named, kinds):
        names = " or ".join(f"`-> {k.__name__}`" for k in kinds)
        raise UnknownName(
            f"`{reference}` was not called: a function named in a recipe or by an option must be "
            f"annotated {names}, so that no file can run other code. Add the annotation, or hand "
            f"over {noun} in Python."
        )
    try:
        result = named(**(args or {}))
    except WorkbenchError:
        raise
    except Exception as error:  # the user's code
        raise UnknownName(
            f"`{reference}` raised {type(error).__name__} when it was called"
            f"{f' with {shown(dict(args))}' if args else ''}: {sentence_of(error)}"
        ) from error
    if not isinstance(result, kinds):
        raise UnknownName(f"`{reference}` gave {type(result).__name__}, not {noun}.")
    return result


def _returns(function: Any, kinds: tuple[type, ...]) -> bool:
    """Whether a function is annotated to return one of the kinds, or is a class of one."""
    if inspect.isclass(function):
        return issubclass(function, kinds)
    try:
        annotation = typing.get_type_hints(function).get("return")
    except Exception:  # an annotation that cannot be evaluated, or an object without any
        annotation = getattr(function, "__annotations__", {}).get("return")
    if isinstance(annotation, str):
        return annotation.rpartition(".")[2].strip("'\"") in {k.__name__ for k in kinds}
    return inspect.isclass(annotation) and issubclass(annotation, kinds)
