"""Which output of a network counts, and a network that gives this output alone.

Without a choice it is `logits` (an attribute or a key), else the only or first tensor. A choice is
a name (attribute, key, field of a named tuple) or a place.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any

from workbench.errors import CandidateError

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["answering", "first_tensor", "named_outputs"]

Output = str | int | None


def first_tensor(outputs: Any) -> torch.Tensor:
    """The main tensor of a network's outputs: itself, its `logits`, or the first of several.

    Raises CandidateError for outputs that are no tensor and hold none.
    """
    if hasattr(outputs, "detach"):
        return outputs
    tensors = named_outputs(outputs)
    if not tensors:
        raise CandidateError(
            f"The model returned {type(outputs).__name__}; it must return a tensor, a tuple, a "
            "mapping, or an object with `.logits`."
        )
    return tensors.get("logits", next(iter(tensors.values())))


def named_outputs(outputs: Any) -> dict[str | int, torch.Tensor]:
    """Tensors of a network's outputs by their names, or by their places in a tuple."""
    if hasattr(outputs, "detach"):
        return {0: outputs}
    items: Any
    if isinstance(outputs, Mapping):
        items = outputs.items()
    elif hasattr(outputs, "_fields"):
        items = zip(outputs._fields, outputs, strict=True)
    elif isinstance(outputs, (tuple, list)):
        items = enumerate(outputs)
    else:
        items = getattr(outputs, "__dict__", {}).items()
    return {name: value for name, value in items if hasattr(value, "detach")}


def answering(model: nn.Module, output: Output = None) -> nn.Module:
    """The same network, changed to give one tensor; its layers keep their names.

    Its class becomes a subclass of its own class whose `forward` picks the output; a network that
    gives this output already stays as it is. Calls raise CandidateError when there is no such
    output.
    """
    kind = type(model)
    if vars(kind).get("_given_output", ...) == output:
        return model

    class Answering(kind):  # type: ignore[misc, valid-type]
        _given_output = output

        @wraps(kind.forward)
        def forward(self, *args: Any, **kwargs: Any) -> Any:
            return _picked(kind.forward(self, *args, **kwargs), output)

    Answering.__name__ = Answering.__qualname__ = kind.__name__
    model.__class__ = Answering
    return model


def _picked(outputs: Any, output: Output) -> torch.Tensor:
    if output is None:
        return first_tensor(outputs)
    tensors = named_outputs(outputs)
    if isinstance(output, int) and output not in tensors:
        tensors = dict(enumerate(tensors.values()))
    if output not in tensors:
        names = ", ".join(map(repr, tensors)) or "none"
        raise CandidateError(f"`output={output!r}` is no output of the model: it gives {names}.")
    return tensors[output]
