"""ResNet-20 for small images, in the form for CIFAR.

Source: He et al., "Deep Residual Learning for Image Recognition", 2015.
"""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["ResNet", "resnet20"]


class Block(nn.Module):
    """Two 3x3 convolutions and a skip connection, a 1x1 convolution if the shape changes."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.relu = nn.ReLU()
        changes = stride != 1 or n_in != n_out
        self.skip = (
            nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out))
            if changes
            else nn.Identity()
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(out)) + self.skip(x))


class ResNet(nn.Module):
    """Three stages of `n_blocks` blocks; `(batch, n_in, height, width)` to logits.

    The first stage has `width` channels, each later one twice as many as the one before.
    """

    def __init__(
        self, *, n_in: int = 1, n_classes: int = 10, n_blocks: int = 3, width: int = 16
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(n_in, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        widths = [width, 2 * width, 4 * width]
        blocks, before = [], width
        for stage, n_out in enumerate(widths):
            for index in range(n_blocks):
                blocks.append(Block(before, n_out, stride=2 if stage and not index else 1))
                before = n_out
        self.blocks = nn.Sequential(*blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(before, n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.flatten(self.pool(self.blocks(self.stem(x))), 1))


def resnet20(n_classes: int = 10) -> ResNet:
    """ResNet-20: 0.27 M parameters, 31 M multiply-adds on 28x28."""
    return ResNet(n_classes=n_classes)
