"""States: the numbers and names that an object holds, to compare two fitted preparations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

__all__ = ["State", "distance", "new_names", "state_of"]

DEPTH = 10
MOST_ITEMS = 200_000

State = Mapping[str, Any]


def state_of(thing: Any) -> State:
    """Arrays of numbers and sets of texts in an object, by their place in it."""
    return dict(_walk(thing, "", 0, set()))


def _walk(thing: Any, place: str, depth: int, seen: set[int]) -> Iterator[tuple[str, Any]]:
    if depth > DEPTH or id(thing) in seen or (callable(thing) and not hasattr(thing, "__dict__")):
        return
    if isinstance(thing, (bool, int, float, np.number)):
        yield place, np.array([thing], np.float64)
    elif isinstance(thing, np.ndarray):
        yield from _of_array(thing, place, depth, seen)
    elif hasattr(thing, "toarray") and hasattr(thing, "nnz"):
        if np.prod(thing.shape) < MOST_ITEMS:
            yield place, np.asarray(thing.toarray(), np.float64).ravel()
    elif isinstance(thing, Mapping):
        seen.add(id(thing))
        if all(isinstance(k, str) for k in thing):
            yield f"{place} names", frozenset(thing)
        for key, value in list(thing.items())[:MOST_ITEMS]:
            yield from _walk(value, f"{place}.{key}", depth + 1, seen)
    elif isinstance(thing, (list, tuple, set, frozenset)):
        seen.add(id(thing))
        if thing and all(isinstance(v, str) for v in thing):
            yield place, frozenset(thing)
            return
        for i, value in enumerate(list(thing)[:MOST_ITEMS]):
            yield from _walk(value, f"{place}[{i}]", depth + 1, seen)
    elif hasattr(thing, "__dict__") and not isinstance(thing, type):
        seen.add(id(thing))
        for name, value in vars(thing).items():
            if "random" not in name and "time" not in name:
                yield from _walk(value, f"{place}.{name}" if place else name, depth + 1, seen)


def _of_array(
    array: np.ndarray, place: str, depth: int, seen: set[int]
) -> Iterator[tuple[str, Any]]:
    if array.dtype.kind in "biuf":
        yield place, array.astype(np.float64).ravel()
    elif array.dtype.kind == "U" or all(isinstance(v, str) for v in array.ravel()[:50].tolist()):
        yield place, frozenset(str(v) for v in array.ravel()[:MOST_ITEMS].tolist())
    elif array.dtype.kind == "O":
        for i, value in enumerate(array.ravel()[:MOST_ITEMS].tolist()):
            if not isinstance(value, str):
                yield from _walk(value, f"{place}[{i}]", depth + 1, seen)


def distance(a: State, b: State) -> tuple[float, int]:
    """The mean distance of two states, from 0 to 1 a place, and the number of values that differ.

    Only places that both have are compared.
    """
    squares, n = [], 0
    for place in a.keys() & b.keys():
        one, other = a[place], b[place]
        if isinstance(one, frozenset) != isinstance(other, frozenset):
            continue
        if isinstance(one, frozenset):
            both = len(one | other)
            squares.append((1 - len(one & other) / both) ** 2 if both else 0.0)
            n += len(one ^ other)
        elif one.shape != other.shape:
            squares.append(1.0)
            n += 1
        else:
            one, other = np.nan_to_num(one), np.nan_to_num(other)
            scale = float(np.linalg.norm(one) + np.linalg.norm(other))
            squares.append((float(np.linalg.norm(one - other)) / scale) ** 2 if scale else 0.0)
            n += int((~np.isclose(one, other, rtol=1e-6, atol=1e-12)).sum())
    return (float(np.sqrt(np.mean(squares))), n) if squares else (0.0, 0)


def new_names(fitted: State, on_train: State) -> list[str]:
    """Texts in a fitted state, such as categories, that the state of train has not; sorted."""
    new: set[str] = set()
    for place in fitted.keys() & on_train.keys():
        one, other = fitted[place], on_train[place]
        if isinstance(one, frozenset) and isinstance(other, frozenset) and other < one:
            new |= one - other
    return sorted(new)
