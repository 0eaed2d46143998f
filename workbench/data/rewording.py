"""Other sentences made from sentences: text that nobody wrote, for a teacher to answer and a student to learn from.

A sentence is joined to the end of another, cut to a run of its words, and loses or swaps single words. What comes out may
mean something else than the sentence before, so it has no label of its own.

Sources: Tang et al., "Distilling Task-Specific Knowledge from BERT into Simple Neural Networks", 2019 (sampling of n-grams
and masking, as many as twenty times the data); Wei, Zou, "EDA: Easy Data Augmentation", EMNLP 2019 (swaps and deletions).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

__all__ = ["reword"]

JOINED, CUT = 0.3, 0.5  # share of the sentences that get another one's end, and that are cut
SHORTEST, LEAST = 0.3, 3  # of a cut sentence: share and number of words that stay
DROPPED, SWAPPED = 0.08, 0.1  # share of the words


def reword(inputs: Mapping[str, np.ndarray], rng: np.random.Generator, *, name: str = "text") -> dict[str, np.ndarray]:
    """As many sentences `(rows,)` as came, changed; words are what blanks part, and none is empty that was not before."""
    sentences = [str(text).split() for text in inputs[name]]
    words = [word for sentence in sentences for word in sentence]
    made = [_changed(sentence, sentences, words, rng) for sentence in sentences] if words else sentences
    return {**inputs, name: np.array([" ".join(sentence) for sentence in made], object)}


def _changed(sentence: list[str], others: list[list[str]], words: list[str], rng: np.random.Generator) -> list[str]:
    if rng.random() < JOINED:
        other = others[rng.integers(len(others))]
        sentence = sentence[: max(1, int(len(sentence) * rng.random()))] + other[int(len(other) * rng.random()) :]
    if rng.random() < CUT:
        n = max(LEAST, int(len(sentence) * rng.uniform(SHORTEST, 1)))
        first = rng.integers(max(1, len(sentence) - n + 1))
        sentence = sentence[first : first + n]
    chances = rng.random(len(sentence))
    kept = [
        words[rng.integers(len(words))] if chance < DROPPED + SWAPPED else word
        for word, chance in zip(sentence, chances, strict=True)
        if chance >= DROPPED
    ]
    return kept or sentence
