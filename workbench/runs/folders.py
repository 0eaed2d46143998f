"""Folders of runs: where they lie, and new ones."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench.errors import RunError, sentence_of

__all__ = ["is_full", "new_folder", "run_folders", "runs_root", "slug", "telling_storage"]

LEAST_FREE_MIB = 64  # a run keeps its networks, and must be able to write how it ended
WAY_OUT = "choose another folder as `root` (`--root`), or by the variable WORKBENCH_RUNS"


def runs_root(root: str | Path | None = None) -> Path:
    """The folder of all runs, absolute.

    It is `root`, else the variable WORKBENCH_RUNS, else `runs` in the working folder. Raises
    RunError for text that is no path.
    """
    path = root or os.environ.get("WORKBENCH_RUNS") or "runs"
    try:
        return Path(path).expanduser().resolve()
    except (OSError, ValueError, RuntimeError) as error:  # a null byte, no such user, a circle
        raise RunError(
            f"{str(path)[:200]!r} cannot be a folder of runs: {sentence_of(error)}"
        ) from error


def run_folders(root: str | Path | None = None) -> list[Path]:
    """Folders of all runs under the root, the oldest first."""
    return sorted(p.parent for p in runs_root(root).glob("*/run.json"))


def new_folder(root: Path, name: str) -> Path:
    """Make a new folder of a run; a number is added to a name that is taken.

    Raises RunError for a root that is a file, that this user cannot write, or that is full.
    """
    with telling_storage(root):
        root.mkdir(parents=True, exist_ok=True)
        if is_full(root):
            raise OSError(errno.ENOSPC, f"less than {LEAST_FREE_MIB} MiB are free")
        return _made(root, name)


@contextmanager
def telling_storage(folder: Path) -> Iterator[None]:
    """Inside, an error of the file system about a folder becomes a RunError with a way out.

    Other errors pass, those about files elsewhere too.
    """
    try:
        yield
    except OSError as error:
        file = Path(error.filename) if isinstance(error.filename, (str, os.PathLike)) else folder
        is_here = file == folder or folder in file.parents or file in folder.parents
        if not is_here:
            raise
        text = f"Runs cannot be kept in {str(folder)[:300]}: {_reason(folder, error)}."
        raise RunError(text) from error


def is_full(folder: Path) -> bool:
    """Whether too little is free on the disk of a folder for a run."""
    try:
        return shutil.disk_usage(folder).free < LEAST_FREE_MIB * 2**20
    except OSError:
        return False


def _reason(folder: Path, error: OSError) -> str:
    """The cause of an error of the file system and the way out, in words."""
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        file = next((p for p in (folder, *folder.parents) if os.path.isfile(p)), folder)
        return f"{file} is a file, and must be a folder; {WAY_OUT}"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"this user cannot write there ({error.strerror}); change its rights, or {WAY_OUT}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"the disk is full ({error.strerror}); delete old runs, or {WAY_OUT}"
    if error.errno == errno.ENAMETOOLONG:
        return f"the path is too long; {WAY_OUT}"
    return f"{error.strerror or error}; {WAY_OUT}"


def _made(root: Path, name: str) -> Path:
    for suffix in ("", *(f"-{n}" for n in range(2, 1000))):
        folder = root / f"{name}{suffix}"
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            continue
    raise RunError(f"{root} holds too many runs called {name}.")


def slug(text: str) -> str:
    """A text as a part of a folder's name: letters, digits and hyphens, 40 at most."""
    return "".join(c if c.isalnum() else "-" for c in text).strip("-")[:40]
