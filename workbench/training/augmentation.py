"""Augmentation of images `(batch, channels, height, width)` for tasks that have none."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["BUILT_IN", "moved"]

Inputs = dict[str, "torch.Tensor"]
PIXELS = 14  # one pixel of movement for so many of the height: 2 on 28, 1 on 8


def moved(inputs: Inputs, generator: torch.Generator, *, mirrored: bool) -> Inputs:
    """Images moved by a few pixels to each side, and mirrored half of the time if asked.

    Edges are repeated.
    """
    import torch
    from torch.nn import functional as F

    changed = {}
    for name, images in inputs.items():
        n, _, height, width = images.shape
        most = max(1, round(height / PIXELS))
        dy, dx = torch.randint(0, 2 * most + 1, (2, n), generator=generator)
        padded = F.pad(images, (most,) * 4, mode="replicate")
        rows = torch.arange(height)[None] + dy[:, None]
        columns = torch.arange(width)[None].expand(n, -1)
        if mirrored:
            is_mirrored = torch.rand(n, generator=generator) < 0.5
            columns = torch.where(is_mirrored[:, None], width - 1 - columns, columns)
        columns = columns + dx[:, None]
        index = (torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :])
        of_rows, of_height, of_width = (i.to(images.device) for i in index)
        changed[name] = padded.permute(0, 2, 3, 1)[of_rows, of_height, of_width].permute(0, 3, 1, 2)
    return changed


BUILT_IN: dict[str, Callable[[Inputs, torch.Generator], Inputs]] = {
    "crops": partial(moved, mirrored=False),
    "flips_and_crops": partial(moved, mirrored=True),
}
