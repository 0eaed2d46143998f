"""Folders of runs: where they lie, and new ones."""

from __future__ import annotations

import os
from pathlib import Path

from workbench.errors import RunError

__all__ = ["new_folder", "run_folders", "runs_root", "slug"]


def runs_root(root: str | Path | None = None) -> Path:
    """The folder of all runs, absolute.

    It is `root`, else the variable WORKBENCH_RUNS, else `runs` in the working folder.
    """
    return Path(root or os.environ.get("WORKBENCH_RUNS") or "runs").expanduser().resolve()


def run_folders(root: str | Path | None = None) -> list[Path]:
    """Folders of all runs under the root, the oldest first."""
    return sorted(p.parent for p in runs_root(root).glob("*/run.json"))


def new_folder(root: Path, name: str) -> Path:
    """Make a new folder of a run; a number is added to a name that is taken."""
    for suffix in ("", *(f"-{n}" for n in range(2, 1000))):
        folder = root / f"{name}{suffix}"
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            continue
    raise RunError(f"{root} holds too many runs called {name}.")


def slug(text: str) -> str:
    """A text as a part of a folder's name: letters, digits and hyphens, 40 at most."""
    return "".join(c if c.isalnum() else "-" for c in text).strip("-")[:40]
