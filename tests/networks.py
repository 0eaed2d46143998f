"""Networks that tests keep, load and change: one for each way in which people write them."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
import torch_pruning as tp
from torch import nn
from torch.nn import functional as F

from workbench.models.cnn import cnn
from workbench.models.resnet import resnet20
from workbench.models.table import table_net

Make = Callable[[], nn.Module]
Inputs = dict[str, torch.Tensor]


class Inverted(nn.Module):
    """Depthwise, squeeze-excite, residual add; shaped like torchvision's InvertedResidual."""

    def __init__(self, n: int = 8) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, n, 3, padding=1)
        self.block = nn.Sequential(
            nn.Conv2d(n, 4 * n, 1, bias=False),
            nn.BatchNorm2d(4 * n),
            nn.ReLU6(inplace=True),
            nn.Conv2d(4 * n, 4 * n, 3, padding=1, groups=4 * n),
            nn.Hardswish(),
        )
        self.squeeze, self.excite = nn.Conv2d(4 * n, n, 1), nn.Conv2d(n, 4 * n, 1)
        self.project, self.head = nn.Conv2d(4 * n, n, 1), nn.Linear(n, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        y = self.block(x)
        y = y * torch.sigmoid(
            self.excite(F.relu(self.squeeze(F.adaptive_avg_pool2d(y, 1)), inplace=True))
        )
        y = x + self.project(y)
        y = F.max_pool2d(F.interpolate(y, scale_factor=2, mode="nearest"), 2)
        return self.head(y.mean([2, 3]))


class Dense(nn.Module):
    """DenseNet-style: each layer sees all before it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.layers = nn.ModuleList([nn.Conv2d(4 + 4 * i, 4, 3, padding=1) for i in range(3)])
        self.norm, self.head = nn.BatchNorm2d(16), nn.Linear(16 * 64, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen = [self.stem(x)]
        for layer in self.layers:
            seen.append(torch.relu(layer(torch.cat(seen, 1))))
        x = self.norm(torch.cat(seen, dim=1))
        return self.head(x.view(x.size(0), -1))


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.Module], **options: Any) -> None:
        super().__init__()
        self.rnn = kind(
            4, 6, num_layers=2, batch_first=True, bidirectional=True, dropout=0.1, **options
        )
        self.head = nn.Linear(12, 3)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        zero = torch.zeros(4, len(x), 6, dtype=x.dtype, device=x.device)
        out, _ = self.rnn(x, (zero, zero) if isinstance(self.rnn, nn.LSTM) else zero)
        last = out[:, -1]
        return self.head(F.dropout(last, 0.5, training=self.training)), last


class Encoder(nn.Module):
    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.embed, self.place = nn.Embedding(50, 16, padding_idx=0), nn.Embedding(20, 16)
        layer = nn.TransformerEncoderLayer(
            16, 4, width, dropout=0.1, activation="gelu", batch_first=True
        )
        self.encoder, self.head = nn.TransformerEncoder(layer, 2), nn.Linear(16, 3)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embed(tokens) + self.place(torch.arange(tokens.shape[1], device=tokens.device))
        return self.head(self.encoder(x, src_key_padding_mask=tokens == 0)[:, 0])


class Attention(nn.Module):
    """A small vision transformer written out: cls token, position, qkv split, scaled dot product,
    layer scale.
    """

    def __init__(self, width: int = 16, n_heads: int = 2) -> None:
        super().__init__()
        self.n_heads, self.drop = n_heads, 0.2
        self.patch = nn.Conv2d(1, width, 4, 4)
        self.cls, self.scale = (
            nn.Parameter(torch.randn(1, 1, width)),
            nn.Parameter(torch.full((width,), 0.5)),
        )
        self.register_buffer("place", torch.randn(1, 5, width), persistent=False)
        self.norm, self.qkv, self.head = (
            nn.LayerNorm(width),
            nn.Linear(width, 3 * width, bias=False),
            nn.Linear(width, 3),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        b, n, c = x.shape
        assert x.dim() == 3
        assert n in (4, 5)
        x = torch.cat([self.cls.expand(b, -1, -1), x], 1) + self.place[:, : n + 1]
        qkv = (
            self.qkv(self.norm(x))
            .reshape(*x.shape[:2], 3, self.n_heads, c // self.n_heads)
            .permute(2, 0, 3, 1, 4)
        )
        q, k, v = qkv.unbind(0)
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=self.drop if self.training else 0.0)
        return self.head((x + self.scale * y.transpose(1, 2).flatten(2))[:, 0])


class Tied(nn.Module):
    """Output weights are the embedding's; one convolution is used at two places; a layer is never
    called.
    """

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.out = nn.Embedding(11, 8), nn.Linear(8, 11)
        self.out.weight = self.embed.weight
        self.mix = nn.Linear(8, 8)
        self.again, self.unused = self.mix, nn.Linear(2, 2)
        self.mix.bias.requires_grad_(False)

    def forward(self, tokens: torch.Tensor) -> SimpleNamespace:
        hidden = self.again(torch.tanh(self.mix(self.embed(tokens)))).mean(1)
        return SimpleNamespace(logits=self.out(hidden), hidden=hidden, loss=None)


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(4, 5), nn.LazyLinear(5)
        self.shift = torch.tensor([0.5, 1.0, 2.0, 4.0, 8.0])

    def forward(
        self, image: torch.Tensor, table: torch.Tensor, bias: float = 0.25
    ) -> dict[str, torch.Tensor]:
        found = self.left(image) * self.shift + bias
        return {
            "logits": found - 2 * self.right(table),
            "found": found.masked_fill(found > 0, float("-inf")),
        }


class Cosine(nn.Conv2d):
    """A layer of the user's own, made from one of torch.nn."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(
            x,
            F.normalize(self.weight, dim=1),
            self.bias,
            self.stride,
            self.padding,
            groups=self.groups,
        )


class Custom(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.conv, self.deep = (
            Cosine(1, width, 3, padding="same"),
            Cosine(width, width, 3, groups=width),
        )
        self.head = nn.Linear(width, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.deep(self.conv(x)).amax((2, 3)))


class Decides(nn.Module):
    """Goes one way or the other by the values of a row: no recorded graph can do that."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.first, self.body = (
            nn.Linear(4, width),
            nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.BatchNorm1d(width)),
        )
        self.gain, self.head = nn.Parameter(torch.ones(width)), nn.Linear(width, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.body(self.first(x)) * self.gain
        return self.head(x if x.mean() > 0 else -x)


class Unpacked(nn.Module):
    """Cannot be followed for another reason than deciding: an operator that is not on the list."""

    def __init__(self) -> None:
        super().__init__()
        self.deep = nn.Sequential(nn.Linear(4, 4), _Unique())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.deep(x)


class _Unique(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.qr(x)[0]


class BakesBatch(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * int(x.shape[0])


class Unlike(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * x.max().item()


IMAGE = {"image": torch.rand(2, 1, 8, 8)}
TOKENS = {"tokens": torch.tensor([[1, 2, 3, 4, 0], [7, 5, 0, 0, 0]])}
STEPS = {"steps": torch.rand(2, 7, 4)}
BOTH = {"image": torch.rand(2, 4), "table": torch.rand(2, 6)}
ROW = {"x": torch.rand(3, 4)}


def two_inputs() -> nn.Module:
    net = TwoInputs()
    net(**BOTH)  # settles the lazy layer
    return net


def pruned(make: Make, inputs: Inputs = IMAGE, head: str = "head", ratio: float = 0.5) -> Make:
    """A builder of the same network with half of its channels cut by Torch-Pruning."""

    def made() -> nn.Module:
        net = make().eval()
        kept = net.get_submodule(head) if hasattr(net, head) else list(net.modules())[-1]
        pruner = tp.pruner.MagnitudePruner(
            net,
            tuple(inputs.values()),
            tp.importance.MagnitudeImportance(),
            pruning_ratio=ratio,
            ignored_layers=[kept],
        )
        pruner.step()
        return net

    return made


NETWORKS: dict[str, tuple[Make, Inputs]] = {
    "resnet20": (resnet20, IMAGE),
    "resnet20 pruned": (pruned(resnet20), IMAGE),
    "cnn": (cnn, IMAGE),
    "cnn pruned": (pruned(cnn), IMAGE),
    "table_net": (lambda: table_net(4, 2), ROW),
    "table_net pruned": (pruned(lambda: table_net(4, 2), ROW), ROW),
    "inverted residual": (Inverted, IMAGE),
    "inverted residual pruned": (pruned(Inverted), IMAGE),
    "dense": (Dense, IMAGE),
    "dense pruned": (pruned(Dense), IMAGE),
    "lstm": (lambda: Recurrent(nn.LSTM, proj_size=0), STEPS),
    "gru": (lambda: Recurrent(nn.GRU), STEPS),
    "rnn": (lambda: Recurrent(nn.RNN, nonlinearity="relu"), STEPS),
    "transformer encoder": (Encoder, TOKENS),
    "attention": (Attention, IMAGE),
    "attention pruned": (lambda: Attention(width=12, n_heads=3), IMAGE),
    "tied": (Tied, TOKENS),
    "two inputs": (two_inputs, BOTH),
    "own layer": (Custom, IMAGE),
    "own layer pruned": (lambda: Custom(width=4), IMAGE),
    "linear alone": (lambda: nn.Linear(4, 2), ROW),
}
