"""Losses of distillation, against values computed by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from workbench.techniques.distillation.losses import feature_loss, relational
from workbench.training.losses import soft_loss


def test_soft_loss_is_zero_for_the_teachers_own_outputs():
    teacher = torch.randn(6, 1, 4, generator=torch.Generator().manual_seed(0))
    for kind in ("classification", "multilabel", "regression"):
        assert float(soft_loss(kind, teacher[:, 0], teacher, 3.0)) == pytest.approx(0, abs=1e-5)
        assert float(soft_loss(kind, teacher[:, 0] + torch.arange(4), teacher, 3.0)) > 0.1


def test_soft_loss_of_classes_is_the_divergence_times_the_temperature_squared():
    outputs, teacher = torch.tensor([[0.0, 0.0]]), torch.tensor([[[2 * math.log(3.0), 0.0]]])
    divergence = 4 * (0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5))
    assert float(soft_loss("classification", outputs, teacher, 2.0)) == pytest.approx(
        divergence, rel=1e-5
    )


def test_two_logits_of_a_binary_task_count_as_their_difference():
    teacher = torch.tensor([[[1.0]], [[-2.0]]])
    one, two = torch.tensor([0.5, 1.0]), torch.tensor([[1.0, 1.5], [0.0, 1.0]])
    assert float(soft_loss("binary", one, teacher, 2.0)) == pytest.approx(
        float(soft_loss("binary", two, teacher, 2.0))
    )


def test_relational_loss_does_not_change_with_scale_shift_or_order_of_columns():
    rows = torch.randn(8, 5, generator=torch.Generator().manual_seed(1))
    turned = 3 * rows[:, [4, 2, 0, 1, 3]] + 7
    assert float(relational(turned, rows)) == pytest.approx(0, abs=1e-4)
    assert float(relational(rows.flip(0), rows)) > 0.01


def test_hint_loss_of_the_teachers_mean_is_one():
    teacher = torch.randn(64, 3, 4, 4, generator=torch.Generator().manual_seed(2))
    assert float(
        feature_loss("hint", torch.full_like(teacher, float(teacher.mean())), teacher)
    ) == pytest.approx(1, rel=0.01)


def test_attention_loss_does_not_change_with_scale():
    a = F.normalize(torch.tensor([[1.0, 0.0], [3.0, 4.0]]), dim=1)
    assert float(feature_loss("attention", a, F.normalize(5 * a, dim=1))) == pytest.approx(
        0, abs=1e-6
    )
    assert float(feature_loss("attention", a[:1], a[:1].flip(1))) == pytest.approx(2)
