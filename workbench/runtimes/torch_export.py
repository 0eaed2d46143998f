"""exported(): a torch network as the content of an ONNX file, by torch's own exporter."""

from __future__ import annotations

import inspect
import io
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.data.tensors import tensor
from workbench.errors import ExportError, line_of
from workbench.runtimes.exporter_operators import kept_operators
from workbench.runtimes.feeding import graph_names
from workbench.runtimes.graphs import stripped
from workbench.runtimes.to_onnx import OPSET, free_dims, quiet

if TYPE_CHECKING:
    from torch import nn

__all__ = ["exported", "onnx_content"]

# The exporter's first way runs `forward` as Python, where `len(x)` is a number; the second, slower
# way compiles it, and keeps such numbers free.
WAYS = (False, True)


def exported(model: nn.Module, inputs: Mapping[str, np.ndarray], name: str) -> bytes:
    """A graph with a free batch, and a free length of sequences where the model allows it.

    `model` is on the processor in evaluation mode and gives one tensor; `inputs` are prepared rows
    `(rows, ...)`, two at least. Raises ExportError with the line of the exporter that says why.
    """
    # three rows: neither one, nor a usual fixed size
    rows = {n: np.concatenate([a[:2], a[:1]]) for n, a in inputs.items()}
    tensors = {n: tensor(a, "cpu") for n, a in rows.items()}
    errors: list[Exception] = []
    for strict in WAYS:
        try:
            with quiet():
                return stripped(_graph(model, tensors, strict=strict))
        except Exception as error:  # of torch.export, of onnxscript, or of the user's `forward`
            errors.append(error)
            if not _fixes_a_size(error):
                break
    raise ExportError(
        f"`{name}` cannot be written as ONNX by torch.onnx.export: {_reason(errors[0])}"
    ) from errors[0]


def _graph(model: nn.Module, tensors: Mapping[str, Any], *, strict: bool) -> bytes:
    import torch

    accepted = inspect.signature(model.forward).parameters
    names = list(graph_names(tensors).values())
    shapes = {n: free_dims(t) for n, t in tensors.items()}
    by_name = len(tensors) > 1 and all(n in accepted for n in tensors)
    args = () if by_name else tuple(tensors.values())
    kwargs = dict(tensors) if by_name else {}
    free: Any = shapes if by_name else tuple(shapes.values())
    if not strict:
        return onnx_content(model, names, args=args, kwargs=kwargs, dynamic_shapes=free)
    with _globals_at_hand(model):
        program = torch.export.export(model, args, kwargs, dynamic_shapes=free, strict=True)
    return onnx_content(program, names)


def onnx_content(program: Any, input_names: list[str], **arguments: Any) -> bytes:
    """The content of an ONNX file of a network, or of an exported program, with one output.

    `arguments` are further ones of `torch.onnx.export`, whose errors pass.
    """
    import torch

    with kept_operators():
        result = torch.onnx.export(
            program,
            **arguments,
            dynamo=True,
            opset_version=OPSET,
            input_names=input_names,
            output_names=["output"],
            verbose=False,
        )
    buffer = io.BytesIO()
    result.optimize()
    result.save(buffer)
    return buffer.getvalue()


@contextmanager
def _globals_at_hand(model: nn.Module) -> Iterator[None]:
    """Let the compiler find the globals of classes that came from a notebook.

    It looks them up in the module that a class names. In a run's process, `__main__` is another.
    """
    added: list[tuple[Any, str]] = []
    for kind in {type(m) for m in model.modules()}:
        module = sys.modules.get(kind.__module__)
        forward = inspect.unwrap(kind.forward)
        for name, value in getattr(forward, "__globals__", {}).items():
            if module is not None and not hasattr(module, name):
                setattr(module, name, value)
                added.append((module, name))
    try:
        yield
    finally:
        for module, name in added:
            delattr(module, name)


def _chain(error: BaseException | None) -> list[BaseException]:
    """The error and those that it was raised from, the outermost first."""
    errors: list[BaseException] = []
    while error is not None and error not in errors:
        errors.append(error)
        error = error.__cause__ or error.__context__
    return errors


def _fixes_a_size(error: Exception) -> bool:
    """Whether the reason is that the code made a free size a number."""
    signs = ("specialized it to be a constant", "inferred a static shape")
    return any(sign in str(e) for e in _chain(error) for sign in signs)


def _reason(error: Exception) -> str:
    """The sentence of the exporter that tells the cause, and the way out."""
    if _fixes_a_size(error):
        return (
            "its code takes the number of rows as a constant (the exporter says that a static "
            "shape was inferred): use `x.shape[0]` in place of `len(x)`, and sizes read from "
            "tensors in place of numbers."
        )
    cause = _chain(error)[-1]
    unsupported = re.search(r"No ONNX function found for <OpOverload\(op='([^']+)'", str(cause))
    if unsupported:
        return f"its operator `{unsupported.group(1)}` has no ONNX form. Rewrite that part."
    lines = [line for e in reversed(_chain(error)) for line in str(e).splitlines()]
    told = [line.strip() for line in lines if line.strip() and not _is_chatter(line)]
    text = told[0] if told else line_of(cause)
    return (
        f"{text.rstrip('.:')}. Models whose control flow depends on values, or that use operators "
        "without an ONNX form, need that part rewritten."
    )


def _is_chatter(line: str) -> bool:
    """Whether a line of an error is decoration, advice on logs, or points elsewhere."""
    text = line.strip()
    marks = ("Refer to the full stack trace", "TORCH_LOGS", "draft_export", "The error above")
    no_words = not re.search("[A-Za-z]{3}", text)
    return (
        no_words or any(mark in text for mark in marks) or text.startswith(("File ", "Failed to"))
    )
