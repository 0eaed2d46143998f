"""Texts that hold the target in a part: the class in a file name, the amount in a description."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from workbench.measure.leakage.evidence import (
    explained_by_others,
    is_beyond_chance,
    score_in_words,
)
from workbench.measure.leakage.findings import Finding
from workbench.measure.leakage.last_digits import digit_of
from workbench.measure.leakage.strength import Strength, folds_of, strength_of
from workbench.measure.leakage.telling_values import Counts, class_names, telling_values
from workbench.measure.leakage.text_parts import (
    MOST_TEXTS,
    Part,
    numbers_in,
    parts_of,
    texts_of,
    tokens_of,
)
from workbench.measure.leakage.values_to_target import some_classes
from workbench.measure.leakage.view import Aim, Column, View
from workbench.system.wording import percent

__all__ = ["texts_to_target"]

LEAST_VALUES = 30  # different texts of a column
REPEATED = 0.9  # share of different texts below which they repeat
COPY = 0.9995  # share explained from which a part is the target
NEARLY = 0.93  # share explained by a part, which real causes hardly reach,
MUCH = 0.8  # ... if all other columns explain at most this part of it
HIGH = {"classes": 0.55, "amount": 0.8}  # share that is far more than usual,
SURE = 0.7  # ... and makes a sure leak
FAR = 0.45  # ... if the others explain less than this part of it
MONOTONE = 1 - 1e-4  # rank correlation of a number with an amount that it was rounded from
PRESENT = 0.5  # share of texts that have a number,
LEAST_ROWS = 30  # and of rows that have it
MOST_WORDS = 300  # different words that are compared with classes
LEAST_OF_WORD = 0.01  # share of the texts that have it
SHORT = 12  # words of a text whose parts have places
HELD = 0.3  # share of texts that hold their own target, beyond that of other targets
TOLERANCE = 0.005  # of the target
SCALES = (1.0, 1e3, 1e-3, 100.0, 0.01, 1e6)
LEAST_SIZE = 20.0  # a target in units of its tolerance that no small number hits by chance


def texts_to_target(view: View) -> Iterator[Finding]:
    """A finding for each column of texts that has a part which tells the target."""
    if not view.are_columns:
        return
    for column in view.columns:
        if column.type not in ("category", "text") or column.train.dtype.kind not in "OU":
            continue
        if len(set(column.train[:1000].tolist())) < LEAST_VALUES:
            continue
        for aim in view.aims:
            finding = _of_column(view, column, _short(aim))
            if finding is not None:
                yield finding
                break


def _short(aim: Aim) -> Aim:
    n = MOST_TEXTS
    return Aim(
        aim.name,
        aim.kind,
        aim.train[:n],
        aim.valid[:n],
        aim.labels[:n],
        aim.valid_labels[:n],
    )


def _of_column(view: View, column: Column, aim: Aim) -> Finding | None:
    texts = texts_of(column)
    tokens = tokens_of(texts)
    folds = folds_of(len(aim.train))
    n_words = np.mean([len(t) for t in tokens["train"][:500]])
    parts = list(parts_of(column, texts, tokens)) if n_words <= SHORT else []
    parts += numbers_in(column, texts)
    n_tried = max(1, len(parts) * len(view.columns))
    parts = [p for p in parts if not _is_owner(column, p.column)]
    found = [(part, strength_of(part.column, aim, folds)) for part in parts]
    for part, strength in sorted(found, key=lambda f: -f[1].least):
        finding = _judged(view, part, strength, n_tried)
        if finding is not None:
            return finding
    if aim.kind == "amount":
        return _own_targets(column, texts, aim)
    if column.type == "category":
        finding = _words(view, column, tokens, aim)
        if finding is not None:
            return finding
    for part in parts:
        digit = digit_of(part.column, aim, n_tried)
        if digit is not None:
            return _digit(column, part, *digit)
    return None


def _is_owner(column: Column, part: Column) -> bool:
    """Whether a part is the owner of several rows, which `groups_on_both_sides` judges."""
    texts, values = column.train[:MOST_TEXTS], part.train
    n_texts, n_values = len(set(texts.tolist())), len(set(values.tolist()))
    return n_texts < REPEATED * len(texts) and n_values > max(LEAST_VALUES, REPEATED * n_texts)


def _judged(view: View, part: Part, strength: Strength, n_tried: int) -> Finding | None:
    aim, share = strength.aim, strength.least
    is_copy = share > COPY or (aim.kind == "amount" and _is_monotone(part.column, aim))
    if not is_copy and share <= HIGH[aim.kind]:
        return None
    if not is_beyond_chance(strength, n_tried):
        return None
    rest = 0.0
    if not is_copy:
        rest = explained_by_others(view.columns, aim, part.column.name)
        if rest > (MUCH if share > NEARLY else FAR) * share:
            return None
    score, chance, numbers = score_in_words(strength)
    some = list(dict.fromkeys(str(v) for v in part.column.train[:50].tolist()))[:3]
    shown = ", ".join(f"`{text}`" for text in some)
    beside = "" if is_copy else f", all other columns together {percent(rest, None)}"
    return Finding(
        "text_holds_target",
        (part.column.name,),
        f"In `{part.column.name}`, {part.words} (such as {shown}) alone reaches {score} ({chance})."
        f" It explains {percent(share, None)} of the {aim.name}{beside}.",
        f"Leave `{part.column.name}` out, or take {part.words} out of it: names and texts that "
        "were written once the target was known hold it.",
        severity="leak" if is_copy or share > SURE else "look at it",
        numbers={**numbers, "others": rest},
    )


def _is_monotone(column: Column, aim: Aim) -> bool:
    """Whether a number has the order of the amounts in all texts that have it."""
    from scipy.stats import spearmanr

    numbers = column.numbers("train")
    known = np.isfinite(numbers)
    if known.sum() < max(LEAST_ROWS, PRESENT * len(numbers)) or np.ptp(numbers[known]) == 0:
        return False
    if len(np.unique(aim.labels[known])) < 3:
        return False
    return abs(float(spearmanr(numbers[known], aim.labels[known])[0])) > MONOTONE


def _own_targets(column: Column, texts: dict[str, list[str]], aim: Aim) -> Finding | None:
    """The finding where texts hold their own target as a number, at any place."""
    places, numbers = [], []
    for part in numbers_in(column, texts):
        values = part.column.numbers("train")
        known = np.flatnonzero(np.isfinite(values))
        places.append(known)
        numbers.append(values[known])
    if not places:
        return None
    rows, values = np.concatenate(places), np.concatenate(numbers)
    amounts = aim.labels.astype(np.float64)
    rng = np.random.default_rng(0)
    share = _share_held(rows, values, amounts)
    chance = max(_share_held(rows, values, rng.permutation(amounts)) for _ in range(3))
    deviation = np.sqrt(max(chance, 1 / len(amounts)) / len(amounts))
    if share - chance < max(HELD * (1 - chance), 6 * deviation):
        return None
    return Finding(
        "text_holds_target",
        (column.name,),
        f"{percent(share, None)} of the texts of `{column.name}` hold the {aim.name} of their row "
        f"as a number, to {percent(TOLERANCE, 1)}; {percent(chance, None)} hold the {aim.name} of "
        "another row by chance.",
        f"Take the number out of `{column.name}`, or leave the column out: it was written once the "
        f"{aim.name} was known.",
        numbers={"value": share, "chance": chance},
    )


def _share_held(rows: np.ndarray, values: np.ndarray, amounts: np.ndarray) -> float:
    """The share of rows one of whose numbers is the amount, in any of a few units."""
    own = amounts[rows]
    usable = np.abs(own) > 0
    held = np.zeros(len(rows), bool)
    for scale in SCALES:
        # A number with few digits is the amount only if it is equal, not if it is near.
        near = np.abs(values * scale - np.abs(own)) <= np.where(
            np.abs(own) / scale > LEAST_SIZE, TOLERANCE * np.abs(own), 1e-9
        )
        held |= near & usable
    return float(len(np.unique(rows[held])) / len(amounts))


def _words(
    view: View, column: Column, tokens: dict[str, list[list[str]]], aim: Aim
) -> Finding | None:
    """The finding where words of a code or name, at any place, go with one class each."""
    counts: dict[str, int] = {}
    for some in tokens["train"]:
        for word in set(some):
            counts[word] = counts.get(word, 0) + 1
    n = len(tokens["train"])
    frequent = [w for w, k in counts.items() if LEAST_OF_WORD * n <= k < n]
    frequent = sorted(frequent, key=lambda w: -counts[w])[:MOST_WORDS]
    if not frequent:
        return None
    place = {word: i for i, word in enumerate(frequent)}
    classes = np.unique(aim.labels)
    train = _crossed(tokens["train"], np.searchsorted(classes, aim.labels), place, len(classes))
    known = np.isin(aim.valid_labels, classes)
    labels = np.searchsorted(classes, aim.valid_labels).clip(0, len(classes) - 1)
    usable = [t for t, k in zip(tokens["valid"], known.tolist(), strict=True) if k]
    valid = _crossed(usable, labels[known], place, len(classes))
    totals = [
        np.bincount(np.searchsorted(classes, aim.labels), minlength=len(classes)),
        np.bincount(labels[known], minlength=len(classes)),
    ]
    whole = Counts(column, tuple(frequent), train, valid, totals[0], totals[1], True)
    (telling,) = telling_values([whole]) or (None,)
    if telling is None:
        return None
    word, class_, rows, share = telling.values[0]
    rest = explained_by_others(view.columns, some_classes(aim, (class_,)), column.name)
    if rest > MUCH:
        return None
    name = class_names(view, aim)[class_]
    return Finding(
        "text_holds_target",
        (column.name,),
        f"The part `{word}` is in {rows:,} train texts of `{column.name}`, {percent(share, None)} "
        f"of which are of the class `{name}` ({percent(totals[0][class_] / n, None)} of all rows "
        f"are). {len(telling.values)} such parts were found.",
        f"Leave `{column.name}` out, or take these parts out of it: names that were given once the "
        "target was known hold it.",
        numbers={"value": share, "chance": float(totals[0][class_] / n), "p": telling.p},
    )


def _crossed(
    tokens: list[list[str]], labels: np.ndarray, place: dict[str, int], k: int
) -> np.ndarray:
    found = np.zeros((len(place), k), np.int64)
    for some, label in zip(tokens, labels.tolist(), strict=True):
        for word in set(some):
            at = place.get(word)
            if at is not None:
                found[at, label] += 1
    return found


def _digit(column: Column, part: Part, words: str, strength: Strength) -> Finding:
    score, chance, numbers = score_in_words(strength)
    return Finding(
        "text_holds_target",
        (column.name,),
        f"In `{column.name}`, {words} of {part.words} alone reaches {score} ({chance}), though a "
        "digit of a number that differs in every row has no meaning.",
        f"Leave `{column.name}` out: it was given once the {strength.aim.name} was known.",
        numbers=numbers,
    )
