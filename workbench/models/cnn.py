"""A plain convolutional network of about 100k parameters, for small images."""

from __future__ import annotations

from torch import nn

__all__ = ["cnn"]


def cnn(n_classes: int = 10, *, width: int = 32) -> nn.Sequential:
    """Four 3x3 convolutions with batch norm and average pooling.

    Takes `(batch, 1, height, width)`, returns logits `(batch, n_classes)`.
    """

    def conv(n_in: int, n_out: int, stride: int = 1) -> list[nn.Module]:
        return [
            nn.Conv2d(n_in, n_out, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(),
        ]

    return nn.Sequential(
        *conv(1, width),
        *conv(width, 2 * width, stride=2),
        *conv(2 * width, 2 * width),
        *conv(2 * width, 2 * width, stride=2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2 * width, n_classes),
    )
