"""Signatures of the private files of a run, by a key of the user's own.

A sealed task is a pickle, and reading a pickle runs code. So a run reads only what the same user
sealed on this machine: the files carry a signature by a key that nobody else can read.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from workbench.errors import RunError
from workbench.system.files import write_text
from workbench.system.user_folders import config_folder

__all__ = ["check_signature", "key_file", "sign"]

SIGNATURE = "signature"
KEY_BYTES = 32


def key_file() -> Path:
    """Where the user's key lies: under WORKBENCH_HOME, else under the user's configuration."""
    return config_folder() / "key"


def sign(folder: Path, names: Sequence[str]) -> None:
    """Write the signature of some files of a folder beside them."""
    write_text(folder / SIGNATURE, _signature(folder, names))


def check_signature(folder: Path, names: Sequence[str]) -> None:
    """Raise RunError unless these files are as this user signed them."""
    path = folder / SIGNATURE
    kept = path.read_text(encoding="utf-8") if path.exists() else ""
    if not hmac.compare_digest(kept, _signature(folder, names)):
        reason = "were changed since they were sealed" if kept else "carry no signature of yours"
        raise RunError(
            f"The private files in {folder} {reason}. They hold a pickle, which runs code when it "
            "is read, so they are not read. If you know who wrote them, go on with `workbench "
            "resume RUN --trust`, or `run.resume(trust=True)`."
        )


def _signature(folder: Path, names: Sequence[str]) -> str:
    signed = hmac.new(_key(), digestmod=hashlib.sha256)
    for name in sorted(names):
        path = folder / name
        content = path.read_bytes() if path.exists() else b""
        signed.update(f"{name} {len(content)}\n".encode() + content)
    return signed.hexdigest()


def _key() -> bytes:
    """The user's key, made at first use with mode 0600.

    Raises RunError where this user cannot keep it.
    """
    path = key_file()
    try:
        return _read_or_made(path)
    except OSError as error:
        raise RunError(
            f"The key that signs the private files of runs cannot be kept in {path.parent} "
            f"({error.strerror}): set WORKBENCH_HOME to a folder that you can write."
        ) from error


def _read_or_made(path: Path) -> bytes:
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
    try:
        os.link(part, path)  # fails where another process was first: then its key is taken
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return _read(path)


def _read(path: Path) -> bytes:
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise RunError(f"{path} is no key of {KEY_BYTES} bytes: delete it to have a new one made.")
    if os.name != "nt" and path.stat().st_mode & 0o077:
        path.chmod(0o600)
    return key
