"""Looks at test, counted for each set of test rows under one root, whatever run makes them."""

from __future__ import annotations

from pathlib import Path

from workbench.data.rows import AnyRows
from workbench.system.files import read_json, write_json

__all__ = ["count_look"]

FILE = "looks.json"


def count_look(root: Path, test: AnyRows, before: int = 0) -> int:
    """Add a look at these rows and return its number.

    `before` is a number that the run's own folder remembers, from a version that counted there.
    """
    from filelock import FileLock

    path = root / FILE
    with FileLock(str(path) + ".lock"):
        looks = read_json(path) if path.exists() else {}
        number = max(looks.get(test.digest, 0), before) + 1
        write_json(path, {**looks, test.digest: number})
    return number
