"""Other sentences made from sentences: text that nobody wrote, for a teacher to answer and a
student to learn from.

A sentence is joined to the end of another, cut to a run of its words, and loses or swaps single
words. What comes out may mean something else than the sentence before, so it has no label of its
own.

Sources: Tang et al., "Distilling Task-Specific Knowledge from BERT into Simple Neural Networks",
2019 (sampling of n-grams and masking, as many as twenty times the data); Wei, Zou, "EDA: Easy Data
Augmentation", EMNLP 2019 (swaps and deletions); Jiao et al., "TinyBERT", Findings of EMNLP 2020
(words swapped for their neighbours).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

__all__ = ["reword"]

JOINED, CUT = 0.3, 0.5  # share of the sentences that get another one's end, and that are cut
SHORTEST, LEAST = 0.1, 2  # of a cut sentence: share and number of words that stay
DROPPED, SWAPPED, ALIKE = (
    0.08,
    0.1,
    0.35,
)  # share of the words; swapped for any word of all, or for one that is alike
MARKED = re.compile(r"(\W*)([A-Za-z]+)(\W*)")  # a word and the marks that it stands between

Alike = Callable[[Collection[str]], Mapping[str, Sequence[str]]]


def reword(
    inputs: Mapping[str, np.ndarray],
    rng: np.random.Generator,
    *,
    name: str = "text",
    alike: Alike | None = None,
) -> dict[str, np.ndarray]:
    """As many sentences `(rows,)` as came, changed; words are what blanks part, and none is empty
    that was not before.

    `alike` gives words in lower case that may stand in for each of those that it is asked
    (`neighbours` does): so students meet words that no sentence holds. Without it, words are
    swapped for any others of the sentences.
    """
    sentences = [str(text).split() for text in inputs[name]]
    words = [word for sentence in sentences for word in sentence]
    swap = _Swap(words, alike)
    made = (
        [_changed(sentence, sentences, swap, rng) for sentence in sentences] if words else sentences
    )
    return {**inputs, name: np.array([" ".join(sentence) for sentence in made], object)}


class _Swap:
    """Another word in place of a word."""

    def __init__(self, words: Sequence[str], alike: Alike | None) -> None:
        self.words, self.share = words, SWAPPED
        self.alike: Mapping[str, Sequence[str]] | None = None
        if alike is not None:
            found = (MARKED.fullmatch(word) for word in set(words))
            self.alike, self.share = alike({m[2].lower() for m in found if m}), ALIKE

    def __call__(self, word: str, rng: np.random.Generator) -> str:
        if self.alike is None:
            return self.words[rng.integers(len(self.words))]
        parts = MARKED.fullmatch(word)
        others = self.alike[parts[2].lower()] if parts else ()
        if not others:
            return word
        other = others[rng.integers(len(others))]
        return f"{parts[1]}{other.capitalize() if parts[2][0].isupper() else other}{parts[3]}"


def _changed(
    sentence: list[str], others: list[list[str]], swap: _Swap, rng: np.random.Generator
) -> list[str]:
    if rng.random() < JOINED:
        other = others[rng.integers(len(others))]
        sentence = (
            sentence[: max(1, int(len(sentence) * rng.random()))]
            + other[int(len(other) * rng.random()) :]
        )
    if rng.random() < CUT:
        n = max(LEAST, int(len(sentence) * rng.uniform(SHORTEST, 1)))
        first = rng.integers(max(1, len(sentence) - n + 1))
        sentence = sentence[first : first + n]
    chances = rng.random(len(sentence))
    kept = [
        swap(word, rng) if chance < DROPPED + swap.share else word
        for word, chance in zip(sentence, chances, strict=True)
        if chance >= DROPPED
    ]
    return kept or sentence
