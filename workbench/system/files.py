"""Files: written completely or not at all, and checked when they are read."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workbench.errors import FileError, shown
from workbench.system.records import misfit
from workbench.system.texts import UnreadableText, read_text

# What reading a content of another shape raises
UNFIT = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    IndexError,
    RecursionError,
    ArithmeticError,
)

__all__ = [
    "UNFIT",
    "checked_bytes",
    "move_folder",
    "path_of",
    "read_json",
    "sha256_of",
    "write_bytes",
    "write_json",
    "write_text",
]


def write_bytes(path: Path, content: bytes) -> Path:
    """Write a file and return its path; readers see the old content or all of the new content.

    The content goes to a temporary file in the same folder, which then replaces the old file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path


def write_text(path: Path, content: str) -> Path:
    """Write a text as UTF-8, as `write_bytes` does."""
    return write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, content: Any) -> Path:
    """Write JSON, as `write_bytes` does; objects that JSON does not know become text."""
    return write_text(path, json.dumps(content, indent=1, default=str))


def path_of(value: Any, *, error: Callable[[str], Exception] = FileError) -> Path:
    """The path that a value is, `~` replaced; whether there is a file does not matter.

    Raises `error` with a message for a value that is no path, and for a text that no path can be.
    """
    try:
        path = Path(value).expanduser()
        path.exists()
    except (TypeError, ValueError, OSError, RuntimeError) as problem:
        reason = getattr(problem, "strerror", None) or "give text, or a pathlib.Path"
        raise error(f"{shown(value)} cannot be a path: {reason}.") from problem
    return path


def read_json(
    path: Path,
    read: Callable[[Any], Any] | None = None,
    *,
    error: Callable[[str], Exception] = FileError,
) -> Any:
    """The content of a JSON file, or the object that `read` makes of it.

    Raises `error` with a message for a file that is missing or no JSON, and where `read` does not
    find what it needs: it may raise KeyError, TypeError, ValueError and their like.
    """
    try:
        content = json.loads(read_text(path))
    except UnreadableText as problem:
        raise error(str(problem)) from problem
    except (ValueError, RecursionError) as problem:
        reason = str(problem) if isinstance(problem, ValueError) else "too many levels"
        raise error(
            f"{path} is damaged: it holds no JSON ({reason}). Copy it again, or make it again."
        ) from problem
    try:
        return content if read is None else read(content)
    except UNFIT as problem:
        raise error(
            f"{path} is damaged: {misfit(problem)}. Copy it again, or make it again."
        ) from problem


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, as 64 hexadecimal digits; the file is read in parts."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checked_bytes(
    path: Path, sha256: str, error: Callable[[str], Exception], *, way_out: str
) -> bytes:
    """The content of a file, after a check that its SHA-256 is `sha256`.

    Raises `error` with a message for a missing file and for one with another hash. `way_out` is
    the last part of the message, such as "install the package again".
    """
    if not path.is_file():
        raise error(f"{path} is missing: {way_out}.")
    content = path.read_bytes()
    actual = hashlib.sha256(content).hexdigest()
    if actual != sha256:
        raise error(
            f"{path} was changed: its SHA-256 begins with {actual[:12]}, and must begin with "
            f"{sha256[:12]}: {way_out}."
        )
    return content


def move_folder(source: Path, target: Path) -> Path:
    """Move a finished folder to its place, in one step; an unfinished folder there is removed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        shutil.rmtree(target)
    os.replace(source, target)
    return target
