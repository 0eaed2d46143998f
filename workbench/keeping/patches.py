"""Functions of torch and Python that refuse the proxies of torch.fx, replaced while it records."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import fx, nn
from torch.utils._pytree import tree_leaves

from workbench.keeping.load_network import FACTORIES, Factory

__all__ = ["patched"]

LIMITS = ("finfo", "iinfo")  # classes of torch that take a dtype, and no proxy of one


@contextmanager
def patched(tracer: Any, model: nn.Module) -> Iterator[None]:
    """Let `len` in the model's own files, and functions such as torch.zeros, take proxies.

    `torch.finfo` and `torch.iinfo` give the limits of the dtype that the example has.
    """
    originals = {name: getattr(torch, name) for name in (*FACTORIES, *LIMITS)}

    def factory(name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            if any(isinstance(leaf, fx.Proxy) for leaf in tree_leaves((args, kwargs))):
                return tracer.helper(Factory(name), args, kwargs)
            return originals[name](*args, **kwargs)

        return call

    def limits(name: str) -> Any:
        def dtype_of(value: Any) -> Any:
            return tracer.ask(value.node, "The dtype") if isinstance(value, fx.Proxy) else value

        def call(*args: Any, **kwargs: Any) -> Any:
            options = {key: dtype_of(value) for key, value in kwargs.items()}
            return originals[name](*map(dtype_of, args), **options)

        return call

    def length(value: Any) -> Any:
        if not isinstance(value, fx.Proxy):
            return len(value)
        if isinstance(tracer.value(value.node), torch.Tensor):
            return value.size(0)
        return tracer.length(value.node)

    own = [type(m).forward for m in model.modules() if not type(m).__module__.startswith("torch.")]
    files = [f.__globals__ for f in own if "len" not in getattr(f, "__globals__", {"len": len})]
    try:
        for name in FACTORIES:
            setattr(torch, name, factory(name))
        for name in LIMITS:
            setattr(torch, name, limits(name))
        for names in files:
            names["len"] = length
        yield
    finally:
        for name, original in originals.items():
            setattr(torch, name, original)
        for names in files:
            names.pop("len", None)
