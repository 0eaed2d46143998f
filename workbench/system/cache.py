"""Results that cost time, kept as they are found: a kill loses the one under way, and the next run
goes on after the last.

One file of JSON lines a key. The key is a `fingerprint` of all that decides the results (weights,
rows, settings), so that nothing stale is ever read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Cache", "fingerprint"]


class Cache:
    """Named results under one key, in a folder that the runs of one root share."""

    def __init__(self, folder: Path, key: str) -> None:
        self.path = Path(folder) / f"{key}.jsonl"
        self._known: dict[str, Any] = {}
        if self.path.exists():
            for line in self.path.read_bytes().splitlines():
                try:
                    entry = json.loads(line)
                    self._known[entry["name"]] = entry["value"]
                except (ValueError, TypeError, KeyError):
                    continue  # a line torn by a kill: it is found again

    def get(self, name: str) -> Any:
        """The value kept under a name, or None."""
        return self._known.get(name)

    def put(self, name: str, value: Any) -> None:
        """Keep a value that JSON can hold; it is on disk when this returns."""
        self._known[name] = value
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"name": name, "value": value}, default=_plain)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"\n{line}\n")  # a torn line before it must not take this one with it

    def __len__(self) -> int:
        return len(self._known)


def fingerprint(*parts: Any) -> str:
    """A short hash of arrays, bytes, torch modules (by weights and structure), rows, settings, and
    plain values, in order.
    """
    sha = hashlib.sha256()
    for part in parts:
        _add(sha, part)
    return sha.hexdigest()[:16]


def _add(sha: Any, part: Any) -> None:
    if isinstance(part, bytes):
        sha.update(b"bytes" + part)
    elif isinstance(part, np.ndarray):
        sha.update(f"array {part.dtype} {part.shape}".encode())
        sha.update(
            repr(part.tolist()).encode()
            if part.dtype.hasobject
            else np.ascontiguousarray(part).tobytes()
        )
    elif hasattr(part, "state_dict"):
        sha.update(f"module {part}".encode())
        for name, tensor in part.state_dict().items():
            if hasattr(tensor, "detach"):
                _add(sha, name)
                _add(sha, tensor.detach().cpu().float().numpy())
    elif hasattr(part, "digest"):
        sha.update(f"rows {part.digest}".encode())
    elif hasattr(part, "model_dump_json"):
        sha.update(f"settings {type(part).__name__} {part.model_dump_json()}".encode())
    elif isinstance(part, Mapping):
        for name in sorted(part):
            _add(sha, str(name))
            _add(sha, part[name])
    elif isinstance(part, (list, tuple)):
        sha.update(f"list {len(part)}".encode())
        for one in part:
            _add(sha, one)
    else:
        sha.update(f"{type(part).__name__} {part!r}".encode())


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)
