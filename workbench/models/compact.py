"""Compact networks for small images: students of a larger teacher, shaped by what they cost when
they run.

Each operator costs a fixed 2 to 3 microseconds in ONNX Runtime, so few, plain layers win at batch
1; channels in multiples of 16 fill int8 kernels; and a first layer of stride 2 quarters the work of
all that follow. A plain convolution in int8 was measured faster than the depthwise-separable form
that needs a quarter of its multiply-adds: that one is best left in float.
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

    `early` are the widths at half the height and width, the first of them the stem of `stem` x
    `stem` pixels, `late` those at a quarter. As it is: 61k parameters, 3.7 M multiply-adds on
    28x28.
    """
    widths = [*early, *late]
    strides = [2] + [1] * (len(early) - 1) + [2] + [1] * (len(late) - 1)
    layers, before = [], n_in
    for index, (width, stride) in enumerate(zip(widths, strides, strict=True)):
        layers += _conv(before, width, 3 if index else stem, stride)
        before = width
    return nn.Sequential(*layers, *_head(before, n_classes))


def dscnn(n_classes: int = 10, *, n_in: int = 1, width: int = 24) -> nn.Sequential:
    """Depthwise-separable convolutions (Howard et al., "MobileNets", 2017); `(batch, n_in, height,
    width)` to logits.

    Stride 2 in the stem, no squeeze-and-excitation, batch norm that folds. As it is: 29k
    parameters, 1.6 M multiply-adds on 28x28.
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
    """The ResNet-20 with one block a stage, and half its width: 20k parameters, 2.4 M multiply-adds
    on 28x28.
    """
    return ResNet(n_in=n_in, n_classes=n_classes, n_blocks=1, width=width)


def slim_resnet(
    n_classes: int = 10, *, n_in: int = 1, widths: Sequence[int] = (16, 32, 48), last: int = 64
) -> nn.Sequential:
    """One residual block at the full and at half the height and width, plain convolutions of stride
    2 between them.

    Slower than `convnet`, and more accurate, as its first layers see the whole image. Skips stay
    identities, which cost nothing once an engine has fused them. As it is: 70k parameters, 10.3 M
    multiply-adds on 28x28.
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
