"""What widths cost: multiply-adds of a network whose groups keep a share of their channels, without
cutting it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workbench.measure.cost import macs_torch
from workbench.models.networks import call_model
from workbench.techniques.pruning.graph import Group

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import nn

__all__ = ["WidthCost", "layer_macs"]


def layer_macs(model: nn.Module, inputs: Mapping[str, torch.Tensor]) -> dict[str, int]:
    """Multiply-adds of one row by layer: convolutions, linear and recurrent layers, in the order of
    their calls.
    """
    import torch
    from torch import nn

    copied, found = copy.deepcopy(model).eval(), {}
    n_rows = len(next(iter(inputs.values())))

    def hook(name: str) -> Any:
        def count(module: nn.Module, _: Any, out: Any) -> None:
            out = out[0] if isinstance(out, tuple) else out
            if isinstance(module, nn.RNNBase):
                matrices = sum(p.numel() for p in module.parameters() if p.ndim > 1)
                n = out.numel() // out.shape[-1] * matrices
            elif isinstance(module, nn.Linear):
                n = out.numel() * module.in_features
            else:
                n = out.numel() * module.weight[0].numel()
            found[name] = found.get(name, 0) + n // n_rows

        return count

    kinds = (nn.modules.conv._ConvNd, nn.Linear, nn.RNNBase)
    for name, module in copied.named_modules():
        if isinstance(module, kinds) and not getattr(module, "transposed", False):
            module.register_forward_hook(hook(name))
    with torch.no_grad():
        call_model(copied, inputs)
    return found


class WidthCost:
    """Multiply-adds of one row as a function of the share of channels that each group keeps."""

    def __init__(
        self,
        model: nn.Module,
        inputs: Mapping[str, torch.Tensor],
        arrays: Mapping[str, np.ndarray],
        groups: Sequence[Group],
    ) -> None:
        self.layers = layer_macs(model, inputs)
        self.all = macs_torch(model, arrays)
        self.rest = self.all - sum(
            self.layers.values()
        )  # attention, and what is called as a function
        self.out: dict[str, str] = {}
        self.into: dict[str, list[tuple[str, float]]] = {name: [] for name in self.layers}
        modules = dict(model.named_modules())
        for group in groups:
            for m in group.members:
                if m.layer not in self.layers:
                    continue
                if m.role in ("out", "depthwise"):
                    self.out[m.layer] = group.root
                elif m.role == "in":
                    self.into[m.layer].append(
                        (group.root, m.channels / _n_inputs(modules[m.layer]))
                    )

    def by_layer(self, kept: Mapping[str, float]) -> dict[str, float]:
        """Multiply-adds of each layer when the groups (by root) keep these shares; those not named
        keep all.
        """
        found = {}
        for name, macs in self.layers.items():
            share_in = 1 - sum(part * (1 - kept.get(root, 1.0)) for root, part in self.into[name])
            found[name] = macs * kept.get(self.out.get(name, ""), 1.0) * share_in
        return found

    def __call__(self, kept: Mapping[str, float]) -> float:
        return self.rest + sum(self.by_layer(kept).values())


def _n_inputs(module: Any) -> int:
    return int(
        getattr(module, "in_channels", 0)
        or getattr(module, "in_features", 0)
        or getattr(module, "input_size", 1)
    )
