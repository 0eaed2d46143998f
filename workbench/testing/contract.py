"""Parts that all contracts share: the fixture `declared`, registration while testing, content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from workbench.system.registry import Registry

__all__ = ["Contract", "change", "content_of", "registered"]


class Contract:
    """Root of all contracts; `declared` is the thing under test."""

    @pytest.fixture
    def declared(self) -> Any:
        """The thing under test; every subclass gives it."""
        raise TypeError(
            f"`{type(self).__name__}` has nothing to test: give it a fixture `declared` that "
            "returns the technique, form, runtime, metric or task."
        )


@contextmanager
def registered(registry: Registry[Any], name: str, thing: Any) -> Iterator[None]:
    """Inside, a registry finds a thing that no package has registered yet.

    A thing that is registered stays as it is, so that its own entry point is tested.
    """
    if name in registry:
        yield
        return
    registry._places[name] = [thing]
    try:
        yield
    finally:
        registry._places.pop(name, None)
        registry._loaded.pop(name, None)


def content_of(model: Any) -> str:
    """A hash of all that a model holds: weights, attributes, and the mode of each torch module."""
    if isinstance(model, bytes):
        return hashlib.sha256(model).hexdigest()
    if not hasattr(model, "state_dict"):
        import joblib

        return str(joblib.hash(model))
    digest = hashlib.sha256()
    for name, weight in model.state_dict().items():
        digest.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
        digest.update(np.ascontiguousarray(weight.detach().cpu().float().numpy()).tobytes())
    digest.update("".join(str(int(m.training)) for m in model.modules()).encode())
    return digest.hexdigest()


def change(model: Any) -> int:
    """Add 1 to every number that a model holds, in place; returns the number of arrays changed.

    Of a torch module these are its parameters, of other objects the float arrays among their
    attributes, those of the parts of a pipeline included.
    """
    if hasattr(model, "parameters") and hasattr(model, "state_dict"):
        parameters = list(model.parameters())
        for parameter in parameters:
            parameter.data.add_(1.0)
        return len(parameters)
    n_changed = 0
    for value in vars(model).values() if hasattr(model, "__dict__") else ():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            value += 1.0
            n_changed += 1
    for _, part in getattr(model, "steps", ()):
        n_changed += change(part)
    return n_changed
