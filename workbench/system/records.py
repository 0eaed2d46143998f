"""Records: dataclasses made from the content of JSON, each value checked by its annotation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any, TypeVar

from workbench.errors import WorkbenchError, shown

__all__ = ["misfit", "record"]

T = TypeVar("T")


def record(kind: type[T], values: Mapping[str, Any]) -> T:
    """A dataclass with these values, each of the annotated kind; nested ones may be made already.

    Raises TypeError for a name that the class does not have, and ValueError for a name that is
    missing or a value of another kind.
    """
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(str(name) for name in values if name not in names)
    if unknown:
        raise TypeError(f"`{unknown[0]}` is no entry of a {kind.__name__}")
    checker: Any = _checker
    return checker(kind).validate_python(dict(values))


@cache
def _checker(kind: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def misfit(error: BaseException) -> str:
    """Why a content does not have the shape that was read, in words."""
    from pydantic import ValidationError

    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        name = ".".join(map(str, first["loc"])) or "the whole"
        if first["type"] == "missing":
            return f"the entry `{name}` is missing"
        return f"the entry `{name}` has the value {shown(first['input'])}, which is of another kind"
    if isinstance(error, KeyError):
        return f"the entry `{error.args[0] if error.args else ''}` is missing"
    if isinstance(error, WorkbenchError) or (isinstance(error, TypeError) and "`" in str(error)):
        return str(error).rstrip(".")
    return "its entries are not those that were written"
