"""Compact networks: parameters, multiply-adds and inputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from workbench.measure import macs_torch
from workbench.models.compact import convnet, dscnn, resnet8, slim_resnet


@pytest.mark.parametrize(
    ("build", "parameters", "macs"),
    [
        (convnet, 61_306, 3.69e6),
        (dscnn, 29_002, 1.55e6),
        (resnet8, 19_810, 2.36e6),
        (slim_resnet, 70_426, 10.27e6),
    ],
)
def test_parameters_and_macs_are_as_documented(build, parameters, macs):
    network = build().eval()
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert macs_torch(network, {"x": np.zeros((1, 1, 28, 28), np.float32)}) == pytest.approx(
        macs, rel=0.02
    )


@pytest.mark.parametrize("build", [convnet, dscnn, resnet8, slim_resnet])
@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (2, 3, 33, 21)])
def test_images_of_any_size_become_logits(build, shape):
    assert build(7, n_in=3)(torch.zeros(shape)).shape == (2, 7)


def test_first_layer_has_stride_2_and_every_norm_can_be_folded():
    for network in (convnet(), dscnn()):
        layers = list(network)
        assert layers[0].stride == (2, 2)
        convolutions = [i for i, layer in enumerate(layers) if isinstance(layer, nn.Conv2d)]
        assert all(
            layers[i].bias is None and isinstance(layers[i + 1], nn.BatchNorm2d)
            for i in convolutions
        )


def test_convnet_has_the_given_widths():
    widths = [
        m.out_channels
        for m in convnet(early=(8, 16), late=(24, 24, 32))
        if isinstance(m, nn.Conv2d)
    ]
    assert widths == [8, 16, 24, 24, 32]
