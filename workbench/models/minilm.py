"""MiniLM with a head of its own: the large pretrained network that small ones learn from.

Wang et al., "MiniLM: deep self-attention distillation for task-agnostic compression of pre-trained
transformers", NeurIPS 2020; the weights are all-MiniLM-L6-v2 of sentence-transformers (Apache-2.0),
22.6 M parameters. The network is written out here, so that it can be followed, exported, pruned and
quantized like any other.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from workbench.data.tokens import PACKAGE, minilm_folder
from workbench.errors import CandidateError
from workbench.models.text import Encoder, TextCNN, mean_over

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MiniLM", "minilm", "thin_cnn", "thin_transformer"]

SHA256 = (
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # of the package's weights
)
SPREAD = 0.3  # of the vectors of a thin student; a norm follows them
PARTS = {  # a layer's parts here: their names in BERT's files
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
    """An encoder, the mean over its words, dropout and a linear head; int64 `(batch, length)` twice
    to logits.
    """

    def __init__(
        self, encoder: Encoder, width: int, n_classes: int, *, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.encoder, self.dropout, self.head = (
            encoder,
            nn.Dropout(dropout),
            nn.Linear(width, n_classes),
        )

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        there = attention_mask != 0
        return self.head(self.dropout(mean_over(self.encoder(input_ids, there), there)))


def minilm(source: str = PACKAGE, n_classes: int = 2) -> MiniLM:
    """The pretrained encoder with an untrained head; `source` is the package, a folder, or a hub id
    of a BERT.

    Raises MissingExtra without the extra `text`, CandidateError for weights that are not the known
    ones or not a BERT's.
    """
    from safetensors.torch import load

    folder = minilm_folder(source)
    content = (folder / "model.safetensors").read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if source == PACKAGE and found != SHA256:
        raise CandidateError(
            f"The weights in {folder} have the hash {found[:12]}, not {SHA256[:12]}: install it "
            "again."
        )
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    _check(source, config)
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
    """A student for MiniLM: 2.0 M parameters, nearly all of them vectors of word pieces; rows of up
    to `length` pieces.

    It knows what words mean before it has seen one: its vectors start as the first `width`
    principal components of those of `source` (Raunak et al., "Effective Dimensionality Reduction
    for Word Embeddings", 2019), so that a word which is not in train lies beside those that are.
    The layers start untrained.
    """
    words = _words(source, width)
    encoder = Encoder(
        len(words), width=width, n_layers=n_layers, n_heads=4, hidden=2 * width, longest=length
    )
    encoder.words.load_state_dict({"weight": words})
    return MiniLM(encoder, width, n_classes, dropout=0.2)


def thin_cnn(
    source: str = PACKAGE, n_classes: int = 2, *, width: int = 64, n_filters: int = 320
) -> TextCNN:
    """A student for MiniLM that reads word by word: filters over vectors that start as those of
    `thin_transformer` do, 2.1 M parameters; prepared by `WordPieces(masked=False)`, as its vector
    of what fills a row up stays zero.
    """
    words = _words(source, width)
    network = TextCNN(
        len(words), n_classes, width=width, n_filters=n_filters, dropout=0.4, word_dropout=0.1
    )
    network.embedding.load_state_dict({"weight": words})
    return network


def _words(source: str, width: int) -> torch.Tensor:
    """Vectors `(pieces, width)` of the word pieces of `source`, those of what fills a row up zero."""
    found = _components(minilm(source).encoder.words.weight.detach(), width)
    found[0] = 0
    return found


def _components(vectors: torch.Tensor, n: int) -> torch.Tensor:
    """Vectors `(rows, size)` along the `n` directions in which they differ most, `(rows, n)`, of a
    common scale.
    """
    centred = vectors - vectors.mean(0)
    _, directions = torch.linalg.eigh(centred.T @ centred)  # the largest last
    found = centred @ directions[:, -n:].flip(1)
    return found * (SPREAD / found.std())


def _check(source: str, config: Mapping[str, Any]) -> None:
    wanted = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}
    wrong = [f"{k} is `{v}`, not `{w}`" for k, w in wanted.items() if (v := config.get(k, w)) != w]
    if wrong:
        raise CandidateError(
            f"`{source}` is not a BERT encoder ({'; '.join(wrong)}): load it yourself and give it "
            "as `model`."
        )


def _renamed(weights: Mapping[str, torch.Tensor], n_layers: int) -> dict[str, torch.Tensor]:
    """BERT's weights under the names used here; all rows are of its first segment, whose vector is
    added to each place.
    """
    bert = {name.removeprefix("bert."): weight for name, weight in weights.items()}
    made = {
        "words.weight": bert["embeddings.word_embeddings.weight"],
        "places.weight": bert["embeddings.position_embeddings.weight"]
        + bert["embeddings.token_type_embeddings.weight"][0],
    }
    sources = {"norm": "embeddings.LayerNorm"}
    for i in range(n_layers):
        sources |= {
            f"layers.{i}.{mine}": f"encoder.layer.{i}.{theirs}" for mine, theirs in PARTS.items()
        }
    return made | {
        f"{m}.{kind}": bert[f"{t}.{kind}"]
        for m, t in sources.items()
        for kind in ("weight", "bias")
    }
