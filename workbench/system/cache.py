"""Cache of results that take long to compute; after a kill, all finished results are still there.

Each key has one file of JSON lines. The key is a `fingerprint` of everything that the results
depend on (weights, rows, settings), so that no outdated result is ever read.
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
    """Named results under one key, in a folder that all runs of one root share."""

    def __init__(self, folder: Path, key: str) -> None:
        self.path = Path(folder) / f"{key}.jsonl"
        self._results: dict[str, Any] = {}
        if self.path.exists():
            for line in self.path.read_bytes().splitlines():
                try:
                    entry = json.loads(line)
                    self._results[entry["name"]] = entry["value"]
                except (ValueError, TypeError, KeyError):
                    continue  # partly written before a kill: the result is computed again

    def get(self, name: str) -> Any:
        """The result of this name, or None."""
        return self._results.get(name)

    @classmethod
    def at(cls, path: Path) -> Cache:
        """The results in a file of this path, whose name ends in `.jsonl`."""
        return cls(path.parent, path.stem)

    def results(self) -> dict[str, Any]:
        """All results by name."""
        return dict(self._results)

    def put(self, name: str, value: Any) -> None:
        """Keep a result that JSON can hold; it is in the file when this returns."""
        self._results[name] = value
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"name": name, "value": value}, default=_plain)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"\n{line}\n")  # the last line may be partly written: start a new one

    def __len__(self) -> int:
        return len(self._results)


def fingerprint(*parts: Any) -> str:
    """A hash of 16 digits over all parts, in order.

    A part is an array, bytes, a torch module (its weights and structure), rows, settings, a plain
    value, or a mapping or sequence of these.
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
        for element in part:
            _add(sha, element)
    else:
        sha.update(f"{type(part).__name__} {part!r}".encode())


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)
