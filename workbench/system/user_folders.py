"""Folders of the user outside of any project: for keys, and for what may be deleted at any time."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["cache_folder", "config_folder"]


def config_folder() -> Path:
    """The folder for the user's key: WORKBENCH_HOME, else `workbench` in the configuration."""
    home = os.environ.get("WORKBENCH_HOME")
    if home:
        return Path(home).expanduser()
    base = os.environ.get("APPDATA") if os.name == "nt" else os.environ.get("XDG_CONFIG_HOME")
    return Path(base or Path.home() / ".config").expanduser() / "workbench"


def cache_folder() -> Path:
    """The folder for files that are made again: WORKBENCH_HOME, else the user's cache."""
    home = os.environ.get("WORKBENCH_HOME")
    if home:
        return Path(home).expanduser() / "cache"
    usual = {
        "win32": os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local",
        "darwin": Path.home() / "Library" / "Caches",
    }
    cache = os.environ.get("XDG_CACHE_HOME") or usual.get(sys.platform, Path.home() / ".cache")
    return Path(cache) / "workbench"
