"""Which channels belong together: groups of layers that must lose the same channels, as
torch-pruning follows them.

Where a network adds, multiplies or concatenates, the layers around it are tied and one channel goes
from all of them at once (Fang et al., "DepGraph: Towards Any Structural Pruning", CVPR 2023):

    stem.out -- block.conv2.out -- block.bn2 -- next.conv1.in          a group; its root is the layer that names it

Every group is tried on a copy before anything is cut. One that the graph did not follow rightly (a
fixed `view`, channels picked by number) is left whole and named, and the rest of the network can
still be pruned.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from workbench.models.networks import call_model, first_tensor
from workbench.techniques.pruning.outputs import output_layers
from workbench.techniques.pruning.recurrent import put_back, stand_ins

if TYPE_CHECKING:
    import torch
    from pandas import DataFrame
    from torch import nn

__all__ = ["Group", "Member", "cut", "followed", "groups_of", "groups_table", "opened"]

Inputs = Mapping[str, "torch.Tensor"]


@dataclass(frozen=True)
class Member:
    """A layer in a group: its role (out, in, norm, depthwise, parameter) and how many of its
    channels are tied.
    """

    layer: str
    role: str
    channels: int


@dataclass(frozen=True)
class Group:
    """Layers that lose channels together. `blocks` parts of it must stay equally wide (grouped
    convolutions, directions).

    `protected` says why it is left whole; empty where it may be cut.
    """

    root: str
    channels: int
    members: tuple[Member, ...]
    blocks: int = 1
    protected: str = ""

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers whose outputs are tied here."""
        return tuple(m.layer for m in self.members if m.role in ("out", "depthwise"))

    @property
    def mixes(self) -> bool:
        """Whether a channel's value depends on the others through a norm or a recurrent layer."""
        return any(m.role == "norm over channels" for m in self.members)


class _Opened:
    """A model whose graph is followed, recurrent layers replaced, until it is closed."""

    def __init__(self, model: nn.Module, inputs: Inputs) -> None:
        import torch
        import torch_pruning as tp

        self.model, self.deaf = model, False
        model.eval()
        self.stand_ins = stand_ins(model)
        with torch.enable_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is not followed is found by trying, below
            self.graph = tp.DependencyGraph().build_dependency(
                model,
                example_inputs=tuple(inputs.values()),
                forward_fn=lambda m, _: first_tensor(call_model(m, inputs)),
            )
        self.names = {m: name for name, m in reversed(list(model.named_modules()))}
        self.names |= {stand_in.line: name for name, (_, stand_in) in self.stand_ins.items()}
        self.names |= {p: name for name, p in model.named_parameters()}

        self.modules = {
            name: m for m, name in self.names.items() if not hasattr(m, "line")
        }  # the one inside a stand-in

    def groups(self) -> list[tuple[Group, Any]]:
        """Every group with torch-pruning's own, in the order of the network's layers."""
        from torch import nn

        roots = (nn.modules.conv._ConvNd, nn.Linear, nn.Embedding)
        found = [
            (self._described(g), g) for g in self.graph.get_all_groups(root_module_types=roots)
        ]
        order = {name: n for n, (name, _) in enumerate(self.model.named_modules())}
        return sorted((f for f in found if f[0] is not None), key=lambda f: order[f[0].root])

    def _described(self, group: Any) -> Group | None:
        root = group[0].dep.target.module
        members: dict[tuple[str, str], Member] = {}
        blocks = [1]
        for dep, indices in group:
            module = dep.target.module
            if module in self.names:
                role = self._role(module, dep.handler)
                members.setdefault(
                    (self.names[module], role), Member(self.names[module], role, len(indices))
                )
                blocks.append(_blocks(module, role))
        return Group(
            self.names[root],
            self.graph.get_out_channels(root),
            tuple(members.values()),
            max(blocks),
        )

    def _role(self, module: Any, handler: Any) -> str:
        from torch import nn

        if isinstance(module, nn.Parameter):
            return "parameter"
        if isinstance(module, nn.modules.batchnorm._BatchNorm) or type(module).__name__.startswith(
            "InstanceNorm"
        ):
            return "norm"
        if isinstance(module, (nn.LayerNorm, nn.GroupNorm)):
            return "norm over channels"
        if isinstance(module, nn.modules.conv._ConvNd) and module.groups == module.out_channels > 1:
            return "depthwise"
        is_out = self.graph.is_out_channel_pruning_fn(handler)
        return (
            "out"
            if is_out
            and not (
                self.graph.is_in_channel_pruning_fn(handler)
                and not isinstance(module, (nn.PReLU, nn.MultiheadAttention, nn.Embedding))
            )
            else "in"
        )

    def cut(self, removed: Mapping[str, Sequence[int]]) -> None:
        """Remove channels of roots, in place."""
        import torch

        modules = self.modules
        with torch.no_grad():
            for root, indices in removed.items():
                if not len(indices):
                    continue
                module = modules[root]
                group = self.graph.get_pruning_group(
                    module,
                    self.graph.get_pruner_of_module(module).prune_out_channels,
                    list(indices),
                )
                for dep, gone in group:
                    _remember(
                        dep.target.module, self.graph.is_out_channel_pruning_fn(dep.handler), gone
                    )
                group.prune()

    def close(self) -> None:
        put_back(self.model, self.stand_ins, deaf=self.deaf)
        for parameter in self.model.parameters():
            parameter.grad = None


def _blocks(module: Any, role: str) -> int:
    if hasattr(module, "n_blocks") and role == "out":
        return int(module.n_blocks)
    if role == "norm over channels" and hasattr(module, "num_groups"):
        return int(module.num_groups)
    is_grouped = hasattr(module, "groups") and role in ("in", "out")
    return int(module.groups) if is_grouped else 1


def _remember(module: Any, is_out: bool, gone: Sequence[int]) -> None:
    """Tell the stand-in of a recurrent layer which of its inputs or units are gone."""
    import torch

    if hasattr(module, "kept_in"):
        name = "kept_out" if is_out else "kept_in"
        kept = torch.ones(len(getattr(module, name)), dtype=torch.bool)
        kept[list(gone)] = False
        setattr(module, name, getattr(module, name)[kept])


@contextmanager
def opened(model: nn.Module, inputs: Inputs, *, keep_gradients: bool = False) -> Iterator[_Opened]:
    """The graph of a model while it is cut, in place; frozen and tied weights are as before when it
    closes.

    `keep_gradients` says that weights carry gradients that importance is to read.
    """
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    ties: dict[int, list[str]] = {}
    for name, p in model.named_parameters(remove_duplicate=False):
        ties.setdefault(id(p), []).append(name)
    for p in model.parameters():
        p.requires_grad_(p.is_floating_point())
        p.grad = p.grad if keep_gradients else None
    was_training = model.training
    graph = _Opened(model, inputs)
    try:
        yield graph
    finally:
        graph.close()
        _tie(model, [names for names in ties.values() if len(names) > 1])
        for name, p in model.named_parameters():
            p.requires_grad_(name not in frozen)
        model.train(was_training)


def _tie(model: nn.Module, ties: list[list[str]]) -> None:
    """Make one parameter again of those that were one before each lost its channels."""
    parameters = dict(model.named_parameters(remove_duplicate=False))
    for first, *others in ties:
        for name in others:
            if name in parameters and parameters[name].shape == parameters[first].shape:
                owner, _, local = name.rpartition(".")
                setattr(model.get_submodule(owner), local, parameters[first])


def cut(model: nn.Module, inputs: Inputs, removed: Mapping[str, Sequence[int]]) -> nn.Module:
    """A copy of the model without the channels (numbers, by the root of their group)."""
    made = copy.deepcopy(model)
    with opened(made, inputs) as graph:
        graph.cut(removed)
    return made


def groups_of(model: nn.Module, inputs: Inputs, ignored: Sequence[str] = ()) -> tuple[Group, ...]:
    """All groups, those protected that make the outputs, are ignored, or hold fused attention;
    nothing is tried yet.
    """
    outputs = output_layers(copy.deepcopy(model).eval(), dict(inputs))
    copied = copy.deepcopy(model)
    with opened(copied, inputs) as graph:
        fused = {
            name for m, name in graph.names.items() if type(m).__name__ == "MultiheadAttention"
        }
        return tuple(_guarded(group, outputs, tuple(ignored), fused) for group, _ in graph.groups())


def _guarded(group: Group, outputs: set[str], ignored: Sequence[str], fused: set[str]) -> Group:
    def inside(layer: str, names: Any) -> bool:
        return any(layer == n or layer.startswith(f"{n}.") for n in names)

    if any(layer in outputs for layer in group.layers):
        return replace(group, protected="its channels are the outputs")
    if any(inside(layer, ignored) for layer in group.layers):
        return replace(group, protected="named in `ignored_layers`")
    if any(inside(m.layer, fused) for m in group.members):
        return replace(group, protected="attention heads would lose unequal parts")
    if group.channels // group.blocks < 2:
        return replace(group, protected="there is one channel only")
    return group


def followed(model: nn.Module, inputs: Inputs, ignored: Sequence[str] = ()) -> tuple[Group, ...]:
    """All groups, and of those that may be cut only the ones whose cut was tried and gave what it
    must.

    A network without some channels has to answer as the whole one does when nobody listens to those
    channels. Where that is not so, or the network fails, the group is protected and says why.
    """
    groups = groups_of(model, inputs, ignored)
    for mixes in (False, True):
        part = [g for g in groups if not g.protected and g.mixes == mixes]
        if part and _problem(model, inputs, part):
            found = {g.root: _problem(model, inputs, [g]) for g in part}
            groups = tuple(replace(g, protected=found.get(g.root) or g.protected) for g in groups)
    return groups


def _problem(model: nn.Module, inputs: Inputs, groups: Sequence[Group]) -> str:
    """What goes wrong when half of the channels of these groups go, the first ones or any, or
    nothing.
    """
    tries = (
        _missing(model, inputs, groups, {g.root: _half(g, front) for g in groups})
        for front in (True, False)
    )
    return next((problem for problem in tries if problem), "")


def _missing(
    model: nn.Module, inputs: Inputs, groups: Sequence[Group], removed: Mapping[str, Sequence[int]]
) -> str:
    """What goes wrong when these channels go, or nothing."""
    import torch

    try:
        pruned = cut(model, inputs, removed).eval()
        with torch.no_grad():
            expected = first_tensor(call_model(_deaf(model, inputs, removed), inputs))
            got = first_tensor(call_model(pruned, inputs))
    except Exception as error:  # whatever the user's own forward, or the tool, may raise
        text = str(error).splitlines()[0] if str(error) else ""
        return f"the network fails without some of its channels ({type(error).__name__}: {text})"
    if got.shape != expected.shape:
        return f"the outputs change from {tuple(expected.shape)} to {tuple(got.shape)}"
    scale = float(expected.abs().max()) + 1e-6
    by_value = not any(g.mixes for g in groups)
    if by_value and not torch.allclose(got, expected, rtol=1e-3, atol=1e-4 * scale):
        return "channels are used in a way that cannot be followed (picked by number, or averaged)"
    return ""


def _half(group: Group, front: bool) -> list[int]:
    """Half of the channels, the same of each block: the first ones, or some in no regular pattern."""
    import torch

    size = group.channels // group.blocks
    order = (
        torch.arange(size)
        if front
        else torch.randperm(size, generator=torch.Generator().manual_seed(size))
    )
    return sorted(int(c) + b * size for b in range(group.blocks) for c in order[: size // 2])


def _deaf(model: nn.Module, inputs: Inputs, removed: Mapping[str, Sequence[int]]) -> nn.Module:
    """A copy of the whole network in which nobody listens to the channels that are to go."""
    import torch

    made = copy.deepcopy(model)
    with opened(made, inputs) as graph, torch.no_grad():
        graph.deaf = True
        for root, indices in removed.items():
            module = graph.modules[root]
            prune = graph.graph.get_pruner_of_module(module).prune_out_channels
            for dep, gone in graph.graph.get_pruning_group(module, prune, list(indices)):
                target = dep.target.module
                _remember(target, graph.graph.is_out_channel_pruning_fn(dep.handler), gone)
                if (
                    target in graph.names
                    and graph._role(target, dep.handler) == "in"
                    and hasattr(target, "weight")
                ):
                    gone = torch.tensor(list(gone))
                    if getattr(target, "transposed", False):
                        target.weight[gone] = 0
                    else:
                        target.weight[:, gone % target.weight.shape[1]] = 0
    return made.eval()


def groups_table(
    groups: Sequence[Group], before: Mapping[str, int], after: Mapping[str, int]
) -> DataFrame:
    """Which layers were tied to which: number of the group, layer, role, channels before and after,
    protected and why.
    """
    import pandas as pd

    rows = []
    for number, group in enumerate(groups, start=1):
        share = after.get(group.root, group.channels) / before.get(group.root, group.channels)
        for m in group.members:
            kept = (
                after.get(m.layer, round(m.channels * share))
                if m.role in ("out", "depthwise")
                else round(m.channels * share)
            )
            rows.append(
                (number, m.layer, m.role, m.channels, kept, bool(group.protected), group.protected)
            )
    return pd.DataFrame(
        rows, columns=["group", "layer", "role", "channels", "channels_after", "protected", "why"]
    )
