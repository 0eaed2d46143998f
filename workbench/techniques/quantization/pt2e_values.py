"""Values of a recorded torch graph that no int8 scale can hold, as masks are (see `masks`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.techniques.quantization.masks import Magnitude, joined, magnitude

if TYPE_CHECKING:
    import torch
    from torch import fx

__all__ = ["unscalable_values"]


def unscalable_values(
    model: fx.GraphModule, inputs: tuple[torch.Tensor, ...], rows_at_once: int = 64
) -> set[fx.Node]:
    """The nodes whose float output has no useful scale on these rows `(rows, ...)`."""
    import torch
    from torch import fx

    totals: dict[fx.Node, Magnitude] = {}

    class Recorder(fx.Interpreter):
        def run_node(self, n: fx.Node) -> Any:
            value = super().run_node(n)
            if isinstance(value, torch.Tensor) and value.is_floating_point() and n.op != "get_attr":
                each = magnitude(value.detach().numpy())
                totals[n] = joined(totals[n], each) if n in totals else each
            return value

    recorder = Recorder(model)
    with torch.no_grad():
        for start in range(0, len(inputs[0]), rows_at_once):
            recorder.run(*(tensor[start : start + rows_at_once] for tensor in inputs))
    return {node for node, each in totals.items() if not each.has_scale}
