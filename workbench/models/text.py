"""Small networks for text, and the TF-IDF baseline.

The networks take word numbers `(batch, length)` and return logits `(batch, classes)`. Number 0 is
padding. No layer depends on the length of a row or on fixed widths, so that all networks can be
exported with a dynamic length, pruned and quantized.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import Pipeline

__all__ = [
    "BiGRU",
    "Encoder",
    "TextCNN",
    "TextTransformer",
    "bigru",
    "text_cnn",
    "tfidf",
    "transformer2",
    "word_weights",
]

KERNELS = (2, 3, 4)  # words under a filter of the convolutional network


class TextCNN(nn.Module):
    """Convolutions of several kernel sizes over word vectors, maximum over words, linear head."""

    def __init__(
        self,
        n_words: int,
        n_classes: int,
        *,
        width: int,
        n_filters: int,
        dropout: float = 0.5,
        word_dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.embedding = _embedding(n_words, width)
        self.word_dropout = nn.Dropout1d(word_dropout)  # drops all numbers of a word
        self.convolutions = nn.ModuleList(
            nn.Conv1d(width, n_filters, k, padding=k // 2) for k in KERNELS
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(len(KERNELS) * n_filters, n_classes)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        words = self.word_dropout(self.embedding(tokens)).transpose(1, 2)
        maxima = [F.relu(convolution(words)).amax(2) for convolution in self.convolutions]
        return self.head(self.dropout(torch.cat(maxima, 1)))


class BiGRU(nn.Module):
    """Bidirectional gated recurrent units, maximum over words, linear head.

    The backward direction starts at the end of the row and reads the padding first. All rows must
    therefore be padded to the same length.
    """

    def __init__(
        self, n_words: int, n_classes: int, *, width: int, hidden: int, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.embedding = _embedding(n_words, width)
        self.word_dropout = nn.Dropout1d(0.2)
        self.gru = nn.GRU(width, hidden, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * hidden, n_classes)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        states, _ = self.gru(self.word_dropout(self.embedding(tokens)))
        # -1 is the minimum of a state
        maxima = states.masked_fill((tokens == 0)[:, :, None], -1.0).amax(1)
        return self.head(self.dropout(maxima))


class SelfAttention(nn.Module):
    """Attention of each word to all words that are not padding, in `n_heads` heads."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.output = nn.Linear(width, width)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        q, k, v = (
            part(x).unflatten(2, (self.n_heads, -1)).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.output(attended.transpose(1, 2).flatten(2))


class EncoderLayer(nn.Module):
    """Attention and two linear layers, each with a skip connection and then a norm, as in BERT."""

    def __init__(self, width: int, n_heads: int, hidden: int, dropout: float, eps: float) -> None:
        super().__init__()
        self.attention = SelfAttention(width, n_heads)
        self.norm1 = nn.LayerNorm(width, eps=eps)
        self.inner, self.outer = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.norm2 = nn.LayerNorm(width, eps=eps)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        x = self.norm1(x + self.dropout(self.attention(x, mask)))
        return self.norm2(x + self.dropout(self.outer(F.gelu(self.inner(x)))))


class Encoder(nn.Module):
    """Vectors `(batch, length, width)` of words and their positions, through `n_layers` layers.

    `places` is the embedding of positions, for rows of up to `longest` words. Source: Devlin et
    al., "BERT", 2019.
    """

    def __init__(
        self,
        n_words: int,
        *,
        width: int,
        n_layers: int,
        n_heads: int,
        hidden: int,
        longest: int,
        dropout: float = 0.1,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.words, self.places = _embedding(n_words, width), nn.Embedding(longest, width)
        nn.init.normal_(self.places.weight, std=0.02)
        self.norm, self.dropout = nn.LayerNorm(width, eps=eps), nn.Dropout(dropout)
        self.layers = nn.ModuleList(
            EncoderLayer(width, n_heads, hidden, dropout, eps) for _ in range(n_layers)
        )

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """`mask` is true `(batch, length)` for a word, false for padding."""
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.dropout(self.norm(self.words(tokens) + self.places(positions)))
        attention_mask = mask[:, None, None, :]
        for layer in self.layers:
            x = layer(x, attention_mask)
        return x


class TextTransformer(nn.Module):
    """A small encoder, the mean over its words, and a linear head."""

    def __init__(
        self,
        n_words: int,
        n_classes: int,
        *,
        length: int,
        width: int,
        n_layers: int,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.encoder = Encoder(
            n_words,
            width=width,
            n_layers=n_layers,
            n_heads=4,
            hidden=2 * width,
            longest=length,
            dropout=dropout,
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, n_classes)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        mask = tokens != 0
        return self.head(self.dropout(mean_over(self.encoder(tokens, mask), mask)))


def mean_over(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean `(batch, width)` of the vectors `(batch, length, width)` of unmasked words."""
    weight = mask[:, :, None].to(hidden.dtype)
    return (hidden * weight).sum(1) / weight.sum(1)


def _embedding(n_words: int, width: int) -> nn.Embedding:
    """Word vectors with a small start, as the vector of a rare word changes little in training."""
    embedding = nn.Embedding(n_words, width, padding_idx=0)
    with torch.no_grad():
        embedding.weight.normal_(std=0.1)[0].zero_()
    return embedding


def text_cnn(n_words: int, n_classes: int = 2) -> TextCNN:
    """Convolutional network, 0.5 M parameters with 7,000 words.

    Source: Kim, "Convolutional neural networks for sentence classification", EMNLP 2014.
    """
    return TextCNN(n_words, n_classes, width=64, n_filters=64)


def bigru(n_words: int, n_classes: int = 2) -> BiGRU:
    """Recurrent network, 0.5 M parameters with 7,000 words.

    Source: Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014.
    """
    return BiGRU(n_words, n_classes, width=64, hidden=64)


def transformer2(n_words: int, n_classes: int = 2, *, length: int = 48) -> TextTransformer:
    """Transformer of two layers for rows of up to `length` words; 0.5 M parameters, 7,000 words."""
    return TextTransformer(n_words, n_classes, length=length, width=64, n_layers=2)


def tfidf(name: str = "text") -> Pipeline:
    """The baseline: logistic regression on TF-IDF of words and pairs of words, not yet fitted."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline

    return Pipeline(
        [("columns", word_weights(name)), ("model", LogisticRegression(C=10.0, max_iter=500))]
    )


def word_weights(column: str | None) -> TfidfVectorizer | ColumnTransformer:
    """TF-IDF of words and pairs of words of a column; None for texts that are the only array."""
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import TfidfVectorizer

    # ONNX has this pattern; it has neither scikit-learn's default pattern nor sublinear counts.
    words = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"[a-zA-Z0-9_][a-zA-Z0-9_]+")
    if column is None:
        return words
    return ColumnTransformer([("words", words, column)], sparse_threshold=1.0)
