"""culprit(): which part of an object cannot be written for another process, by its path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["culprit"]

DEEPEST = 8


def culprit(value: Any, error: Exception, name: str = "") -> str:
    """The innermost part that cannot be pickled, as ``path` (class): reason``.

    `error` is what pickling the whole raised, and is told where no part fails on its own.
    """
    place, inner, cause = _innermost(value, error, name, set(), 0)
    reason = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
    return f"`{place}` ({type(inner).__name__}): {reason}" if place else reason


def _innermost(
    value: Any, error: Exception, place: str, seen: set[int], depth: int
) -> tuple[str, Any, Exception]:
    import cloudpickle

    seen.add(id(value))
    for name, part in _parts(value):
        if id(part) in seen or depth > DEEPEST:
            continue
        try:
            cloudpickle.dumps(part)
        except Exception as inner:
            return _innermost(part, inner, _joined(place, name), seen, depth + 1)
    return place, value, error


def _joined(place: str, name: str) -> str:
    return f"{place}{name}" if name.startswith("[") or not place else f"{place}.{name}"


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from ((f"[{key!r}]", part) for key, part in value.items())
    elif isinstance(value, (list, tuple, set, frozenset)):
        yield from ((f"[{n}]", part) for n, part in enumerate(value))
    modules = getattr(value, "_modules", None)
    if isinstance(modules, dict):
        yield from ((str(name), part) for name, part in modules.items())
    if hasattr(value, "__dict__") and not isinstance(value, type):
        yield from ((n, part) for n, part in vars(value).items() if n != "_modules")
