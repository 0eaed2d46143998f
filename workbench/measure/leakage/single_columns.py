"""Columns that predict the target alone: copies of it, values that come after it, their gaps."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from workbench.measure.leakage.evidence import (
    MOST_OTHERS,
    explained_by_others,
    is_beyond_chance,
    score_in_words,
)
from workbench.measure.leakage.findings import Finding
from workbench.measure.leakage.present import is_unit_of_a_panel, on_same_rows, where_present
from workbench.measure.leakage.strength import (
    Strength,
    strengths,
    together,
)
from workbench.measure.leakage.traces import gaps, weak_traces
from workbench.measure.leakage.view import Aim, Column, View
from workbench.system.wording import percent

__all__ = ["single_columns"]

COPY = 0.9995  # share explained from which a column is a function of the target
ROUNDED = 1e-4  # below a rank correlation of 1, a copy that was rounded
NEARLY = 0.93  # share explained by one column that real causes hardly reach
HIGH = {"classes": 0.7, "amount": 0.8}  # share that is far more than usual
STRONG = 0.45  # share explained from which the other columns are compared
FAR = 0.45  # the others together explain less than this part of what one column does,
FAR_NEARLY = 0.7  # ... where it explains more than FORMS,
MUCH = 0.8  # ... and where it explains more than NEARLY
LEAST_OTHERS = 2  # columns that "all others" are at least
MANY_OTHERS = 6  # columns below a high share
TIMES_NEXT = 4  # below a high share, a column explains so many times as much as the next one
SAME, COPIES = 0.9, 0.985  # correlation of predictions of two forms of one thing, of two copies
FEW = 3  # other columns that may belong to it,
PART = 0.6  # if all others explain less than this part of it,
LITTLE = 0.2  # and the others without them less than this part
SOMETHING = 0.02  # share that the others explain at least where they hold anything
# Part of a high share that all others explain beside a sure leak, at most: an estimate of an expert
# or the last value explains most of an amount too.
LITTLE_LEFT = {"classes": 1 / 3, "amount": 0.1}
FORMS = 0.85  # share from which columns in the same order count as forms of one leak
EASY = 3  # columns that are all nearly perfect: the classes are far apart,
EASY_SHARE = 0.2  # if they are so large a part of the columns


def single_columns(view: View, notes: list[str]) -> Iterator[Finding]:
    """A finding for each column that predicts the target alone, with the reason."""
    told: set[str] = set()
    for aim in view.aims:
        every = strengths(view, aim)
        told |= yield from _of_aim(view, aim, every, told, notes)


def _of_aim(
    view: View, aim: Aim, every: Sequence[Strength], told: set[str], notes: list[str]
) -> Generator[Finding, None, set[str]]:
    ranked = sorted(every, key=lambda s: -s.least)
    found: set[str] = set()
    candidates = [s for s in ranked[:40] if s.least > STRONG and s.column.name not in told]
    nearly = [s.column.name for s in every if s.least > FORMS]
    is_easy = len(nearly) >= EASY and len(nearly) >= EASY_SHARE * len(every)
    if is_easy:
        names = ", ".join(f"`{name}`" for name in nearly[:5])
        notes.append(
            f"{len(nearly)} of {len(every)} columns predict the {aim.name} nearly perfectly, each "
            f"alone ({names}): the classes are far apart, or there are several leaks."
        )
    is_easy |= not view.are_columns
    for strength in candidates:
        others = _others(ranked, strength)
        if not is_beyond_chance(strength, len(every)):
            continue
        finding = gaps(strength) or _copy(strength) or _behind_gaps(strength, others, is_easy)
        if finding is None and not _is_known(view, strength):
            finding = _alone(strength, others, is_easy)
            if finding is not None and _has_kin(strength, ranked):
                finding = replace(finding, severity="look at it")
        if finding is not None:
            found.add(strength.column.name)
            yield finding
    for strength in ranked:
        if strength.least <= STRONG and strength.column.name not in found | told:
            finding = _behind_gaps(strength, _others(ranked, strength), is_easy)
            if finding is not None:
                found.add(strength.column.name)
                yield finding
    yield from weak_traces(ranked, found | told)
    return found


def _is_known(view: View, strength: Strength) -> bool:
    """Whether the column is the unit of a panel, and not nearly perfect."""
    return strength.least <= NEARLY and is_unit_of_a_panel(view, strength.column)


def _others(ranked: Sequence[Strength], strength: Strength) -> list[Strength]:
    """The other columns, without nearly perfect ones and other forms of a strong column."""
    return [
        s
        for s in ranked[:MOST_OTHERS]
        if s is not strength
        and s.least <= NEARLY
        and not (strength.least > FORMS and _likeness(s, strength) > SAME)
    ]


def _has_kin(strength: Strength, ranked: Sequence[Strength]) -> bool:
    """Whether another column has a high share and nearly the same order, and is no copy of it.

    So the people and the jobs of a town both go with its size: a cause rather than a leak.
    """
    return any(
        s is not strength and s.least > HIGH[s.aim.kind] and SAME < _likeness(s, strength) <= COPIES
        for s in ranked[:MOST_OTHERS]
    )


def _likeness(a: Strength, b: Strength) -> float:
    """The correlation of two columns' predictions, near 1 for two forms of one thing; else 0.

    It is 0 for texts and where the first column is weak.
    """
    if a.least < STRONG or "text" in (a.column.type, b.column.type):
        return 0.0
    x, y = (np.nan_to_num(s.predicted[:, 0]) for s in (a, b))
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    return abs(float(np.corrcoef(x, y)[0, 1]))


def _copy(strength: Strength) -> Finding | None:
    """The finding for a column that has one target for each of its values."""
    column, aim = strength.column, strength.aim
    if column.type == "text":
        return None
    is_copy = strength.least > COPY
    if column.type == "number" and aim.kind == "amount":
        is_copy = is_copy or _is_monotone(column, aim)
    if not is_copy:
        return None
    score, chance, numbers = score_in_words(strength)
    return Finding(
        "copies_target",
        (column.name,),
        f"Each value of `{column.name}` goes with one {aim.name}, without an exception: {score}, "
        f"{chance}.",
        f"Leave `{column.name}` out: it is the target in another form, and is not known when the "
        "model predicts.",
        numbers=numbers,
    )


def _behind_gaps(strength: Strength, others: list[Strength], is_easy: bool) -> Finding | None:
    """The finding for a column that is nearly perfect on the rows where it has a value."""
    few = where_present(strength)
    if few is None or not is_beyond_chance(few, MOST_OTHERS):
        return None
    finding = _copy(few)
    if finding is None and few.least > NEARLY:
        finding = _alone(few, on_same_rows(others, strength.column, few), is_easy)
    if finding is None:
        return None
    share = 1 - float(strength.column.missing("train").mean())
    told = f"`{few.column.name}` has a value in {percent(share, None)} of train. On these rows: "
    return replace(finding, evidence=told + finding.evidence)


def _is_monotone(column: Column, aim: Aim) -> bool:
    """Whether a number and an amount have the same or the reverse order where both are known."""
    from scipy.stats import spearmanr

    numbers = column.numbers("train")
    is_finite = np.isfinite(numbers)
    if is_finite.sum() < 10:
        return False
    return abs(float(spearmanr(numbers[is_finite], aim.labels[is_finite])[0])) > 1 - ROUNDED


def _alone(strength: Strength, others: list[Strength], is_easy: bool) -> Finding | None:
    """The finding for a column that is nearly perfect, or far better than all others together."""
    name, share = strength.column.name, strength.least
    is_nearly = share > NEARLY
    # A category may be a known cause, such as a shop.
    is_high = share > HIGH[strength.aim.kind] and strength.column.type != "category"
    little = LITTLE_LEFT[strength.aim.kind]
    if is_easy or (len(others) < LEAST_OTHERS and not is_nearly):
        return None
    rest = explained_by_others([s.column for s in others], strength.aim)
    is_far = rest < (FAR_NEARLY if share > FORMS else FAR) * share
    if share <= HIGH[strength.aim.kind]:
        following = max((s.least for s in others), default=0.0)
        is_alone = TIMES_NEXT * following < share and len(others) >= MANY_OTHERS
        is_far = is_alone and (
            (is_far and (rest > SOMETHING or _hold_anything(others)))
            or _is_far_from_most(strength, others, rest)
        )
    if not is_far and not (is_nearly and rest <= MUCH * share):
        return None
    score, chance, numbers = score_in_words(strength)
    beside = (
        f" It explains {percent(share, None)} of the target, all {len(others)} other columns "
        f"together {percent(rest, None)}."
        if others
        else f" It explains {percent(share, None)} of the target."
    )
    return Finding(
        "predicts_target",
        (name,),
        f"`{name}` alone reaches {score} ({chance}).{beside}",
        f"Ask when `{name}` is written. If it is known only after the target, or is made from it, "
        "leave it out; if it is known before, keep it.",
        numbers={**numbers, "others": rest},
        severity="leak" if is_nearly or (is_high and rest < little * share) else "look at it",
    )


def _hold_anything(others: list[Strength]) -> bool:
    """Whether several other columns predict the target beyond chance, however little."""
    found = (s for s in others if s.least > 0 and is_beyond_chance(s, len(others)))
    return len(list(islice(found, LEAST_OTHERS))) == LEAST_OTHERS


def _is_far_from_most(strength: Strength, others: list[Strength], rest: float) -> bool:
    """Whether a column is far better than the others without the few that may belong to it.

    So a delay is found beside actual times, which hold it in part.
    """
    if len(others) < 2 * MANY_OTHERS - FEW or rest > PART * strength.least:
        return False
    least = sorted(others, key=lambda s: -s.least)[FEW:]
    share = together([s.column for s in least], strength.aim)
    return SOMETHING < share < LITTLE * strength.least
