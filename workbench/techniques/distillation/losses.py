"""Losses between a layer of the student and a layer of the teacher, one for each method.

Sources: Romero et al., "FitNets", ICLR 2015 (hints); Zagoruyko, Komodakis, "Paying More Attention
to Attention", ICLR 2017; Park et al., "Relational Knowledge Distillation", CVPR 2019. The loss
between outputs is `workbench.training.losses.soft_loss`.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

__all__ = ["feature_loss", "relational"]

ANGLE_WEIGHT = 2.0  # weight of angles against distances, as in Park et al.
MAX_ANGLE_ROWS = 40  # rows of a batch compared by angle, whose cost grows with the cube of the rows


def feature_loss(method: str, student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Loss between reduced features `(batch, ...)`; hints take the projected one of the student."""
    if method == "hint":
        # divided by the teacher's variance, so that one weight serves all layers
        return F.mse_loss(student, teacher) / teacher.var().clamp_min(1e-6)
    if method == "attention":
        return (student - teacher).square().sum(1).mean()
    return relational(student, teacher)


def relational(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Loss between the distances and angles of the rows of two embeddings `(batch, size)`.

    The sizes of the two may differ.
    """
    distances = F.smooth_l1_loss(_distances(student), _distances(teacher))
    angles = F.smooth_l1_loss(_angles(student[:MAX_ANGLE_ROWS]), _angles(teacher[:MAX_ANGLE_ROWS]))
    return distances + ANGLE_WEIGHT * angles


def _distances(rows: torch.Tensor) -> torch.Tensor:
    """Distances of all pairs `(batch, batch)`, divided by their mean."""
    squares = rows.square().sum(1)
    distances = (squares[:, None] + squares[None] - 2 * rows @ rows.T).clamp_min(1e-12).sqrt()
    distances = distances * (1 - torch.eye(len(rows), device=rows.device))
    return distances / distances.sum().clamp_min(1e-12) * max(len(rows) * (len(rows) - 1), 1)


def _angles(rows: torch.Tensor) -> torch.Tensor:
    """Cosine of the angle at each row between each pair of rows `(batch, batch, batch)`."""
    directions = F.normalize(rows[None] - rows[:, None], dim=2)
    return directions @ directions.transpose(1, 2)
