"""The words that stand in for a word: its nearest ones among a pretrained network's word vectors.

Source: Jiao et al., "TinyBERT: Distilling BERT for Natural Language Understanding", Findings of
EMNLP 2020 (section 3.2: words of a sentence are swapped for their neighbours, and the teacher
answers to what comes out).
"""

from __future__ import annotations

import json
from collections.abc import Collection
from functools import lru_cache

import numpy as np

from workbench.data.tokens import PACKAGE, minilm_folder

__all__ = ["neighbours"]

N = 15  # neighbours of a word
VECTORS = "embeddings.word_embeddings.weight"
AT_ONCE = 1024  # words compared with all others together

_found: dict[
    tuple[str, str], tuple[str, ...]
] = {}  # (source, word) to neighbours: each word is looked up once in a process


def neighbours(words: Collection[str], source: str = PACKAGE) -> dict[str, tuple[str, ...]]:
    """The 15 words nearest to each of `words`, by alphabet; none for one that is no piece of its
    own to `source`.

    Words and neighbours are in lower case. Antonyms are near each other too: what comes out may
    mean the contrary. `source` is what `minilm_folder` takes. Raises MissingExtra without the extra
    `text`.
    """
    known, vectors = _table(source)
    numbers = {word: i for i, word in enumerate(known)}
    asked = sorted({word for word in words if (source, word) not in _found})
    for word in asked:
        _found[source, word] = ()
    there = [word for word in asked if word in numbers]
    for first in range(0, len(there), AT_ONCE):
        part = there[first : first + AT_ONCE]
        rows = [numbers[word] for word in part]
        likeness = vectors[rows] @ vectors.T
        likeness[np.arange(len(rows)), rows] = -np.inf  # a word is no neighbour of itself
        nearest = np.argpartition(likeness, -N, axis=1)[:, -N:]
        _found.update(
            {
                (source, w): tuple(sorted(known[i] for i in near))
                for w, near in zip(part, nearest, strict=True)
            }
        )
    return {word: _found[source, word] for word in words}


@lru_cache(maxsize=2)
def _table(source: str) -> tuple[list[str], np.ndarray]:
    """Pieces that are whole English words, and their vectors `(words, size)` of length 1 about
    their common mean.
    """
    from safetensors.numpy import load_file

    folder = minilm_folder(source)
    vocabulary = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"][
        "vocab"
    ]
    words = {w: i for w, i in vocabulary.items() if len(w) > 1 and w.isascii() and w.isalpha()}
    weights = load_file(folder / "model.safetensors")
    name = next(n for n in weights if n.endswith(VECTORS))
    vectors = weights[name][list(words.values())].astype(np.float32)
    vectors -= vectors.mean(0)
    return list(words), vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
