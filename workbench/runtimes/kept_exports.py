"""ONNX files of networks, kept in the user's cache: writing one takes seconds, and runs repeat.

The key is a hash of weights, structure, plain attributes, code, kinds of inputs and versions. A
caller compares the outputs of a file with those of the network, and calls `forget` where they
differ.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.system.cache import fingerprint
from workbench.system.files import write_bytes
from workbench.system.machine import host
from workbench.system.user_folders import cache_folder

if TYPE_CHECKING:
    from torch import nn

__all__ = ["forget", "kept_export"]

LARGEST = 64 * 2**20  # bytes of a file that is kept
MOST_FILES = 40  # the files that were not used for the longest time go first
MOST_BYTES = 512 * 2**20  # of all files together


def kept_export(
    model: nn.Module, inputs: Mapping[str, np.ndarray], make: Callable[[], bytes]
) -> bytes:
    """The content of a network's ONNX file: the kept one, else that of `make()`.

    `inputs` are prepared rows `(rows, ...)`. A cache that cannot be read or written is passed over.
    """
    file = _folder() / f"{_key(model, inputs)}.onnx"
    with suppress(OSError):
        content = file.read_bytes()
        if content:
            file.touch()
            return content
    content = make()
    if len(content) <= LARGEST:
        with suppress(OSError):
            write_bytes(file, content)
            _drop_oldest()
    return content


def forget(content: bytes) -> bool:
    """Delete the kept files with this content; returns whether there was one."""
    found = False
    with suppress(OSError):
        for file in _folder().glob("*.onnx"):
            if file.stat().st_size == len(content) and file.read_bytes() == content:
                file.unlink()
                found = True
    return found


def _folder() -> Path:
    return cache_folder() / "exports"


def _key(model: nn.Module, inputs: Mapping[str, np.ndarray]) -> str:
    code = sorted({_code_of(type(module)) for module in model.modules()})
    plain = [[name, _plain_values(module)] for name, module in model.named_modules()]
    hidden = {name: b.detach().cpu().numpy() for name, b in model.named_buffers()}
    rows = {name: (str(a.dtype), np.shape(a)[1:]) for name, a in inputs.items()}
    return fingerprint(model, code, plain, hidden, rows, host().versions)


def _plain_values(module: nn.Module) -> list[str]:
    """Numbers, texts and other values without an address, which `forward` may read."""
    kinds = (bool, int, float, str, bytes, tuple, list, type(None))
    own = {n: v for n, v in vars(module).items() if not n.startswith("_")}
    return sorted(f"{name} {value!r}" for name, value in own.items() if isinstance(value, kinds))


def _code_of(kind: type[Any]) -> str:
    """The name of a class and the code of its `forward`, without the places of its lines."""
    code = getattr(inspect.unwrap(kind.forward), "__code__", None)
    if code is None:
        return kind.__qualname__
    return f"{kind.__qualname__} {code.co_code!r} {code.co_names!r} {_constants(code)!r}"


def _constants(code: Any) -> list[Any]:
    """Constants of a function; those of functions inside it in place of their addresses."""
    return [[c.co_code, _constants(c)] if hasattr(c, "co_code") else c for c in code.co_consts]


def _drop_oldest() -> None:
    files = sorted(_folder().glob("*.onnx"), key=lambda f: f.stat().st_mtime, reverse=True)
    total = 0
    for place, file in enumerate(files):
        total += file.stat().st_size
        if place >= MOST_FILES or total > MOST_BYTES:
            file.unlink(missing_ok=True)
