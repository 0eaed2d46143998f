"""Nearest neighbours of words among the word vectors of a pretrained network.

Source: Jiao et al., "TinyBERT: Distilling BERT for Natural Language Understanding", Findings of
EMNLP 2020 (section 3.2: words are replaced by their neighbours, and the teacher labels the result).
"""

from __future__ import annotations

import json
from collections.abc import Collection
from functools import lru_cache

import numpy as np

from workbench.data.tokens import PACKAGE, minilm_folder

__all__ = ["neighbours"]

N_NEIGHBOURS = 15
VECTORS = "embeddings.word_embeddings.weight"
BATCH = 1024  # words compared with all others in one product

# (source, word) to neighbours; kept for the life of the process
_cache: dict[tuple[str, str], tuple[str, ...]] = {}


def neighbours(words: Collection[str], source: str = PACKAGE) -> dict[str, tuple[str, ...]]:
    """The 15 nearest neighbours of each word, in alphabetical order.

    Words and neighbours are in lower case. A word that is not one piece of `source` has none.
    Antonyms have near vectors, so a neighbour may mean the opposite. `source` is an argument of
    `minilm_folder`. Raises MissingExtra without the extra `text`.
    """
    vocabulary, vectors = _vocabulary(source)
    numbers = {word: number for number, word in enumerate(vocabulary)}
    new = sorted({word for word in words if (source, word) not in _cache})
    for word in new:
        _cache[source, word] = ()
    with_vector = [word for word in new if word in numbers]
    for first in range(0, len(with_vector), BATCH):
        batch = with_vector[first : first + BATCH]
        rows = [numbers[word] for word in batch]
        similarity = vectors[rows] @ vectors.T
        similarity[np.arange(len(rows)), rows] = -np.inf  # excludes the word itself
        nearest = np.argpartition(similarity, -N_NEIGHBOURS, axis=1)[:, -N_NEIGHBOURS:]
        for word, neighbour_numbers in zip(batch, nearest, strict=True):
            _cache[source, word] = tuple(sorted(vocabulary[i] for i in neighbour_numbers))
    return {word: _cache[source, word] for word in words}


@lru_cache(maxsize=2)
def _vocabulary(source: str) -> tuple[list[str], np.ndarray]:
    """Pieces that are whole English words, and their vectors `(words, size)`.

    The vectors are centred and have length 1.
    """
    from safetensors.numpy import load_file

    folder = minilm_folder(source)
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    pieces = tokenizer["model"]["vocab"]
    words = {w: i for w, i in pieces.items() if len(w) > 1 and w.isascii() and w.isalpha()}
    weights = load_file(folder / "model.safetensors")
    name = next(n for n in weights if n.endswith(VECTORS))
    vectors = weights[name][list(words.values())].astype(np.float32)
    vectors -= vectors.mean(0)
    return list(words), vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
