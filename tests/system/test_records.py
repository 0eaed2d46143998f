"""Records made from JSON: every value is checked against its annotation."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from workbench.system.records import misfit, record


@dataclass(frozen=True)
class Point:
    x: float
    names: tuple[str, ...] = ()
    size: int | None = None


def test_record_holds_the_values_of_json() -> None:
    made = record(Point, {"x": 1, "names": ["a"], "size": None})
    assert made == Point(1.0, ("a",), None)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "the entry `x` is missing"),
        ({"x": "far"}, "the entry `x` has the value 'far'"),
        ({"x": 1.0, "names": [3]}, "the entry `names.0` has the value 3"),
        ({"x": 1.0, "y": 2.0}, "`y` is no entry of a Point"),
    ],
)
def test_record_of_another_shape_is_refused_in_words(values: dict, words: str) -> None:
    with pytest.raises((TypeError, ValueError)) as refused:
        record(Point, values)
    assert words in misfit(refused.value)
