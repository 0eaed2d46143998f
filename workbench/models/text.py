"""Small networks for text and the TF-IDF baseline: word numbers `(batch, length)` in, logits
`(batch, classes)` out.

Number 0 fills a row up. Nothing here depends on the length of a row or on fixed widths, so that all
of it can be exported with a free length, pruned and quantized.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F

if TYPE_CHECKING:
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
]

WIDTHS = (2, 3, 4)  # words that a filter of the convolutional network sees


class TextCNN(nn.Module):
    """Filters of several widths over word vectors, the maximum of each over the sentence, and a
    linear head.
    """

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
        self.word_dropout = nn.Dropout1d(
            word_dropout
        )  # of whole words: `(batch, length, width)` is channels of numbers to it
        self.convolutions = nn.ModuleList(
            nn.Conv1d(width, n_filters, k, padding=k // 2) for k in WIDTHS
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(len(WIDTHS) * n_filters, n_classes)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        words = self.word_dropout(self.embedding(tokens)).transpose(1, 2)
        found = [F.relu(convolution(words)).amax(2) for convolution in self.convolutions]
        return self.head(self.dropout(torch.cat(found, 1)))


class BiGRU(nn.Module):
    """A gated recurrent network that reads both ways; the maximum over the words, and a linear
    head.

    The way back begins at the end of the row, so it reads the filling first: rows are all filled up
    to one length.
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
        best = states.masked_fill((tokens == 0)[:, :, None], -1.0).amax(
            1
        )  # -1 is the least that a state can be
        return self.head(self.dropout(best))


class SelfAttention(nn.Module):
    """Attention of each word to all words that are there, in `n_heads` heads."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.output = nn.Linear(width, width)

    def forward(self, x: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        q, k, v = (
            part(x).unflatten(2, (self.n_heads, -1)).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        return self.output(
            F.scaled_dot_product_attention(q, k, v, attn_mask=there).transpose(1, 2).flatten(2)
        )


class EncoderLayer(nn.Module):
    """Attention and two linear layers, each with its skip and its norm behind it, as in BERT."""

    def __init__(self, width: int, n_heads: int, hidden: int, dropout: float, eps: float) -> None:
        super().__init__()
        self.attention = SelfAttention(width, n_heads)
        self.norm1 = nn.LayerNorm(width, eps=eps)
        self.inner, self.outer = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.norm2 = nn.LayerNorm(width, eps=eps)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        x = self.norm1(x + self.dropout(self.attention(x, there)))
        return self.norm2(x + self.dropout(self.outer(F.gelu(self.inner(x)))))


class Encoder(nn.Module):
    """Words and their places to vectors `(batch, length, width)` through `n_layers` layers (Devlin
    et al., "BERT", 2019).
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

    def forward(self, tokens: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        """`there` is true `(batch, length)` where a word is, false where a row is filled up."""
        x = self.words(tokens) + self.places(torch.arange(tokens.shape[1], device=tokens.device))
        x, seen = self.dropout(self.norm(x)), there[:, None, None, :]
        for layer in self.layers:
            x = layer(x, seen)
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
        there = tokens != 0
        return self.head(self.dropout(mean_over(self.encoder(tokens, there), there)))


def mean_over(hidden: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
    """The mean `(batch, width)` of the vectors `(batch, length, width)` of words that are there
    `(batch, length)`.
    """
    weight = there[:, :, None].to(hidden.dtype)
    return (hidden * weight).sum(1) / weight.sum(1)


def _embedding(n_words: int, width: int) -> nn.Embedding:
    """Word vectors; small, as a word that is seen three times hardly moves from where it began."""
    made = nn.Embedding(n_words, width, padding_idx=0)
    with torch.no_grad():
        made.weight.normal_(std=0.1)[0].zero_()
    return made


def text_cnn(n_words: int, n_classes: int = 2) -> TextCNN:
    """0.5 M parameters with 7,000 words (Kim, "Convolutional neural networks for sentence
    classification", EMNLP 2014).
    """
    return TextCNN(n_words, n_classes, width=64, n_filters=64)


def bigru(n_words: int, n_classes: int = 2) -> BiGRU:
    """0.5 M parameters with 7,000 words (Cho et al., "Learning phrase representations using RNN
    encoder-decoder", 2014).
    """
    return BiGRU(n_words, n_classes, width=64, hidden=64)


def transformer2(n_words: int, n_classes: int = 2, *, length: int = 48) -> TextTransformer:
    """Two layers, 0.5 M parameters with 7,000 words; rows of up to `length` words."""
    return TextTransformer(n_words, n_classes, length=length, width=64, n_layers=2)


def tfidf(name: str = "text") -> Pipeline:
    """The baseline to beat: weights of words and pairs of words, and logistic regression on them,
    unfitted.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline

    # A pattern that ONNX Runtime reads in the same way; scikit-learn's own has no form there, nor
    # its sublinear counts.
    words = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"[a-zA-Z0-9_][a-zA-Z0-9_]+")
    columns = ColumnTransformer([("words", words, name)], sparse_threshold=1.0)
    return Pipeline([("columns", columns), ("model", LogisticRegression(C=10.0, max_iter=500))])
