"""Reworded sentences: text augmentation for distillation.

A sentence may get the end of another one, may be cut to consecutive words, and may lose single
words or have them replaced. The result may have another meaning, so it has no label: the teacher
labels it.

Sources: Tang et al., "Distilling Task-Specific Knowledge from BERT into Simple Neural Networks",
2019 (sampling of n-grams and masking, up to twenty times the data); Wei, Zou, "EDA: Easy Data
Augmentation", EMNLP 2019 (replacement and deletion); Jiao et al., "TinyBERT", Findings of EMNLP
2020 (replacement of words by their neighbours).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

__all__ = ["reword"]

P_JOIN = 0.3  # probability that a sentence gets the end of another one
P_CUT = 0.5  # probability that a sentence is cut
MIN_FRACTION = 0.1  # of the words that a cut sentence keeps
MIN_WORDS = 2  # that a cut sentence keeps
P_DROP = 0.08  # probability that a word is dropped
P_RANDOM = 0.1  # probability that a word is replaced, by any word of all sentences
P_SIMILAR = 0.35  # probability that a word is replaced, by a similar one
WORD = re.compile(r"(\W*)([A-Za-z]+)(\W*)")  # a word and the punctuation before and after it

Alike = Callable[[Collection[str]], Mapping[str, Sequence[str]]]


def reword(
    inputs: Mapping[str, np.ndarray],
    rng: np.random.Generator,
    *,
    name: str = "text",
    alike: Alike | None = None,
) -> dict[str, np.ndarray]:
    """The inputs with reworded sentences in the column `name`, `(rows,)`; others are unchanged.

    Words are separated by white space. Only an empty sentence gives an empty one. `alike` maps
    words in lower case to similar ones, as `neighbours` does; it adds words that are in no
    sentence. Without it, words are replaced by any words of the sentences.
    """
    sentences = [str(text).split() for text in inputs[name]]
    words = [word for sentence in sentences for word in sentence]
    if words:
        replacement = _Replacement(words, alike)
        sentences = [_reworded(s, sentences, replacement, rng) for s in sentences]
    return {**inputs, name: np.array([" ".join(sentence) for sentence in sentences], object)}


class _Replacement:
    """Replacement of a word, by a similar one or by any word of all; `probability` is its share."""

    def __init__(self, words: Sequence[str], alike: Alike | None) -> None:
        self.words = words
        self.probability = P_RANDOM
        self.similar: Mapping[str, Sequence[str]] | None = None
        if alike is not None:
            matches = (WORD.fullmatch(word) for word in set(words))
            self.similar = alike({match[2].lower() for match in matches if match})
            self.probability = P_SIMILAR

    def __call__(self, word: str, rng: np.random.Generator) -> str:
        """Another word with the case and punctuation of `word`, or `word` if none is similar."""
        if self.similar is None:
            return self.words[int(rng.integers(len(self.words)))]
        match = WORD.fullmatch(word)
        if match is None:
            return word
        before, old, after = match.groups()
        choices = self.similar[old.lower()]
        if not choices:
            return word
        new = choices[int(rng.integers(len(choices)))]
        return f"{before}{new.capitalize() if old[0].isupper() else new}{after}"


def _reworded(
    sentence: list[str],
    sentences: list[list[str]],
    replacement: _Replacement,
    rng: np.random.Generator,
) -> list[str]:
    """A sentence joined, cut, and with words dropped or replaced; never empty unless it was."""
    if rng.random() < P_JOIN:
        other = sentences[rng.integers(len(sentences))]
        start = sentence[: max(1, int(len(sentence) * rng.random()))]
        end = other[int(len(other) * rng.random()) :]
        sentence = start + end
    if rng.random() < P_CUT:
        n = max(MIN_WORDS, int(len(sentence) * rng.uniform(MIN_FRACTION, 1)))
        first = rng.integers(max(1, len(sentence) - n + 1))
        sentence = sentence[first : first + n]
    words = []
    for word, number in zip(sentence, rng.random(len(sentence)), strict=True):
        if number < P_DROP:
            continue
        is_replaced = number < P_DROP + replacement.probability
        words.append(replacement(word, rng) if is_replaced else word)
    return words or sentence
