"""Small networks with attention: those of transformers, made from a config, and own ones."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

IDS = {
    "input_ids": torch.randint(5, 100, (2, 8), generator=torch.Generator().manual_seed(0)),
    "attention_mask": torch.tensor([[1] * 8, [1] * 5 + [0] * 3]),
}
PIXELS = {"pixel_values": torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))}
STEPS = {"x": torch.rand(2, 6, 32, generator=torch.Generator().manual_seed(0))}

COMMON = {"num_labels": 3, "vocab_size": 100, "max_position_embeddings": 16}
WIDTHS = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
}


def bert(**options):
    from transformers import BertConfig, BertForSequenceClassification

    return BertForSequenceClassification(BertConfig(**COMMON, **WIDTHS, **options))


def roberta(**options):
    from transformers import RobertaConfig, RobertaForSequenceClassification

    return RobertaForSequenceClassification(RobertaConfig(**COMMON, **WIDTHS, **options))


def distilbert(**options):
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    widths = {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}
    return DistilBertForSequenceClassification(DistilBertConfig(**COMMON, **widths, **options))


def vit(**options):
    from transformers import ViTConfig, ViTForImageClassification

    image = {"image_size": 8, "patch_size": 4, "num_labels": 3}
    return ViTForImageClassification(ViTConfig(**image, **WIDTHS, **options))


def gpt2():
    from transformers import GPT2Config, GPT2ForSequenceClassification

    widths = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 16}
    tokens = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    return GPT2ForSequenceClassification(
        GPT2Config(vocab_size=100, num_labels=3, **tokens, **widths)
    )


class Separate(nn.Module):
    """Own attention with three projections; `view` with the number of heads, or of one head."""

    def __init__(self, reads_number=True):
        super().__init__()
        self.h, self.d_k, self.reads_number = 4, 8, reads_number
        self.q, self.k, self.v, self.out = (nn.Linear(32, 32) for _ in range(4))

    def forward(self, x):
        b, n, _ = x.shape
        n_heads = self.h if self.reads_number else -1
        q, k, v = (p(x).view(b, n, n_heads, self.d_k).transpose(1, 2) for p in self.parts())
        weights = (q @ k.transpose(-2, -1) / self.d_k**0.5).softmax(-1)
        return self.out((weights @ v).transpose(1, 2).reshape(b, n, -1))

    def parts(self):
        return self.q, self.k, self.v


class Fused(nn.Module):
    """Own attention with one projection, whose channels are ordered by part or by head."""

    def __init__(self, by_head=False):
        super().__init__()
        self.num_heads, self.head_dim, self.by_head = 4, 8, by_head
        self.qkv, self.proj = nn.Linear(32, 96), nn.Linear(32, 32)

    def forward(self, x):
        b, n, _ = x.shape
        if self.by_head:
            parts = self.qkv(x).reshape(b, n, self.num_heads, 3, self.head_dim)
            q, k, v = parts.permute(3, 0, 2, 1, 4).unbind(0)
        else:
            parts = self.qkv(x).reshape(b, n, 3, self.num_heads, self.head_dim)
            q, k, v = parts.permute(2, 0, 3, 1, 4).unbind(0)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class SharedKeys(nn.Module):
    """Own attention in which two heads share a key and a value (grouped queries)."""

    def __init__(self):
        super().__init__()
        self.num_heads, self.num_kv_heads, self.head_dim = 4, 2, 8
        self.q, self.out = nn.Linear(32, 32), nn.Linear(32, 32)
        self.k, self.v = nn.Linear(32, 16), nn.Linear(32, 16)

    def forward(self, x):
        q = self.q(x).unflatten(-1, (self.num_heads, self.head_dim)).transpose(1, 2)
        k, v = (
            part(x)
            .unflatten(-1, (self.num_kv_heads, self.head_dim))
            .transpose(1, 2)
            .repeat_interleave(2, dim=1)
            for part in (self.k, self.v)
        )
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class WidthOfInput(nn.Module):
    """Own attention whose inner width is read from the input: heads cannot be removed alone."""

    def __init__(self):
        super().__init__()
        self.num_heads = 4
        self.qkv, self.proj = nn.Linear(32, 96), nn.Linear(32, 32)

    def forward(self, x):
        b, n, c = x.shape
        parts = self.qkv(x).reshape(b, n, 3, self.num_heads, c // self.num_heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4).unbind(0)
        attended = F.scaled_dot_product_attention(q, k, v)
        return self.proj(attended.transpose(1, 2).reshape(b, n, c))


class HeadsFromWidth(nn.Module):
    """Own attention that computes with any width, but with other heads: the model's width stays."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v, self.out = (nn.Linear(32, 32) for _ in range(4))

    def forward(self, x):
        b, n, c = x.shape
        q, k, v = (p(x).view(b, n, -1, c // 4).transpose(1, 2) for p in (self.q, self.k, self.v))
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self, attention):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(32), nn.LayerNorm(32)
        self.attention = attention
        self.up, self.down = nn.Linear(32, 64), nn.Linear(64, 32)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Own(nn.Module):
    """Two blocks with an own attention; gives logits, or a tuple of logits and states."""

    def __init__(self, make, gives_tuple=False):
        super().__init__()
        self.inp, self.head, self.gives_tuple = nn.Linear(32, 32), nn.Linear(32, 3), gives_tuple
        self.blocks = nn.ModuleList([Block(make()), Block(make())])

    def forward(self, x):
        x = self.inp(x)
        for block in self.blocks:
            x = block(x)
        logits = self.head(x.mean(1))
        return (logits, x) if self.gives_tuple else logits


class Encoder(nn.Module):
    """Layers of PyTorch, whose heads have the width of the model together."""

    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(32, 3)

    def forward(self, x):
        return self.head(self.encoder(x).mean(1))


WHOLE_HEADS = {
    "bert": (bert, IDS),
    "bert eager, tuple": (lambda: bert(attn_implementation="eager", return_dict=False), IDS),
    "roberta": (roberta, IDS),
    "distilbert": (distilbert, IDS),
    "distilbert eager": (lambda: distilbert(attn_implementation="eager"), IDS),
    "vit": (vit, PIXELS),
    "vit eager": (lambda: vit(attn_implementation="eager"), PIXELS),
    "separate": (lambda: Own(Separate, gives_tuple=True), STEPS),
    "separate, size of a head": (lambda: Own(lambda: Separate(reads_number=False)), STEPS),
    "fused by part": (lambda: Own(Fused), STEPS),
    "fused by head": (lambda: Own(lambda: Fused(by_head=True)), STEPS),
    "shared keys": (lambda: Own(SharedKeys), STEPS),
}
LEFT_WHOLE = {
    "width of the input": (lambda: Own(WidthOfInput), STEPS),
    "layers of torch": (Encoder, STEPS),
}
