"""Compact networks for small images, designed for low latency, as students of a larger teacher.

Each operator has a fixed cost of 2 to 3 microseconds in ONNX Runtime, so networks of few plain
layers are fastest at batch 1. Int8 kernels work on blocks of 16 channels. A first layer of stride 2
divides the work of all later layers by four. A plain convolution in int8 was measured faster than
the depthwise-separable form, which has a quarter of its multiply-adds: keep that form in float.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from workbench.models.resnet import Block, ResNet

__all__ = ["convnet", "dscnn", "resnet8", "slim_resnet"]


def convnet(
    n_classes: int = 10,
    *,
    n_in: int = 1,
    early: Sequence[int] = (16, 32),
    late: Sequence[int] = (64, 64),
    stem: int = 5,
) -> nn.Sequential:
    """Plain convolutions with batch norm; `(batch, n_in, height, width)` to logits.

    `early` are the numbers of channels at half the height and width, `late` those at a quarter. The
    first convolution has a kernel of `stem` x `stem` pixels, the others of 3x3. With the defaults
    it has 61k parameters and 3.7 M multiply-adds on 28x28.
    """
    widths = [*early, *late]
    strides = [2] + [1] * (len(early) - 1) + [2] + [1] * (len(late) - 1)
    layers, before = [], n_in
    for index, (width, stride) in enumerate(zip(widths, strides, strict=True)):
        layers += _conv(before, width, 3 if index else stem, stride)
        before = width
    return nn.Sequential(*layers, *_head(before, n_classes))


def dscnn(n_classes: int = 10, *, n_in: int = 1, width: int = 24) -> nn.Sequential:
    """Depthwise-separable convolutions; `(batch, n_in, height, width)` to logits.

    The first convolution has stride 2, every batch norm can be folded into a convolution, and there
    is no squeeze-and-excitation. With the defaults it has 29k parameters and 1.6 M multiply-adds on
    28x28. Source: Howard et al., "MobileNets", 2017.
    """
    return nn.Sequential(
        *_conv(n_in, width, 3, 2),
        *_separable(width, 2 * width, 1),
        *_separable(2 * width, 4 * width, 2),
        *_separable(4 * width, 4 * width, 1),
        *_separable(4 * width, 4 * width, 1),
        *_head(4 * width, n_classes),
    )


def resnet8(n_classes: int = 10, *, n_in: int = 1, width: int = 8) -> ResNet:
    """The ResNet-20 with one block a stage and half its channels.

    With the defaults it has 20k parameters and 2.4 M multiply-adds on 28x28.
    """
    return ResNet(n_in=n_in, n_classes=n_classes, n_blocks=1, width=width)


def slim_resnet(
    n_classes: int = 10, *, n_in: int = 1, widths: Sequence[int] = (16, 32, 48), last: int = 64
) -> nn.Sequential:
    """Residual blocks at full and at half resolution, joined by plain convolutions of stride 2.

    More accurate and slower than `convnet`, as its first layers work at full resolution. Skip
    connections are identities, which cost nothing after operator fusion. With the defaults it has
    70k parameters and 10.3 M multiply-adds on 28x28.
    """
    first, second, third = widths
    return nn.Sequential(
        *_conv(n_in, first, 3),
        Block(first, first, 1),
        *_conv(first, second, 3, 2),
        Block(second, second, 1),
        *_conv(second, third, 3, 2),
        *_conv(third, last, 3),
        *_head(last, n_classes),
    )


def _conv(n_in: int, n_out: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(n_in, n_out, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(n_out), nn.ReLU()]


def _separable(n_in: int, n_out: int, stride: int) -> list[nn.Module]:
    return [*_conv(n_in, n_in, 3, stride, groups=n_in), *_conv(n_in, n_out, 1)]


def _head(n_in: int, n_classes: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(n_in, n_classes)]
