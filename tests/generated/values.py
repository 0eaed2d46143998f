"""Odd values, as people give them by mistake: of another kind, size, or type of another library."""

from __future__ import annotations

import datetime
import decimal
import fractions
import math
import pathlib
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml
from hypothesis import strategies as st

__all__ = ["ANY", "ODD", "PLAIN", "TEXT", "same"]

WORDS = (
    "", " ", "none", "None", "null", "true", "no", "0", "1", "-1", "1e-3", "1e999", "nan", "inf",
    "0x10", "1_000", "1,5", "٣", "[1, 64]", "{a: 1}", "{", "[", "a: b: c", "- x", "!!python/object",
    "&a [*a]", "a.yml", "missing.json", "C:\\x", "/", "~", "~nobody/x", "a\x00b", "\ufeff", "é",
    "日本", "💥", "a\nb", "\t", "x" * 300, "fashion", "digits", "cnn", "auto", "cpu", "smoke",
    "os:system", "a:b:c", ":", "models:/", "%s", "{0}", "[bold]", "\ud800",
)  # fmt: skip
TEXT = st.one_of(st.sampled_from(WORDS), st.text(max_size=12))
NUMBERS = st.one_of(
    st.integers(-3, 200),
    st.sampled_from((2**31, 2**32, 2**63, 2**64, 10**30, 10**400, -(2**63) - 1)),
    st.floats(-2, 2),
    st.sampled_from((math.nan, math.inf, -math.inf, 1e308, 5e-324, -0.0, 1e-5)),
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXT)
PLAIN = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(TEXT, st.integers(-1, 3), st.none()), inner, max_size=3),
    ),
    max_leaves=6,
)


def _raises(*_: Any) -> Any:
    raise ZeroDivisionError("of the user's own function")


class Deep(list[Any]):
    """A list of 3,000 levels; hypothesis asks it for a text, as it cannot write so many."""

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text("a list of 3,000 levels")


def _deep() -> list[Any]:
    value: list[Any] = []
    for _ in range(3000):
        value = [value]
    return Deep(value)


def _circle() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


class Thing:
    """An object of a class that nobody knows."""

    def __repr__(self) -> str:
        return "Thing()"


class Unwilling:
    """An object that answers nothing."""

    def __repr__(self) -> str:
        return "Unwilling()"

    def __eq__(self, other: object) -> bool:
        raise ValueError("cannot be compared")

    def __bool__(self) -> bool:
        raise ValueError("has no truth value")

    __hash__ = None  # type: ignore[assignment]


OBJECTS: tuple[Any, ...] = (
    b"bytes", b"", b"\xff\xfe", bytearray(b"x"), (1, 2), (), {1, 2}, frozenset("ab"), range(3),
    1j, decimal.Decimal("0.5"), decimal.Decimal("NaN"), fractions.Fraction(1, 3),
    datetime.date(2026, 1, 1), datetime.datetime(2026, 1, 1), datetime.timedelta(1),
    pathlib.Path("missing.yml"), pathlib.Path("."), Thing(), Thing, Unwilling(), int, len, _raises,
    np.float32(0.5), np.int64(3), np.bool_(True), np.str_("smoke"), np.nan, np.array(3),
    np.arange(3), np.zeros((2, 2)), np.array([]), np.datetime64("2026-01-01"), np.array(["a"]),
    pd.NA, pd.NaT, pd.Timestamp("2026-01-01"), pd.Series([1, 2]), pd.DataFrame({"a": [1]}),
    torch.tensor(0.5), torch.arange(3), torch.float32, torch.nn.ReLU(), _deep(), _circle(),
    Ellipsis, NotImplemented, ValueError("x"),
)  # fmt: skip


def _object(number: int) -> Any:
    return OBJECTS[number]


ODD = st.integers(0, len(OBJECTS) - 1).map(_object)  # some have no text, which hypothesis writes
ANY = st.one_of(PLAIN, PLAIN, ODD)


def same(given: Any, got: Any) -> bool:
    """Whether an accepted value says what was given: the same value, or the same text of it."""
    try:
        return _same(given, got)
    except (TypeError, ValueError, RecursionError, ArithmeticError):
        return False


def _same(given: Any, got: Any) -> bool:
    if given is got:
        return True
    if isinstance(given, (np.generic, np.ndarray)):
        given = given.tolist()
    if isinstance(given, bytes):
        given = given.decode()
    if isinstance(given, str) and not isinstance(got, str):
        return _same_text(given.strip(), got)
    if isinstance(got, bool) or isinstance(given, bool):
        # 1 for true is the same; true for the number 1 is another kind of thing
        return isinstance(got, bool) and given in (got, int(got))
    if isinstance(got, dict):
        return set(given) == set(got) and all(_same(given[key], got[key]) for key in got)
    if isinstance(got, (list, tuple)):
        listed = list(given)
        pairs = zip(listed, got, strict=True)
        return all(_same(a, b) for a, b in pairs) or sorted(listed) == sorted(got)
    if isinstance(given, (decimal.Decimal, fractions.Fraction)):
        return float(given) == got
    return bool(given == got) or (given != given and got != got)


def _same_text(given: str, got: Any) -> bool:
    if isinstance(got, bool):
        words = (
            ("true", "yes", "on", "1", "t", "y") if got else ("false", "no", "off", "0", "f", "n")
        )
        return given.lower() in words
    if isinstance(got, (int, float)):
        return float(given.replace("_", "")) == got
    if got is None:
        return given.lower() in ("none", "null", "~", "")
    return _same(yaml.safe_load(given), got)
