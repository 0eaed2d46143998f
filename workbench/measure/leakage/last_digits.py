"""Digits and remainders of whole numbers that differ in every row, such as numbers of accounts.

They have no meaning, so that any relation with the target beyond chance says how the numbers were
given. Chance is that of permuted targets, corrected for all columns and remainders tried.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from workbench.measure.leakage.evidence import is_beyond_chance, score_in_words
from workbench.measure.leakage.findings import Finding
from workbench.measure.leakage.strength import Strength, folds_of, of_codes
from workbench.measure.leakage.view import Aim, Column, View, is_time_name

__all__ = ["digit_of", "last_digits"]

UNIQUE = 0.95  # share of different values
N_FIRST = 1_000  # rows that are looked at first
LEAST_ROWS = 60
DENSE = 3  # numbers of rows have a range of at most so many values a row
SOME = 0.08  # share explained by something that has no meaning
REMAINDERS = (10, 2, 3, 4, 5, 7, 8, 9, 11, 13, 16)
OF_ROWS = (10, 2, 5)  # for numbers that count rows, which may have weeks and hours
PLACES = (10, 100, 1000)  # of other digits
LARGE = 20  # numbers are so many times as large as the divisor or place, but for one in a hundred


def last_digits(view: View) -> Iterator[Finding]:
    """A finding for each column of nearly unique whole numbers whose digits tell the target."""
    if not view.are_columns:
        return
    for column in view.columns:
        if column.type != "number" or is_time_name(column.name):
            continue
        for aim in view.aims:
            found = digit_of(column, aim, len(view.columns))
            if found is not None:
                yield _finding(column, aim, *found)
                break


def digit_of(column: Column, aim: Aim, n_columns: int) -> tuple[str, Strength] | None:
    """The digit or remainder that tells most of the target, in words, where it is beyond chance."""
    numbers = _whole_numbers(column, aim)
    if numbers is None:
        return None
    train, valid = numbers
    folds = folds_of(len(train))
    floor = float(np.quantile(np.abs(train), 0.01))  # the first digits tell the size
    is_dense = np.ptp(train) <= DENSE * (len(train) + len(valid))
    tried = [
        (_of_remainder(n), train % n, valid % n, n)
        for n in (OF_ROWS if is_dense else REMAINDERS)
        if floor >= LARGE * n
    ]
    if not tried:
        return None
    if not is_dense:
        tried += [
            (f"digit {len(str(p))} from the end", train // p % 10, valid // p % 10, 10)
            for p in PLACES
            if floor >= LARGE * p
        ]
    best = max(
        ((words, of_codes(column, aim, folds, a, b, n)) for words, a, b, n in tried),
        key=lambda found: found[1].least,
    )
    if best[1].least < SOME or not is_beyond_chance(best[1], n_columns * len(tried)):
        return None
    return best


def _of_remainder(n: int) -> str:
    named = {10: "the last digit", 2: "whether it is even or odd"}
    return named.get(n, f"the remainder after division by {n}")


def _whole_numbers(column: Column, aim: Aim) -> tuple[np.ndarray, np.ndarray] | None:
    """The numbers of train and valid; None where they are not whole and nearly all different."""
    if len(column.train) < LEAST_ROWS or column.type != "number":
        return None
    few = column.train[:N_FIRST]
    if few.dtype.kind not in "iuf" or not np.isfinite(few).all() or (few % 1 != 0).any():
        return None
    if len(np.unique(few)) < UNIQUE * len(few):
        return None
    train, valid = column.numbers("train"), column.numbers("valid")
    if not (np.isfinite(train).all() and np.isfinite(valid).all()):
        return None
    if (train % 1 != 0).any() or max(np.abs(train).max(), np.abs(valid).max(initial=0)) > 2**53:
        return None
    return train.astype(np.int64), valid.astype(np.int64)


def _finding(column: Column, aim: Aim, words: str, strength: Strength) -> Finding:
    score, chance, numbers = score_in_words(strength)
    return Finding(
        "identifier_predicts_target",
        (column.name,),
        f"`{column.name}` is a whole number that is different in nearly every row, and {words} "
        f"alone reaches {score} ({chance}). Digits of such a number have no meaning.",
        f"Leave `{column.name}` out: its numbers were given with the {aim.name} in view, which new "
        "rows do not have.",
        numbers=numbers,
    )
