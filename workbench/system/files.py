"""Writing files so that a kill never leaves half of one."""

from __future__ import annotations

import json
import os
import shutil
import threading
from pathlib import Path
from typing import Any

__all__ = ["move_folder", "read_json", "write_bytes", "write_json", "write_text"]


def write_bytes(path: Path, content: bytes) -> Path:
    """Write beside, then replace: readers see the old file or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path


def write_text(path: Path, content: str) -> Path:
    return write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, content: Any) -> Path:
    return write_text(path, json.dumps(content, indent=1, default=str))


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def move_folder(source: Path, target: Path) -> Path:
    """Put a finished folder in its place in one move; a half-finished one from before a kill makes
    way.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        shutil.rmtree(target)
    os.replace(source, target)
    return target
