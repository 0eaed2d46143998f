"""Parts of texts such as file names and codes: words, numbers and signs, by their place.

A text is parted at every sign that is no letter and no digit, and between letters and digits:
`scans/benign/IMG_00012.png` has the parts `scans`, `benign`, `img`, `00012` and `png`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from workbench.measure.leakage.view import Column

__all__ = ["MOST_TEXTS", "Part", "numbers_in", "parts_of", "texts_of", "tokens_of"]

MOST_TEXTS = 5_000  # of a split
PIECES = re.compile(r"[^\W\d_]+|\d+")
NUMBER = re.compile(r"\d+(?:[.,' \u00a0]\d+)*")
FROM_START = 6  # parts that are looked at from the start of a text,
FROM_END = 4  # and from its end
MOST_PLACES = 14  # signs of codes of one length
LONGEST = 40  # letters of such a code
N_NUMBERS = 3  # numbers that are looked at from each end of a text
FEW = 60  # different values of a part that is a category


@dataclass(frozen=True, eq=False)
class Part:
    """A part of each text of a column: the words that name it, and its values as a column."""

    words: str
    column: Column


def texts_of(column: Column) -> dict[str, list[str]]:
    """The texts of a column by split, at most `MOST_TEXTS` of each; "" where missing."""
    found = {}
    for split in ("train", "valid"):
        values = column.values[split][:MOST_TEXTS].tolist()
        found[split] = [v if isinstance(v, str) else "" for v in values]
    return found


def tokens_of(texts: dict[str, list[str]]) -> dict[str, list[list[str]]]:
    """The parts of each text in order, in lower case."""
    return {split: [PIECES.findall(t.lower()) for t in some] for split, some in texts.items()}


def parts_of(
    column: Column, texts: dict[str, list[str]], tokens: dict[str, list[list[str]]]
) -> Iterator[Part]:
    """The parts at each place as columns: categories of few values, and numbers."""
    lengths = np.array([len(t) for t in tokens["train"]])
    longest = int(lengths.max(initial=0))
    places = list(range(min(FROM_START, longest)))
    if len(np.unique(lengths)) > 1 or longest > FROM_START:
        places += [-i for i in range(1, min(FROM_END, longest) + 1)]
    for place in places:
        words = f"part {place + 1}" if place >= 0 else _from_end("part", -place)
        yield from _at_place(column, words, tokens, place)
    yield from _signs(column, texts)
    yield from _between(column, texts)


def _between(column: Column, texts: dict[str, list[str]]) -> Iterator[Part]:
    """The signs between words and numbers, such as the `#` of a chess move that mates."""
    values = {
        split: np.array([re.sub(r"[\w\s]+", "", t) for t in some], object)
        for split, some in texts.items()
    }
    if 2 <= len(set(values["train"].tolist())) <= FEW:
        yield Part("the signs between words and numbers", Column(column.name, "category", values))


def _from_end(noun: str, place: int) -> str:
    return f"the last {noun}" if place == 1 else f"{noun} {place} from the end"


def _at_place(
    column: Column, words: str, tokens: dict[str, list[list[str]]], place: int
) -> Iterator[Part]:
    values = {}
    for split, some in tokens.items():
        least = place + 1 if place >= 0 else -place
        values[split] = [t[place] if len(t) >= least else "" for t in some]
    different = set(values["train"])
    if len(different) < 2:
        return
    if len(different) <= FEW:
        arrays = {s: np.array(v, object) for s, v in values.items()}
        yield Part(words, Column(column.name, "category", arrays))
    elif sum(v.isdigit() for v in values["train"]) > 0.5 * len(values["train"]):
        numbers = {
            s: np.array([float(v) if v.isdigit() and len(v) < 19 else np.nan for v in some])
            for s, some in values.items()
        }
        yield Part(words, Column(column.name, "number", numbers))


def _signs(column: Column, texts: dict[str, list[str]]) -> Iterator[Part]:
    """The sign at each place, for codes of one length."""
    lengths = {len(t) for some in texts.values() for t in some}
    if len(lengths) != 1 or not 2 <= (length := lengths.pop()) <= LONGEST:
        return
    if any(" " in t for t in texts["train"][:100]):
        return
    signs = {
        s: np.array(some, f"U{length}").view(np.uint32).reshape(len(some), length)
        for s, some in texts.items()
    }
    half = MOST_PLACES // 2
    for place in sorted({*range(min(half, length)), *range(max(0, length - half), length)}):
        train = signs["train"][:, place]
        if (train == train[0]).all():
            continue
        values = {s: np.array([chr(c) for c in v[:, place].tolist()]) for s, v in signs.items()}
        yield Part(f"sign {place + 1}", Column(column.name, "category", values))


def numbers_in(column: Column, texts: dict[str, list[str]]) -> Iterator[Part]:
    """The first and last numbers of each text as columns, with both meanings of dot and comma."""
    found = {s: [NUMBER.findall(t) for t in some] for s, some in texts.items()}
    most = max((len(f) for f in found["train"]), default=0)
    if not most:
        return
    for is_comma in (False, True):
        read = {s: [[_number(n, is_comma) for n in f] for f in some] for s, some in found.items()}
        if is_comma and not any("." in n or "," in n for f in found["train"] for n in f):
            return
        for place in range(min(most, N_NUMBERS)):
            for at in (place, -1 - place):
                values = {s: _at(some, at) for s, some in read.items()}
                words = f"number {at + 1}" if at >= 0 else _from_end("number", -at)
                yield Part(words, Column(column.name, "number", values))


def _at(numbers: Sequence[Sequence[float]], place: int) -> np.ndarray:
    least = place + 1 if place >= 0 else -place
    return np.array([n[place] if len(n) >= least else np.nan for n in numbers], np.float64)


def _number(text: str, is_comma: bool) -> float:
    """A number with thousands apart; `is_comma`: the comma is the decimal sign, not the dot."""
    decimal, other = (",", ".") if is_comma else (".", ",")
    for sign in (other, "'", " ", "\u00a0"):
        text = text.replace(sign, "")
    head, _, tail = text.partition(decimal)
    tail = tail.replace(decimal, "")
    return float(f"{head[:300]}.{tail or '0'}")
