"""Pruning of hidden units in LSTM, GRU and RNN layers, by way of a proxy layer.

Autograd sees a recurrent layer as many small operators, and torch-pruning's own pruner for it
removes rows of the wrong gates. So each recurrent layer is replaced, while the dependency graph is
built, by a linear proxy with the same inputs and outputs:

    x (.., in) -> LSTM(in, hidden, D directions) -> (.., D * hidden)
    x (.., in) -> Linear(in, D * hidden)         -> (.., D * hidden)

Units removed from the proxy are then removed from all gates of the recurrent layer. The layers of a
stack share one width; inner layers keep the units with the largest weight norm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["insert_proxies", "restore_recurrent"]


def insert_proxies(model: nn.Module) -> dict[str, tuple[Any, Any]]:
    """Replace the recurrent layers of a model by proxies, in place.

    Returns (recurrent layer, proxy) by the name of the layer.
    """
    replaced = {
        name: (module, _proxy_of(module))
        for name, module in model.named_modules()
        if name and _is_recurrent(module)
    }
    for name, (_, proxy) in replaced.items():
        _set_module(model, name, proxy)
    return replaced


def restore_recurrent(
    model: nn.Module,
    replaced: dict[str, tuple[Any, Any]],
    *,
    zero_only: bool = False,
) -> None:
    """Put the recurrent layers back, in place, without the inputs and units their proxies lost.

    `zero_only` keeps all inputs and units, but sets the weights that read the lost ones to zero;
    the layer then computes the same values as the pruned one.
    """
    update = _zero_readers if zero_only else _remove_units
    for name, (recurrent, proxy) in replaced.items():
        update(recurrent, proxy.linear)
        _set_module(model, name, recurrent)


def _is_recurrent(module: Any) -> bool:
    """Whether it is an LSTM, GRU or RNN whose hidden units can be pruned."""
    from torch import nn

    return isinstance(module, nn.RNNBase) and not getattr(module, "proj_size", 0)


def _set_module(model: nn.Module, name: str, module: nn.Module) -> None:
    owner, _, local = name.rpartition(".")
    setattr(model.get_submodule(owner) if owner else model, local, module)


def _proxy_of(recurrent: nn.RNNBase) -> nn.Module:
    """The proxy of a recurrent layer: a linear layer in a module that also returns a state."""
    import torch
    from torch import nn

    n_directions = 1 + recurrent.bidirectional
    n_states = n_directions * recurrent.num_layers
    is_lstm = isinstance(recurrent, nn.LSTM)
    time_axis = 1 if recurrent.batch_first else 0

    class Proxy(nn.Module):
        def __init__(self, linear: nn.Linear) -> None:
            super().__init__()
            self.linear = linear

        def forward(self, x: torch.Tensor, state: Any = None) -> Any:
            outputs = self.linear(x)
            last = outputs.select(time_axis if outputs.ndim == 3 else 0, -1)
            if n_states == 1:
                hidden = last[None]
            else:
                of_directions = last.chunk(n_directions, -1)
                hidden = torch.stack([*of_directions] * recurrent.num_layers)
            return outputs, ((hidden, hidden) if is_lstm else hidden)

    return Proxy(_linear_of(recurrent))


def _linear_of(recurrent: nn.RNNBase) -> nn.Linear:
    """A linear layer whose weights carry the importance of inputs and units.

    Each weight is the norm over the gates. `kept_in` and `kept_out` hold the numbers of the inputs
    and units that are left.
    """
    import torch
    from torch import nn

    n_directions = 1 + recurrent.bidirectional
    size = recurrent.hidden_size
    linear: Any = nn.Linear(recurrent.input_size, n_directions * size, bias=False)
    with torch.no_grad():
        weights = [_weights(recurrent, "weight_ih", 0, d) for d in range(n_directions)]
        gates = [w.reshape(-1, size, w.shape[1]) for w in weights]
        linear.weight.copy_(torch.cat([g.square().sum(0).sqrt() for g in gates]))
        if all(w.grad is not None for w in weights):
            # Taylor importance is |weight x gradient|: the weight carries the product, its
            # gradient is 1.
            products = [(w * w.grad).abs().reshape(-1, size, w.shape[1]).sum(0) for w in weights]
            linear.weight.copy_(torch.cat(products))
            linear.weight.grad = torch.ones_like(linear.weight)
    linear.kept_in = torch.arange(recurrent.input_size)
    linear.kept_out = torch.arange(n_directions * size)
    linear.n_parts = n_directions
    return linear


def _weights(recurrent: nn.RNNBase, kind: str, layer: int, direction: int) -> torch.Tensor:
    """Weights of one layer and direction; `kind` is weight_ih, weight_hh, bias_ih or bias_hh."""
    return getattr(recurrent, f"{kind}{_suffix(layer, direction)}")


def _suffix(layer: int, direction: int) -> str:
    return f"_l{layer}{'_reverse' if direction else ''}"


def _remove_units(recurrent: nn.RNNBase, linear: Any) -> None:
    """Remove from every gate the inputs and units that `kept_in` and `kept_out` no longer hold."""
    import torch

    n_outputs = (1 + recurrent.bidirectional) * recurrent.hidden_size
    if len(linear.kept_in) == recurrent.input_size and len(linear.kept_out) == n_outputs:
        return
    size = recurrent.hidden_size
    inputs = linear.kept_in
    units_by_layer = _kept_units(recurrent, linear)
    for layer, units_by_direction in enumerate(units_by_layer):
        for direction, units in enumerate(units_by_direction):
            n_gates = len(_weights(recurrent, "weight_hh", layer, direction)) // size
            rows = torch.cat([units + gate * size for gate in range(n_gates)])
            suffix = _suffix(layer, direction)
            _keep_entries(recurrent, f"weight_ih{suffix}", rows, inputs)
            _keep_entries(recurrent, f"weight_hh{suffix}", rows, units)
            _keep_entries(recurrent, f"bias_ih{suffix}", rows)
            _keep_entries(recurrent, f"bias_hh{suffix}", rows)
        inputs = torch.cat([units + d * size for d, units in enumerate(units_by_direction)])
    recurrent.input_size = len(linear.kept_in)
    recurrent.hidden_size = len(units_by_layer[-1][0])
    recurrent.flatten_parameters()


def _keep_entries(
    recurrent: nn.RNNBase, name: str, rows: torch.Tensor, columns: torch.Tensor | None = None
) -> None:
    """Cut a parameter down to some rows and columns; layers without bias have no bias to cut."""
    from torch import nn

    old = getattr(recurrent, name, None)
    if old is None:
        return
    new = old.detach()[rows]
    if columns is not None:
        new = new[:, columns]
    setattr(recurrent, name, nn.Parameter(new.clone(), requires_grad=old.requires_grad))


def _zero_readers(recurrent: nn.RNNBase, linear: Any) -> None:
    """Set the weights of all gates that read removed inputs and units to zero."""
    import torch

    size = recurrent.hidden_size
    inputs = linear.kept_in
    with torch.no_grad():
        for layer, units_by_direction in enumerate(_kept_units(recurrent, linear)):
            for direction, units in enumerate(units_by_direction):
                from_input = _weights(recurrent, "weight_ih", layer, direction)
                from_input[:, _all_but(inputs, from_input.shape[1])] = 0
                from_state = _weights(recurrent, "weight_hh", layer, direction)
                from_state[:, _all_but(units, size)] = 0
            inputs = torch.cat([units + d * size for d, units in enumerate(units_by_direction)])


def _all_but(kept: torch.Tensor, n: int) -> torch.Tensor:
    """A mask `(n,)`, true where a number is not in `kept`."""
    import torch

    mask = torch.ones(n, dtype=torch.bool)
    mask[kept] = False
    return mask


def _kept_units(recurrent: nn.RNNBase, linear: Any) -> list[list[torch.Tensor]]:
    """The units to keep, by layer and direction; the proxy has those of the last layer."""
    n_directions = 1 + recurrent.bidirectional
    size = recurrent.hidden_size
    last_layer = [
        linear.kept_out[linear.kept_out // size == d] - d * size for d in range(n_directions)
    ]
    n_units = len(last_layer[0])
    inner_layers = [
        [_units_by_norm(recurrent, layer, d, n_units) for d in range(n_directions)]
        for layer in range(recurrent.num_layers - 1)
    ]
    return [*inner_layers, last_layer]


def _units_by_norm(recurrent: nn.RNNBase, layer: int, direction: int, n: int) -> torch.Tensor:
    """The `n` units of an inner layer with the largest norm of incoming weights, sorted."""
    weights = _weights(recurrent, "weight_hh", layer, direction).detach()
    norms = weights.reshape(-1, recurrent.hidden_size, weights.shape[1]).square().sum((0, 2))
    return norms.topk(n).indices.sort().values
