"""Hidden units of LSTM, GRU and RNN layers: a stand-in that the dependency graph can follow, and
the cut itself.

A recurrent layer is many small operators to autograd, and torch-pruning's own pruner of it takes
rows of the wrong gates. So while the graph is followed each recurrent layer is replaced by a linear
one with the same inputs and outputs:

    x (.., in) -> LSTM(in, hidden, D directions) -> (.., D * hidden)     is followed as     x -> Linear(in, D * hidden)

and what is removed from the linear one is removed from all gates of the recurrent one afterwards.
The layers of a stack share one width; inner ones keep the units with the largest norm of their
weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["is_recurrent", "put_back", "stand_ins"]


def is_recurrent(module: Any) -> bool:
    """Whether it is an LSTM, GRU or RNN whose hidden units can be cut."""
    from torch import nn

    return isinstance(module, nn.RNNBase) and not getattr(module, "proj_size", 0)


def stand_ins(model: nn.Module) -> dict[str, tuple[nn.Module, nn.Module]]:
    """Replace each recurrent layer of a model, in place, by its stand-in; returns both by name."""
    made = {
        name: (m, _stand_in(m)) for name, m in model.named_modules() if name and is_recurrent(m)
    }
    for name, (_, stand_in) in made.items():
        _set(model, name, stand_in)
    return made


def put_back(
    model: nn.Module, made: dict[str, tuple[nn.Module, nn.Module]], *, deaf: bool = False
) -> None:
    """Put the recurrent layers back, in place, without the units and inputs that their stand-ins
    lost.

    `deaf` keeps them, but with nobody inside who listens to them: the network then answers as the
    cut one must.
    """
    for name, (recurrent, stand_in) in made.items():
        (_deafen if deaf else _cut)(recurrent, stand_in.line)
        _set(model, name, recurrent)


def _set(model: nn.Module, name: str, module: nn.Module) -> None:
    owner, _, local = name.rpartition(".")
    setattr(model.get_submodule(owner) if owner else model, local, module)


def _stand_in(recurrent: nn.RNNBase) -> nn.Module:
    """A linear layer whose weights tell which inputs and units matter, and which remembers their
    numbers.
    """
    import torch
    from torch import nn

    n_directions = 1 + recurrent.bidirectional
    n_layers, is_lstm, time = (
        recurrent.num_layers,
        isinstance(recurrent, nn.LSTM),
        1 if recurrent.batch_first else 0,
    )

    class StandIn(nn.Module):
        def __init__(self, linear: nn.Linear) -> None:
            super().__init__()
            self.line = linear

        def forward(self, x: torch.Tensor, state: Any = None) -> Any:
            out = self.line(x)
            last = out.select(time if out.ndim == 3 else 0, -1)
            if n_directions * n_layers == 1:
                hidden = last[None]
            else:
                hidden = torch.stack(
                    [p for _ in range(n_layers) for p in last.chunk(n_directions, -1)]
                )
            return out, ((hidden, hidden) if is_lstm else hidden)

    made = nn.Linear(recurrent.input_size, n_directions * recurrent.hidden_size, bias=False)
    with torch.no_grad():
        tops = [_of(recurrent, "weight_ih", 0, d) for d in range(n_directions)]
        gates = [w.reshape(-1, recurrent.hidden_size, w.shape[1]) for w in tops]
        made.weight.copy_(torch.cat([g.square().sum(0).sqrt() for g in gates]))
        if all(
            w.grad is not None for w in tops
        ):  # importance is |weight x gradient|: hand on the product
            products = [
                (w * w.grad).abs().reshape(-1, recurrent.hidden_size, w.shape[1]).sum(0)
                for w in tops
            ]
            made.weight.copy_(torch.cat(products))
            made.weight.grad = torch.ones_like(made.weight)
    made.kept_in, made.kept_out = (
        torch.arange(recurrent.input_size),
        torch.arange(n_directions * recurrent.hidden_size),
    )
    made.n_blocks = n_directions
    return StandIn(made)


def _of(recurrent: nn.RNNBase, what: str, layer: int, direction: int) -> torch.Tensor:
    return getattr(recurrent, f"{what}_l{layer}{'_reverse' if direction else ''}")


def _cut(recurrent: nn.RNNBase, linear: nn.Module) -> None:
    """Take out of every gate what is no longer in the stand-in's `kept_in` and `kept_out`."""
    import torch
    from torch import nn

    if (
        len(linear.kept_in) == recurrent.input_size
        and len(linear.kept_out) == (1 + recurrent.bidirectional) * recurrent.hidden_size
    ):
        return
    size, inputs = recurrent.hidden_size, linear.kept_in
    for layer, kept in enumerate(_kept(recurrent, linear)):
        for direction, units in enumerate(kept):
            rows = torch.cat(
                [
                    units + g * size
                    for g in range(len(_of(recurrent, "weight_hh", layer, direction)) // size)
                ]
            )
            suffix = f"_l{layer}{'_reverse' if direction else ''}"
            parts = {
                "weight_ih": (rows, inputs),
                "weight_hh": (rows, units),
                "bias_ih": (rows,),
                "bias_hh": (rows,),
            }
            for what, chosen in parts.items():
                old = getattr(recurrent, what + suffix, None)
                if old is not None:
                    taken = old.detach()[chosen[0]]
                    taken = taken[:, chosen[1]] if len(chosen) > 1 else taken
                    setattr(
                        recurrent,
                        what + suffix,
                        nn.Parameter(taken.clone(), requires_grad=old.requires_grad),
                    )
        inputs = torch.cat([units + d * size for d, units in enumerate(kept)])
    recurrent.input_size, recurrent.hidden_size = len(linear.kept_in), len(kept[0])
    recurrent.flatten_parameters()


def _deafen(recurrent: nn.RNNBase, linear: nn.Module) -> None:
    """Let no gate listen to the inputs and units that the stand-in has lost."""
    import torch

    def others(n: int, kept: torch.Tensor) -> torch.Tensor:
        chosen = torch.ones(n, dtype=torch.bool)
        chosen[kept] = False
        return chosen

    size, inputs = recurrent.hidden_size, linear.kept_in
    with torch.no_grad():
        for layer, kept in enumerate(_kept(recurrent, linear)):
            for direction, units in enumerate(kept):
                incoming = _of(recurrent, "weight_ih", layer, direction)
                incoming[:, others(incoming.shape[1], inputs)] = 0
                _of(recurrent, "weight_hh", layer, direction)[:, others(size, units)] = 0
            inputs = torch.cat([units + d * size for d, units in enumerate(kept)])


def _kept(recurrent: nn.RNNBase, linear: nn.Module) -> list[list[torch.Tensor]]:
    """The units that stay, by layer and direction; the stand-in knows those of the last layer."""
    n_directions, size = 1 + recurrent.bidirectional, recurrent.hidden_size
    last = [linear.kept_out[linear.kept_out // size == d] - d * size for d in range(n_directions)]
    inner = [
        [_strongest(recurrent, layer, d, len(last[0])) for d in range(n_directions)]
        for layer in range(recurrent.num_layers - 1)
    ]
    return [*inner, last]


def _strongest(recurrent: nn.RNNBase, layer: int, direction: int, n: int) -> torch.Tensor:
    """The units of an inner layer with the largest norm of incoming weights, in order."""
    weights = _of(recurrent, "weight_hh", layer, direction).detach()
    norms = weights.reshape(-1, recurrent.hidden_size, weights.shape[1]).square().sum((0, 2))
    return norms.topk(n).indices.sort().values
