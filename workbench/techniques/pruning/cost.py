"""Multiply-adds of a network whose groups keep a fraction of their channels, without pruning it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workbench.measure.cost import macs_torch
from workbench.models.networks import call_model, copied
from workbench.techniques.pruning.groups import Group

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import nn

__all__ = ["WidthCost", "layer_macs"]


def layer_macs(model: nn.Module, inputs: Mapping[str, torch.Tensor]) -> dict[str, int]:
    """Multiply-adds for one row of each layer, in the order of the layers' calls.

    Counts convolutions (not transposed ones), linear and recurrent layers.
    """
    import torch
    from torch import nn

    twin = copied(model).eval()
    macs: dict[str, int] = {}
    n_rows = len(next(iter(inputs.values())))

    def hook(name: str) -> Any:
        def count(module: nn.Module, _: Any, outputs: Any) -> None:
            tensor = outputs[0] if isinstance(outputs, tuple) else outputs
            macs[name] = macs.get(name, 0) + _module_macs(module, tensor) // n_rows

        return count

    kinds = (nn.modules.conv._ConvNd, nn.Linear, nn.RNNBase)
    for name, module in twin.named_modules():
        if isinstance(module, kinds) and not getattr(module, "transposed", False):
            module.register_forward_hook(hook(name))
    with torch.no_grad():
        call_model(twin, inputs)
    return macs


def _module_macs(module: Any, outputs: torch.Tensor) -> int:
    """Multiply-adds of one call of a layer that gave `outputs`."""
    from torch import nn

    if isinstance(module, nn.RNNBase):
        n_weights = sum(p.numel() for p in module.parameters() if p.ndim > 1)
        return outputs.numel() // outputs.shape[-1] * n_weights
    if isinstance(module, nn.Linear):
        return outputs.numel() * module.in_features
    return outputs.numel() * module.weight[0].numel()


class WidthCost:
    """Multiply-adds of one row as a function of the fraction of channels that each group keeps.

    `total` are those of the whole network, also of operators that are not layers (attention).
    """

    def __init__(
        self,
        model: nn.Module,
        inputs: Mapping[str, torch.Tensor],
        arrays: Mapping[str, np.ndarray],
        groups: Sequence[Group],
    ) -> None:
        self.total = macs_torch(model, arrays)
        self._layers = layer_macs(model, inputs)
        self._constant = self.total - sum(self._layers.values())
        self._output_root: dict[str, str] = {}
        self._input_parts: dict[str, list[tuple[str, float]]] = {name: [] for name in self._layers}
        modules = dict(model.named_modules())
        for group in groups:
            for member in group.members:
                if member.layer not in self._layers:
                    continue
                if member.gives_channels:
                    self._output_root[member.layer] = group.root
                elif member.role == "in":
                    fraction = member.channels / _n_inputs(modules[member.layer])
                    self._input_parts[member.layer].append((group.root, fraction))

    def of(self, kept: Mapping[str, float]) -> float:
        """Multiply-adds of the network when the groups keep these fractions (see `by_layer`)."""
        return self._constant + sum(self.by_layer(kept).values())

    def by_layer(self, kept: Mapping[str, float]) -> dict[str, float]:
        """Multiply-adds of each layer when the groups, by root, keep these fractions.

        Groups that are not in `kept` keep all channels.
        """
        by_layer = {}
        for name, macs in self._layers.items():
            removed = (part * (1 - kept.get(root, 1.0)) for root, part in self._input_parts[name])
            inputs_kept = 1 - sum(removed)
            outputs_kept = kept.get(self._output_root.get(name, ""), 1.0)
            by_layer[name] = macs * outputs_kept * inputs_kept
        return by_layer


def _n_inputs(module: Any) -> int:
    """Number of input channels, features or values of a layer."""
    from torch import nn

    if isinstance(module, nn.RNNBase):
        return module.input_size
    return module.in_features if isinstance(module, nn.Linear) else module.in_channels
