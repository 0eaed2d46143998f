"""Search for attention layers whose heads can be told apart, in any network.

No names are assumed. On a copy, each linear layer returns random values instead of its own. A layer
that reads a product of such values is the output layer of an attention. The gradient of one of its
inputs then shows the channels from which this input is computed:

    input 0 <- q channels 0..15, k channels 0..15, v channel 0       (head 0)
    input 16 <- q channels 16..31, k channels 16..31, v channel 16   (head 1)

Inputs that share a channel belong to one unit (see `attention`). So layouts of fused projections
and shared keys and values are seen as they are. Each attention is then tested: units are removed
from a copy, and its outputs must equal those of a copy in which their readers are zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from workbench.models.networks import call_model, copied
from workbench.techniques.pruning.attention import (
    Attention,
    Units,
    attribute_plans,
    remove_heads,
    zero_heads,
)
from workbench.techniques.pruning.comparison import difference
from workbench.techniques.pruning.outputs import nodes_behind

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["AttentionLayers", "find_attention", "with_random_attention"]

# Operators of autograd that multiply values of the network with each other.
PRODUCTS = ("Bmm", "Baddbmm", "ScaledDotProduct", "FlexAttention", "FlashAttention")
SPREAD = 2.0  # standard deviation of random projections: scores that differ, but do not saturate
Sources = dict[str, frozenset[int]]


@dataclass(frozen=True)
class AttentionLayers:
    """The attention layers of a network whose heads can be told apart.

    `linear` are all linear layers around products of values, also where heads cannot be told apart.
    """

    found: tuple[Attention, ...] = ()
    linear: frozenset[str] = frozenset()


def find_attention(model: nn.Module, inputs: Mapping[str, torch.Tensor]) -> AttentionLayers:
    """The attention layers of a network; the model is not changed.

    Attention of `nn.MultiheadAttention` is not among them: its inner width is the model's width.
    """
    import torch

    probe = _Probe(copied(model).eval())
    with torch.enable_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        try:
            probe.run(inputs)
        except Exception:  # a user's `forward` may refuse random values: no heads are seen then
            return AttentionLayers()
        untested, linear = probe.attention_layers()
    return AttentionLayers(_tested(model, inputs, untested, linear), frozenset(linear))


def with_random_attention(
    model: nn.Module, inputs: Mapping[str, torch.Tensor], linear: Iterable[str]
) -> nn.Module:
    """A copy whose linear layers around attention have random weights, always the same.

    In an untrained network all scores are nearly equal, so that a mistake with heads would not show
    in the outputs.
    """
    import torch

    twin = copied(model).eval()
    generator = torch.Generator().manual_seed(0)
    done: set[Any] = set()

    def randomize(module: Any, arguments: tuple[Any, ...], _: Any) -> Any:
        if module in done:
            return None
        done.add(module)
        random = torch.randn(module.weight.shape, generator=generator)
        module.weight.copy_(random.to(module.weight))
        spread = torch.nn.functional.linear(arguments[0], module.weight).float().std()
        if float(spread) > 0:
            module.weight.mul_(SPREAD / float(spread))
        return torch.nn.functional.linear(arguments[0], module.weight, module.bias)

    hooks = [twin.get_submodule(name).register_forward_hook(randomize) for name in sorted(linear)]
    with torch.no_grad():
        call_model(twin, inputs)
    for hook in hooks:
        hook.remove()
    return twin


class _Probe:
    """A network whose linear layers return random values, and what each linear layer reads."""

    def __init__(self, model: nn.Module) -> None:
        from torch import nn

        self._model = model
        self._names: dict[str, Any] = {
            name: module for name, module in model.named_modules() if isinstance(module, nn.Linear)
        }
        self._values: list[tuple[str, torch.Tensor]] = []
        self._inputs: dict[str, torch.Tensor] = {}

    def run(self, inputs: Mapping[str, torch.Tensor]) -> None:
        """Call the network once, and record inputs and random outputs of its linear layers."""
        for parameter in self._model.parameters():
            parameter.requires_grad_(False)
        for name, module in self._names.items():
            module.register_forward_hook(self._hook(name))
        call_model(self._model, inputs)

    def _hook(self, name: str) -> Any:
        import torch

        def return_random(_: Any, arguments: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
            self._inputs.setdefault(name, arguments[0])
            values = torch.randn_like(output).requires_grad_(True)
            self._values.append((name, values))
            return values.clone()  # `forward` may change it in place

        return return_random

    def attention_layers(self) -> tuple[list[Attention], set[str]]:
        """Attention layers whose heads can be told apart, and all linear layers around products."""
        found: dict[tuple[str, ...], Attention] = {}
        linear: set[str] = set()
        for name, read in self._inputs.items():
            if not _has_product(read):
                continue
            whole = self._sources(read, range(read.shape[-1]))
            attention = self._attention(name, read)
            if attention is not None:
                found.setdefault(attention.layers, attention)
            if attention is not None or self._mixes_part(read, whole):
                linear |= {name, *whole}
        return list(found.values()), linear

    def _mixes_part(self, read: torch.Tensor, whole: Sources) -> bool:
        """Whether an input is computed from some of the channels of all its inputs' sources."""
        return bool(whole) and self._sources(read, [0]) != whole

    def _attention(self, name: str, read: torch.Tensor) -> Attention | None:
        width = read.shape[-1]
        first = self._sources(read, [0])
        size = next(
            (
                size
                for size in range(1, width // 2 + 1)
                if not width % size and not _shares(first, self._sources(read, [size]))
            ),
            1,
        )
        if size == 1:  # each input has its own channels, or all have the same
            return None
        blocks = [range(start, start + size) for start in range(0, width, size)]
        units = _joined((set(block), self._sources(read, block)) for block in blocks)
        layers = [name for name, _ in self._values if name in units[0][1]]
        projections = tuple(
            (layer, tuple(tuple(sorted(sources[layer])) for _, sources in units))
            for layer in dict.fromkeys(layers)
            if all(layer in sources for _, sources in units)
        )
        columns = tuple(tuple(sorted(inputs)) for inputs, _ in units)
        if len(units) < 2 or not projections or not _covers(columns, width):
            return None
        widths = {layer: self._names[layer].out_features for layer, _ in projections}
        if not all(_covers(channels, widths[layer]) for layer, channels in projections):
            return None
        return Attention(projections, name, columns)

    def _sources(self, read: torch.Tensor, channels: Iterable[int]) -> Sources:
        """The channels of each linear layer from which these channels of `read` are computed."""
        import torch

        part = read[..., list(channels)]
        gradients = torch.autograd.grad(
            (part * torch.randn_like(part)).sum(),
            [values for _, values in self._values],
            retain_graph=True,
            allow_unused=True,
        )
        sources: Sources = {}
        for (name, _), gradient in zip(self._values, gradients, strict=True):
            if gradient is None:
                continue
            nonzero = (gradient != 0).flatten(0, -2).any(0).nonzero().flatten().tolist()
            if nonzero:
                sources[name] = sources.get(name, frozenset()) | frozenset(nonzero)
        return sources


def _has_product(tensor: torch.Tensor) -> bool:
    """Whether values of the network are multiplied with each other on the way to this tensor."""
    return any(p in node.name() for node in nodes_behind(tensor) for p in PRODUCTS)


def _shares(a: Sources, b: Sources) -> bool:
    return any(channels & b.get(name, frozenset()) for name, channels in a.items())


def _joined(
    blocks: Iterable[tuple[set[int], Sources]],
) -> list[tuple[set[int], Sources]]:
    """Blocks of inputs, those that share a channel joined to one unit."""
    units: list[tuple[set[int], Sources]] = []
    for columns, sources in blocks:
        separate = []
        for other_columns, other in units:
            if _shares(sources, other):
                columns = columns | other_columns
                names = {*sources, *other}
                empty: frozenset[int] = frozenset()
                sources = {n: sources.get(n, empty) | other.get(n, empty) for n in names}
            else:
                separate.append((other_columns, other))
        units = [*separate, (columns, sources)]
    return sorted(units, key=lambda unit: min(unit[0]))


def _covers(units: Units, width: int) -> bool:
    """Whether units of one size hold each channel once."""
    same_size = len({len(unit) for unit in units}) == 1
    return same_size and sorted(channel for unit in units for channel in unit) == [*range(width)]


def _tested(
    model: nn.Module,
    inputs: Mapping[str, torch.Tensor],
    untested: Sequence[Attention],
    linear: Iterable[str],
) -> tuple[Attention, ...]:
    """The attention layers with the attributes to scale, or with the problem."""
    if not untested:
        return ()
    random_model = with_random_attention(model, inputs, linear)
    first_plans = [
        replace(a, attributes=next(attribute_plans(random_model, a), ())) for a in untested
    ]
    shared = _shared_attributes(first_plans)
    if not shared and not _problem(random_model, inputs, first_plans):
        return tuple(first_plans)
    tested: list[Attention] = []
    for attention in untested:
        problem = ""
        for attributes in attribute_plans(random_model, attention):
            trial = replace(attention, attributes=attributes)
            trial_problem = _problem(random_model, inputs, [trial])
            if not trial_problem:
                tested.append(trial)
                break
            problem = problem or trial_problem
        else:
            tested.append(replace(attention, problem=problem))
    shared = _shared_attributes(tested)
    return tuple(
        replace(a, problem="it shares its number of heads with another attention")
        if shared & set(a.attributes)
        else a
        for a in tested
    )


def _shared_attributes(attentions: Sequence[Attention]) -> set[tuple[str, str]]:
    """Attributes that several attention layers would scale."""
    all_attributes = [attribute for a in attentions for attribute in a.attributes]
    return {a for a in all_attributes if all_attributes.count(a) > 1}


def _problem(
    model: nn.Module, inputs: Mapping[str, torch.Tensor], attentions: Sequence[Attention]
) -> str:
    """The problem when the first, or the last, units of these layers are removed; "" if none."""
    import torch

    for is_first in (True, False):
        pruned = copied(model)
        zeroed = copied(model)
        with torch.no_grad():
            for attention in attentions:
                n_removed = attention.n_units // 2
                numbers = range(attention.n_units)
                units = numbers[:n_removed] if is_first else numbers[-n_removed:]
                remove_heads(pruned, attention, units)
                zero_heads(zeroed, attention, units)
        problem = difference(pruned, zeroed, inputs, without="heads")
        if problem:
            return problem
    return ""
