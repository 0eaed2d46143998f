"""The dependency graph of a network, from torch-pruning: its groups, and removal of channels.

`channel_graph` builds the graph of a model for a while, with proxies in place of recurrent layers.
Attention whose heads can be told apart is not left to torch-pruning: see `heads`.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from workbench.errors import CandidateError
from workbench.models.networks import call_model, first_tensor
from workbench.techniques.pruning.attention import Attention, Units, remove_heads, zero_heads
from workbench.techniques.pruning.groups import Group, Member
from workbench.techniques.pruning.heads import find_attention
from workbench.techniques.pruning.recurrent import insert_proxies, restore_recurrent
from workbench.techniques.pruning.roles import n_parts_of, role_of, zero_inputs

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["ChannelGraph", "Inputs", "channel_graph"]

Inputs = Mapping[str, "torch.Tensor"]


class ChannelGraph:
    """The dependency graph of a model, which is changed in place until `close()`.

    `close()` puts the recurrent layers back; `zero_only` then keeps their width (see `recurrent`).
    """

    def __init__(
        self, model: nn.Module, inputs: Inputs, attentions: Sequence[Attention] = ()
    ) -> None:
        import torch
        import torch_pruning as tp

        self.model = model
        self.zero_only = False
        self._attentions = {attention.root: attention for attention in attentions}
        model.eval()
        self._replaced = insert_proxies(model)
        with torch.enable_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `verification` tests the groups of the graph
            try:
                self._dependencies = tp.DependencyGraph().build_dependency(
                    model,
                    example_inputs=tuple(inputs.values()),
                    forward_fn=lambda m, _: first_tensor(call_model(m, inputs)),
                )
            except (AttributeError, IndexError, KeyError, TypeError) as error:
                restore_recurrent(model, self._replaced)
                raise CandidateError(
                    f"Channels of {type(model).__name__} cannot be followed: torch-pruning fails "
                    f"with {type(error).__name__}: {error}. Use `method` unstructured, n_m or "
                    "depth."
                ) from error
        self._names: dict[Any, str] = {}
        self._modules: dict[str, Any] = {}
        proxies = {proxy for _, proxy in self._replaced.values()}
        for name, module in model.named_modules():
            self._names[module] = name
            if module not in proxies:
                self._modules[name] = module
        for name, (_, proxy) in self._replaced.items():
            self._names[proxy.linear] = name
            self._modules[name] = proxy.linear
        for name, parameter in model.named_parameters():
            self._names[parameter] = name
            self._modules[name] = parameter

    def groups(self) -> list[Group]:
        """Every group, in the order of the network's layers."""
        return [group for group, _ in self._all_groups()]

    def scores(self, score: Any, roots: Collection[str]) -> dict[str, torch.Tensor]:
        """Importance `(units,)` of the units of each group, by the root of the group.

        `score` is a function from a group of torch-pruning to scores `(channels,)`. The score of a
        unit is the mean over its channels; that of heads also over the layers, each divided by its
        mean.
        """
        scores = {}
        for group, dependencies in self._all_groups():
            if group.root not in roots:
                continue
            if group.attention is None:
                scores[group.root] = score(dependencies).float().cpu()
                scores[group.root] = scores[group.root].reshape(group.n_parts, -1).mean(0)
            else:
                scores[group.root] = self._head_scores(score, group.attention)
        return scores

    def _all_groups(self) -> list[tuple[Group, Any]]:
        """Every group, with that of torch-pruning; None for attention."""
        from torch import nn

        root_types = (nn.modules.conv._ConvNd, nn.Linear, nn.Embedding)
        groups = [
            (self._group(dependencies), dependencies)
            for dependencies in self._dependencies.get_all_groups(root_module_types=root_types)
        ]
        projections = {layer for a in self._attentions.values() for layer in a.layers}
        tied = {
            layer
            for group, _ in groups
            if not projections.issuperset(group.layers)
            for layer in group.layers
        }
        groups = [
            (group, dependencies)
            for group, dependencies in groups
            if not projections.issuperset(group.layers) and group.root not in self._attentions
        ]
        groups += [(self._attention_group(a, tied), None) for a in self._attentions.values()]
        order = {name: n for n, (name, _) in enumerate(self.model.named_modules())}
        return sorted(groups, key=lambda pair: order[pair[0].root])

    def _attention_group(self, attention: Attention, tied: Collection[str]) -> Group:
        """The group of an attention; `tied` are layers whose channels are also used elsewhere."""
        problem = attention.problem
        if not problem and not set(attention.layers).isdisjoint(tied):
            problem = "its channels are tied to layers outside the attention"
        width = {layer: self._modules[layer].out_features for layer in attention.layers}
        members = [Member(layer, "out", width[layer]) for layer in attention.layers]
        members.append(Member(attention.output, "in", attention.inner_width))
        return Group(
            attention.root,
            width[attention.root],
            tuple(members),
            protected=problem,
            attention=attention,
        )

    def _head_scores(self, score: Any, attention: Attention) -> torch.Tensor:
        import torch

        of_layers = [self._unit_scores(score, *projection) for projection in attention.projections]
        of_layers.append(
            self._unit_scores(score, attention.output, attention.columns, is_input=True)
        )
        return torch.stack([s / s.mean().clamp_min(1e-12) for s in of_layers]).mean(0)

    def _unit_scores(
        self, score: Any, layer: str, units: Units, *, is_input: bool = False
    ) -> torch.Tensor:
        """Mean score of the channels of each unit in one layer `(units,)`."""
        import torch

        module = self._modules[layer]
        pruner = self._dependencies.get_pruner_of_module(module)
        prune = pruner.prune_in_channels if is_input else pruner.prune_out_channels
        numbers = list(range(module.in_features if is_input else module.out_features))
        dependencies = self._dependencies.get_pruning_group(module, prune, numbers)
        del dependencies.items[1:]  # the first one is the layer itself
        values = score(dependencies).float().cpu()
        return values[torch.tensor(units)].mean(1)

    def attention_layers(self) -> set[str]:
        """Names of the attention layers that PyTorch computes in one operator."""
        return {
            name
            for module, name in self._names.items()
            if type(module).__name__ == "MultiheadAttention"
        }

    def remove(self, channels: Mapping[str, Sequence[int]]) -> None:
        """Remove channels (numbers, by the root of their group), in place."""
        import torch

        with torch.no_grad():
            for root, numbers in channels.items():
                if not len(numbers) or root in self._attentions:
                    continue
                dependencies = self._dependencies_of(root, numbers)
                for dependency, removed in dependencies:
                    self._update_kept(dependency, removed)
                dependencies.prune()
            for attention, units in self._units(channels):
                remove_heads(self.model, attention, units)

    def zero_readers(self, channels: Mapping[str, Sequence[int]]) -> None:
        """Set the weights that read these channels to zero, in place; widths stay as they are."""
        import torch

        self.zero_only = True
        with torch.no_grad():
            for attention, units in self._units(channels):
                zero_heads(self.model, attention, units)
            for root, numbers in channels.items():
                if root in self._attentions:
                    continue
                for dependency, removed in self._dependencies_of(root, numbers):
                    self._update_kept(dependency, removed)
                    module = dependency.target.module
                    if module not in self._names or not hasattr(module, "weight"):
                        continue
                    if role_of(module, dependency.handler, self._dependencies) == "in":
                        zero_inputs(module, removed)

    def _units(
        self, channels: Mapping[str, Sequence[int]]
    ) -> Iterator[tuple[Attention, list[int]]]:
        """Each attention that loses channels, and the units that hold these channels."""
        for root, numbers in channels.items():
            if root in self._attentions:
                yield self._attentions[root], self._attentions[root].units_of(numbers)

    def close(self) -> None:
        """Put the recurrent layers back and drop all gradients."""
        restore_recurrent(self.model, self._replaced, zero_only=self.zero_only)
        for parameter in self.model.parameters():
            parameter.grad = None

    def _dependencies_of(self, root: str, channels: Sequence[int]) -> Any:
        module = self._modules[root]
        prune = self._dependencies.get_pruner_of_module(module).prune_out_channels
        return self._dependencies.get_pruning_group(module, prune, list(channels))

    def _group(self, dependencies: Any) -> Group:
        root = dependencies[0].dep.target.module
        members: dict[tuple[str, str], Member] = {}
        n_parts = 1
        for dependency, channels in dependencies:
            module = dependency.target.module
            if module in self._names:
                name = self._names[module]
                role = role_of(module, dependency.handler, self._dependencies)
                members.setdefault((name, role), Member(name, role, len(channels)))
                n_parts = max(n_parts, n_parts_of(module, role))
        n_channels = self._dependencies.get_out_channels(root)
        return Group(self._names[root], n_channels, tuple(members.values()), n_parts)

    def _update_kept(self, dependency: Any, removed: Sequence[int]) -> None:
        """Note in the proxy of a recurrent layer which inputs or units are removed."""
        import torch

        module = dependency.target.module
        if not hasattr(module, "kept_in"):
            return
        is_out = self._dependencies.is_out_channel_pruning_fn(dependency.handler)
        name = "kept_out" if is_out else "kept_in"
        kept = getattr(module, name)
        mask = torch.ones(len(kept), dtype=torch.bool)
        mask[list(removed)] = False
        setattr(module, name, kept[mask])


@contextmanager
def channel_graph(
    model: nn.Module,
    inputs: Inputs,
    *,
    attentions: Sequence[Attention] | None = None,
    keep_gradients: bool = False,
) -> Iterator[ChannelGraph]:
    """The graph of a model inside the `with` block; the model is changed in place.

    `attentions` are the attention layers of the model; None searches them (`find_attention`).

    Frozen weights are frozen, tied ones tied, and the mode (train or eval) is restored afterwards.
    `keep_gradients` keeps the gradients of the weights, which an importance reads.
    """
    if attentions is None:
        attentions = find_attention(model, inputs).found
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    names_of: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names_of.setdefault(id(parameter), []).append(name)
    for parameter in model.parameters():
        parameter.requires_grad_(parameter.is_floating_point())
        if not keep_gradients:
            parameter.grad = None
    was_training = model.training
    graph = ChannelGraph(model, inputs, attentions)
    try:
        yield graph
    finally:
        graph.close()
        _tie(model, [names for names in names_of.values() if len(names) > 1])
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name not in frozen)
        model.train(was_training)


def _tie(model: nn.Module, ties: list[list[str]]) -> None:
    """Make parameters one again that were one before each lost its channels."""
    parameters = dict(model.named_parameters(remove_duplicate=False))
    for first, *others in ties:
        for name in others:
            if name in parameters and parameters[name].shape == parameters[first].shape:
                owner, _, local = name.rpartition(".")
                setattr(model.get_submodule(owner), local, parameters[first])
