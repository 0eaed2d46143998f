"""Traces of how a column was written, which predict the target: its gaps, decimals, and flags."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from workbench.measure.leakage.evidence import is_beyond_chance, score_in_words
from workbench.measure.leakage.findings import Finding
from workbench.measure.leakage.strength import Strength, folds_of, of_codes
from workbench.measure.leakage.view import Aim, Column, View, codes_of
from workbench.system.wording import percent

__all__ = ["decimals", "flags_to_target", "gaps", "weak_traces"]

TRACE = 0.4  # share explained by missing values, decimals or flags alone
PART = 0.8  # of the share that the values explain, which gaps explain at least
MORE = 0.2  # share that decimals explain beyond the size of a number
UNITS = (1.0, 0.5, 0.1, 0.05, 0.01)  # of which numbers may be multiples
RARE = 0.3  # share of rows with a flag, at most
SURE = 0.8  # share of one class among the rows with a flag
LIFT = 2.0  # of its share among all rows
LEAST_FLAGGED = 10  # rows


def gaps(strength: Strength) -> Finding | None:
    """The finding for a column whose missing values alone explain nearly as much as its values."""
    by_gaps = _of_gaps(strength)
    if by_gaps is None or by_gaps.least < max(TRACE, PART * strength.least):
        return None
    return _gap_finding(by_gaps)


def weak_traces(ranked: Sequence[Strength], told: set[str]) -> Iterator[Finding]:
    """Findings for columns that are strong by gaps or decimals alone, and have no finding yet."""
    for strength in ranked:
        if strength.column.name in told:
            continue
        by_gaps = _of_gaps(strength)
        if by_gaps and by_gaps.least > TRACE and is_beyond_chance(by_gaps, len(ranked)):
            yield _gap_finding(by_gaps)
            continue
        finding = decimals(strength, len(ranked))
        if finding is not None:
            yield finding


def _of_gaps(strength: Strength) -> Strength | None:
    column, aim = strength.column, strength.aim
    missing = column.missing("train").astype(np.int64)
    if missing.min() == missing.max():
        return None
    other = column.missing("valid").astype(np.int64)
    return of_codes(column, aim, folds_of(len(missing)), missing, other, 2)


def _gap_finding(by_gaps: Strength) -> Finding:
    column = by_gaps.column
    score, chance, numbers = score_in_words(by_gaps)
    share = float(column.missing("train").mean())
    return Finding(
        "missing_predicts_target",
        (column.name,),
        f"`{column.name}` is missing in {percent(share, None)} of train, and whether it is missing "
        f"alone reaches {score} ({chance}).",
        f"Ask why `{column.name}` is missing. If it is filled only after the target is known, "
        "leave it out.",
        numbers=numbers,
    )


def decimals(strength: Strength, n_columns: int) -> Finding | None:
    """The finding for a number whose rounding predicts the target, and whose size does not.

    So do numbers of two sources, one of which is used for one class only.
    """
    column, aim = strength.column, strength.aim
    if column.type != "number" or column.train.dtype.kind == "b":
        return None
    train, valid = (_units(column.numbers(split)) for split in ("train", "valid"))
    if len(np.unique(train)) < 2:
        return None
    by_unit = of_codes(column, aim, folds_of(len(train)), train, valid, len(UNITS) + 2)
    if by_unit.least < max(TRACE, strength.least + MORE):
        return None
    if not is_beyond_chance(by_unit, n_columns):
        return None
    score, chance, numbers = score_in_words(by_unit)
    return Finding(
        "predicts_target",
        (column.name,),
        f"How `{column.name}` is rounded (to 1, 0.5, 0.1, 0.05 or 0.01) alone reaches {score} "
        f"({chance}); its size explains {percent(max(0.0, strength.least), None)} of the target.",
        f"Find out which sources `{column.name}` comes from: they go with the {aim.name}. Round "
        "all values alike, or leave the column out.",
        severity="look at it",
        numbers=numbers,
    )


def _units(numbers: np.ndarray) -> np.ndarray:
    """The place of the largest unit of which each number is a multiple `(rows,)`."""
    codes = np.full(len(numbers), len(UNITS))
    for place in reversed(range(len(UNITS))):
        with np.errstate(invalid="ignore"):
            ratio = numbers / UNITS[place]
            codes[np.abs(ratio - np.round(ratio)) < 1e-6] = place
    codes[~np.isfinite(numbers)] = len(UNITS) + 1
    return codes


def flags_to_target(view: View) -> Iterator[Finding]:
    """A finding where rare values of several two-valued columns stand for one class.

    Each of them is in few rows, and so explains little; that any of them stands explains most.
    """
    if not view.are_columns:
        return
    pairs = [(c, _on(c)) for c in view.columns if c.type in ("number", "category")]
    flags = [(column, on) for column, on in pairs if on is not None]
    for aim in view.aims:
        for i in range(aim.train.shape[1] if aim.kind == "classes" else 0):
            sure = [(c, on) for c, on in flags if _is_sure(on["train"], aim.train[:, i])]
            if len(sure) > 1:
                yield from _together(aim, sure)


def _on(column: Column) -> dict[str, np.ndarray] | None:
    """The rows with the rarer of two values, by split; None for any other column."""
    (train, valid), n = codes_of(column.train, column.values["valid"])
    counts = np.bincount(train, minlength=n)
    if n != 2 or counts.min() > RARE * len(train):
        return None
    return {"train": train == counts.argmin(), "valid": valid == counts.argmin()}


def _is_sure(on: np.ndarray, is_class: np.ndarray) -> bool:
    share, usual = is_class[on].mean() if on.any() else 0.0, is_class.mean()
    return bool(on.sum() >= LEAST_FLAGGED and share > max(SURE, LIFT * usual))


def _together(aim: Aim, flags: list[tuple[Column, dict[str, np.ndarray]]]) -> Iterator[Finding]:
    names = tuple(column.name for column, _ in flags)
    any_of = {
        split: np.any([on[split] for _, on in flags], axis=0).astype(np.int64)
        for split in ("train", "valid")
    }
    folds = folds_of(len(any_of["train"]))
    column = Column("any flag", "number", any_of)
    whole = of_codes(column, aim, folds, any_of["train"], any_of["valid"], 2)
    most = max(of_codes(c, aim, folds, *_as_codes(on), 2).least for c, on in flags)
    if whole.least < max(TRACE, most + MORE) or not is_beyond_chance(whole, len(flags)):
        return
    score, chance, numbers = score_in_words(whole)
    listed = ", ".join(f"`{name}`" for name in names[:6])
    yield Finding(
        "flags_predict_target",
        names,
        f"Whether any of the {len(names)} flags {listed} is set reaches {score} ({chance}). It "
        f"explains {percent(whole.least, None)} of the target, the best single one "
        f"{percent(max(0.0, most), None)}.",
        "Ask when these flags are set. If they are set only after the target is known, leave all "
        "of them out.",
        numbers=numbers,
    )


def _as_codes(on: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    return on["train"].astype(np.int64), on["valid"].astype(np.int64)
