"""MiniLM with a classification head: a large pretrained teacher, and students for it.

Source: Wang et al., "MiniLM: deep self-attention distillation for task-agnostic compression of
pre-trained transformers", NeurIPS 2020. The weights are all-MiniLM-L6-v2 of sentence-transformers
(Apache-2.0), 22.6 M parameters. The network is defined here and not imported, so that it can be
read, exported, pruned and quantized like any other.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from workbench.data.tokens import PACKAGE, minilm_folder
from workbench.errors import CandidateError
from workbench.models.text import Encoder, TextCNN, mean_over
from workbench.system.files import checked_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MiniLM", "minilm", "thin_cnn", "thin_transformer"]

SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # of the weights
VECTOR_STD = 0.3  # standard deviation of the word vectors of a student
BERT_NAMES = {  # name of a part of a layer here: its name in the files of BERT
    "attention.query": "attention.self.query",
    "attention.key": "attention.self.key",
    "attention.value": "attention.self.value",
    "attention.output": "attention.output.dense",
    "norm1": "attention.output.LayerNorm",
    "inner": "intermediate.dense",
    "outer": "output.dense",
    "norm2": "output.LayerNorm",
}


class MiniLM(nn.Module):
    """An encoder, the mean over its words, dropout and a linear head.

    Takes `input_ids` and `attention_mask`, both int64 `(batch, length)`; returns logits
    `(batch, n_classes)`.
    """

    def __init__(
        self, encoder: Encoder, width: int, n_classes: int, *, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, n_classes)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        mask = attention_mask != 0
        return self.head(self.dropout(mean_over(self.encoder(input_ids, mask), mask)))


def minilm(source: str = PACKAGE, n_classes: int = 2) -> MiniLM:
    """The pretrained encoder with an untrained head.

    `source` is the package, a folder, or the hub id of a BERT. Raises MissingExtra without the
    extra `text`, CandidateError for weights of another hash or of another architecture.
    """
    from safetensors.torch import load

    folder = minilm_folder(source)
    weights = folder / "model.safetensors"
    if source == PACKAGE:
        way_out = "install the package again"
        content = checked_bytes(weights, SHA256, CandidateError, way_out=way_out)
    else:
        content = weights.read_bytes()
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    _check_config(source, config)
    encoder = Encoder(
        config["vocab_size"],
        width=config["hidden_size"],
        n_layers=config["num_hidden_layers"],
        n_heads=config["num_attention_heads"],
        hidden=config["intermediate_size"],
        longest=config["max_position_embeddings"],
        dropout=config["hidden_dropout_prob"],
        eps=config["layer_norm_eps"],
    )
    encoder.load_state_dict(_renamed(load(content), config["num_hidden_layers"]))
    return MiniLM(encoder, config["hidden_size"], n_classes)


def thin_transformer(
    source: str = PACKAGE,
    n_classes: int = 2,
    *,
    width: int = 64,
    n_layers: int = 2,
    length: int = 48,
) -> MiniLM:
    """A student for MiniLM with 2.0 M parameters, for rows of up to `length` word pieces.

    Nearly all of its parameters are word vectors. They start as the first `width` principal
    components of those of `source`, so that words which are not in train have vectors near to those
    of similar words (Raunak et al., "Effective Dimensionality Reduction for Word Embeddings",
    2019). The layers start untrained.
    """
    vectors = _word_vectors(source, width)
    encoder = Encoder(
        len(vectors), width=width, n_layers=n_layers, n_heads=4, hidden=2 * width, longest=length
    )
    encoder.words.load_state_dict({"weight": vectors})
    return MiniLM(encoder, width, n_classes, dropout=0.2)


def thin_cnn(
    source: str = PACKAGE, n_classes: int = 2, *, width: int = 64, n_filters: int = 320
) -> TextCNN:
    """A convolutional student for MiniLM with 2.1 M parameters.

    Its word vectors start like those of `thin_transformer`. Prepare its rows by
    `WordPieces(masked=False)`: it needs no mask, as the vector of padding stays zero.
    """
    vectors = _word_vectors(source, width)
    network = TextCNN(
        len(vectors), n_classes, width=width, n_filters=n_filters, dropout=0.4, word_dropout=0.1
    )
    network.embedding.load_state_dict({"weight": vectors})
    return network


def _word_vectors(source: str, width: int) -> torch.Tensor:
    """Vectors `(pieces, width)` of the word pieces of `source`; the one of padding is zero."""
    vectors = _principal_components(minilm(source).encoder.words.weight.detach(), width)
    vectors[0] = 0
    return vectors


def _principal_components(vectors: torch.Tensor, n: int) -> torch.Tensor:
    """The first `n` principal components `(rows, n)` of vectors `(rows, size)`, rescaled."""
    centred = vectors - vectors.mean(0)
    _, directions = torch.linalg.eigh(centred.T @ centred)  # ascending eigenvalues
    components = centred @ directions[:, -n:].flip(1)
    return components * (VECTOR_STD / components.std())


def _check_config(source: str, config: Mapping[str, Any]) -> None:
    bert = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}
    differences = [
        f"{name} is `{config[name]}`, not `{value}`"
        for name, value in bert.items()
        if config.get(name, value) != value
    ]
    if differences:
        raise CandidateError(
            f"`{source}` is not a BERT encoder ({'; '.join(differences)}): load it with your own "
            "code and give it as `model`."
        )


def _renamed(weights: Mapping[str, torch.Tensor], n_layers: int) -> dict[str, torch.Tensor]:
    """BERT's weights under the names of this module.

    The vector of BERT's first segment is added to every position, as all rows are of that segment.
    """
    bert = {name.removeprefix("bert."): weight for name, weight in weights.items()}
    positions = bert["embeddings.position_embeddings.weight"]
    segment = bert["embeddings.token_type_embeddings.weight"][0]
    renamed = {
        "words.weight": bert["embeddings.word_embeddings.weight"],
        "places.weight": positions + segment,
    }
    bert_names = {"norm": "embeddings.LayerNorm"}
    for i in range(n_layers):
        for name, bert_name in BERT_NAMES.items():
            bert_names[f"layers.{i}.{name}"] = f"encoder.layer.{i}.{bert_name}"
    for name, bert_name in bert_names.items():
        for kind in ("weight", "bias"):
            renamed[f"{name}.{kind}"] = bert[f"{bert_name}.{kind}"]
    return renamed
