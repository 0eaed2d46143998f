"""The calls between the layers of a network, as torch.fx records them.

torch.fx runs `forward` once on proxies and records the calls on them. The proxies of this file also
have example values. So Python code that needs a size (`if x.dim() == 3`, `range(x.size(1))`,
`*x.shape`) gets the size of the example. The graph keeps it as a constant, and a note says so. Code
that needs values of the data, which differ from row to row, is refused.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any

import torch
from torch import fx, nn

from workbench.keeping.load_network import (
    ATTRIBUTES,
    FUNCTIONS,
    HELPERS,
    METHODS,
    Gather,
    StructureError,
    named_tensors,
)
from workbench.keeping.patches import patched
from workbench.keeping.specs import encode

__all__ = ["follow"]

_NAMES = {function: name for name, function in reversed(FUNCTIONS.items())}


class _Answers:
    """Real numbers of a proxy, where Python needs them: those of the tracer's example values."""

    node: fx.Node
    tracer: _Tracer

    def __getattr__(self, name: str) -> _Attribute:
        return _Attribute(self, name)

    def __int__(self) -> int:
        return int(self.tracer.ask(self.node, "The number"))

    def __float__(self) -> float:
        return float(self.tracer.ask(self.node, "The number"))

    __index__ = __int__

    def __len__(self) -> int:
        return self.tracer.length(self.node)

    def __iter__(self: Any) -> Iterator[Any]:
        return iter([self[index] for index in range(len(self))])


class _Proxy(_Answers, fx.Proxy):
    pass


class _Attribute(_Answers, fx.proxy.Attribute):
    pass


class _Tracer(fx.Tracer):
    """The tracer of torch.fx with example values; `at` is the innermost module that failed."""

    proxy_buffer_attributes = True

    def __init__(self, inputs: Mapping[str, torch.Tensor]) -> None:
        super().__init__()
        self.inputs = inputs
        self.at = ""
        self.notes: dict[str, None] = {}  # in order, each once
        self.values: dict[fx.Node, Any] = {}
        self.answering = False

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        is_helper = isinstance(m, tuple(HELPERS.values()))
        return is_helper or super().is_leaf_module(m, module_qualified_name)

    def proxy(self, node: fx.Node) -> _Proxy:
        return _Proxy(node, self)

    def create_args_for_root(
        self, root_fn: Any, is_module: bool, concrete_args: Any = None
    ) -> tuple[Any, list[Any]]:
        proxies = {name: self.create_proxy("placeholder", name, (), {}) for name in self.inputs}
        accepted = inspect.signature(self.root.forward).parameters
        # By name or by place, as in `workbench.models.networks.call_model`.
        by_name = len(proxies) > 1 and all(name in accepted for name in proxies)

        def run(root: nn.Module) -> Any:
            outputs = root_fn(root, **proxies) if by_name else root_fn(root, *proxies.values())
            return self._plain(outputs)

        return run, [self.root]

    def _plain(self, outputs: Any) -> Any:
        """Outputs as tensors, tuples and dicts; an object with `.logits` becomes `Fields`."""
        if isinstance(outputs, fx.Proxy) or outputs is None:
            return outputs
        if hasattr(outputs, "logits"):
            return self.helper(Gather(), (), _fields(outputs))
        if isinstance(outputs, Mapping):
            return dict(outputs)
        if isinstance(outputs, (tuple, list)):
            return tuple(outputs)
        raise StructureError(
            f"forward returns a {type(outputs).__name__}; return a tensor, a tuple, a dict or an "
            "object with `.logits`"
        )

    def helper(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> fx.Proxy:
        """A call of a helper module of load_network.py, which is added to the copied network."""
        name = f"_helper_{sum(isinstance(m, tuple(HELPERS.values())) for m in self.root.modules())}"
        self.root.add_module(name, module)
        return self.create_proxy("call_module", name, args, kwargs)

    def call_module(
        self, m: nn.Module, forward: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if self.answering or not self._is_installed(m):
            return forward(*args, **kwargs)
        try:
            return super().call_module(m, forward, args, kwargs)
        except Exception:
            self.at = self.at or self.path_of_module(m)
            raise

    def _is_installed(self, module: nn.Module) -> bool:
        """Whether a module is part of the network; `forward` may also make one, as `nn.ReLU()(x)`.

        The calls inside such a module are recorded as calls of `forward`. Raises StructureError if
        it has tensors, which are new in each call.
        """
        if module is self.root or module in self.submodule_paths:
            return True
        if any(True for _ in named_tensors(module)):
            raise StructureError(
                f"forward makes a new {type(module).__name__} with new weights in each call; make "
                "it in the constructor"
            )
        return False

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        if self.answering:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)

    def to_bool(self, obj: fx.Proxy) -> bool:
        return bool(self.ask(obj.node, "The branch"))

    def value(self, node: fx.Node) -> Any:
        """The value of a node for the example inputs.

        All nodes before it run first, in order, as some change their arguments in place.
        """
        self.answering = True
        try:
            with torch.no_grad():
                for each in self.graph.nodes:
                    if each not in self.values:
                        self.values[each] = self._run(each)
        finally:
            self.answering = False
        return self.values[node]

    def _run(self, node: fx.Node) -> Any:
        args, kwargs = fx.node.map_arg((node.args, node.kwargs), lambda n: self.values[n])
        if node.op == "placeholder":
            return self.inputs[node.target]
        if node.op == "get_attr":
            return reduce(getattr, node.target.split("."), self.root)
        if node.op == "call_module":
            return self.root.get_submodule(node.target)(*args, **kwargs)
        if node.op == "call_function":
            return node.target(*args, **kwargs)
        return getattr(args[0], node.target)(*args[1:], **kwargs)

    def ask(self, node: fx.Node, what: str) -> Any:
        """The value of a node, which becomes a constant of the graph; a note says so.

        Raises StructureError for a tensor, as its values are those of the data.
        """
        value = self.value(node)
        if isinstance(value, torch.Tensor):
            raise StructureError(
                f"forward turns values of the data (`{node.name}`) into a Python number or a "
                "decision"
            )
        self.notes[f"{what} `{node.name}` in {_where(node)} is fixed as {value}."] = None
        return value

    def length(self, node: fx.Node) -> int:
        """The length of a node's value; that of a tensor becomes a constant of the graph."""
        value = self.value(node)
        if isinstance(value, torch.Tensor):
            note = f"The length of `{node.name}` in {_where(node)} is fixed as {len(value)}."
            self.notes[note] = None
        return len(value)


def _fields(outputs: Any) -> dict[str, Any]:
    """The named outputs of an object: of a named tuple, a mapping, or its attributes."""
    if isinstance(outputs, tuple):
        return outputs._asdict()  # type: ignore[attr-defined]  # a tuple with `.logits` has names
    return dict(outputs if isinstance(outputs, Mapping) else vars(outputs))


def _where(node: fx.Node) -> str:
    stack = list(node.meta.get("nn_module_stack", {}).values())
    return f"`{stack[-1][0]}`" if stack else "the network's own forward"


def follow(
    model: nn.Module, inputs: Mapping[str, torch.Tensor], unreadable: Mapping[str, str]
) -> tuple[list[dict[str, Any]], list[str]]:
    """The calls of `forward` as JSON nodes, and notes on the sizes that are fixed in them.

    It may add helper modules to `model`. `unreadable` holds the reason for each layer that cannot
    be kept. Raises StructureError that names the layer or operator.
    """
    tracer = _Tracer(inputs)
    try:
        with patched(tracer, model):
            graph = tracer.trace(model)
    except Exception as error:  # the user's own forward may raise any error on proxies
        where = "the network's own forward"
        if tracer.at:
            where = f"`{tracer.at}` ({type(model.get_submodule(tracer.at)).__name__})"
        raise StructureError(f"{where} cannot be followed: {error}.") from error
    return [_written(node, unreadable) for node in graph.nodes], list(tracer.notes)


def _written(node: fx.Node, unreadable: Mapping[str, str]) -> dict[str, Any]:
    target = node.target
    if node.op == "call_function":
        target = _NAMES.get(target, getattr(target, "__qualname__", str(target)))
    if node.op == "call_module" and target in unreadable:
        raise StructureError(f"layer `{target}` cannot be kept: {unreadable[target]}.")
    allowed = {
        "call_function": target in FUNCTIONS,
        "call_method": str(target).removesuffix("_") in METHODS,
    }.get(node.op, True)
    if target == "getattr" and node.args[1] not in ATTRIBUTES:
        target = f"getattr .{node.args[1]}"
        allowed = False
    if not allowed:
        raise StructureError(
            f"`{target}` in {_where(node)} is not among the operators that can be kept."
        )
    try:
        kwargs = {name: encode(value) for name, value in node.kwargs.items()}
        return {
            "op": node.op,
            "name": node.name,
            "target": target,
            "args": [encode(a) for a in node.args],
            "kwargs": kwargs,
        }
    except StructureError as error:
        raise StructureError(f"`{target}` in {_where(node)}: {error}.") from error
