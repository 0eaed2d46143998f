"""kept_operators(): the operators that torch's exporter knows, read once.

Each call of `torch.onnx.export` reads the source code of its 500 translations again, which takes
most of the time of exporting a small network. The table leaves out translations of operators that
torch does not have yet, such as those that a library for quantization brings: it is read again when
torch has more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

__all__ = ["kept_operators", "n_operators"]


@contextmanager
def kept_operators() -> Iterator[None]:
    """Let exports within this block share the table of operators; they must not add to it.

    The table is a part of torch that may move: where it is not found, each export reads it again.
    """
    try:
        from torch.onnx._internal.exporter._registration import ONNXRegistry
    except ImportError:
        yield
        return
    own = ONNXRegistry.__dict__.get("from_torchlib")
    if not isinstance(own, classmethod):
        yield
        return
    ONNXRegistry.from_torchlib = staticmethod(_operators(ONNXRegistry, own))
    try:
        yield
    finally:
        ONNXRegistry.from_torchlib = own


@cache
def _operators(registry: type, own: Any) -> Any:
    """The function that makes the table, with its results kept by the version of ONNX."""
    make = own.__get__(None, registry)

    @cache
    def kept(_n_operators: int, *args: Any, **options: Any) -> Any:
        return make(*args, **options)

    return lambda *args, **options: kept(n_operators(), *args, **options)


def n_operators() -> int:
    """The number of operators that torch has now; libraries add to them when they are imported."""
    import torch

    return len(torch._C._dispatch_get_all_op_names())
