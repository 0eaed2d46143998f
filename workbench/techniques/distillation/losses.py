"""What the teacher's part of a loss is, for each kind of task and each method.

Sources: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015 (soft targets;
a factor T^2 keeps their gradients as large as those of labels; an ensemble teaches by the mean of
its distributions); Ba, Caruana, "Do Deep Nets Really Need to be Deep?", NeurIPS 2014 (values
matched by squared error); Romero et al., "FitNets", ICLR 2015 (hints); Zagoruyko, Komodakis,
"Paying More Attention to Attention", ICLR 2017; Park et al., "Relational Knowledge Distillation",
CVPR 2019.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

__all__ = ["feature_loss", "relational"]

ANGLES = 2.0  # weight of angles against distances, as in Park et al.
ROWS_OF_ANGLES = (
    40  # of a batch: every three of them make an angle, so that their cost grows with the cube
)


def feature_loss(method: str, student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """How far a student's reduced feature `(batch, ...)`, projected for hints, is from the
    teacher's.
    """
    if (
        method == "hint"
    ):  # a share of the teacher's own variation, so that one weight serves all layers
        return F.mse_loss(student, teacher) / teacher.var().clamp_min(1e-6)
    if method == "attention":
        return (student - teacher).square().sum(1).mean()
    return relational(student, teacher)


def relational(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Distances and angles between the rows of a batch: embeddings `(batch, size)`, whose sizes may
    differ.
    """
    distances = F.smooth_l1_loss(_distances(student), _distances(teacher))
    return distances + ANGLES * F.smooth_l1_loss(
        _angles(student[:ROWS_OF_ANGLES]), _angles(teacher[:ROWS_OF_ANGLES])
    )


def _distances(rows: torch.Tensor) -> torch.Tensor:
    """Distances of all pairs `(batch, batch)`, of mean 1."""
    squares = rows.square().sum(1)
    distances = (squares[:, None] + squares[None] - 2 * rows @ rows.T).clamp_min(1e-12).sqrt()
    distances = distances * (1 - torch.eye(len(rows), device=rows.device))
    return distances / distances.sum().clamp_min(1e-12) * max(len(rows) * (len(rows) - 1), 1)


def _angles(rows: torch.Tensor) -> torch.Tensor:
    """Cosine of the angle at each row between each two others `(batch, batch, batch)`."""
    directions = F.normalize(rows[None] - rows[:, None], dim=2)
    return directions @ directions.transpose(1, 2)
