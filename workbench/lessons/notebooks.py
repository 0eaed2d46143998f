"""The notebooks that come with the package, and copying them to where a learner works without ever
undoing that work.

A small manifest beside the copies holds the hashes of every version that we put there. A copy that
matches one of them is ours and may be renewed; any other was changed by its owner and stays, the
new version beside it as NAME.new.ipynb.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import workbench
from workbench.errors import WorkbenchError
from workbench.system.files import read_json, write_bytes, write_json

__all__ = ["Copied", "copy_notebooks", "notebooks_folder"]

MANIFEST = ".workbench.json"


@dataclass(frozen=True)
class Copied:
    """What became of one notebook.

    `new` and `updated` were written, `same` was there already, `kept` is one that its owner
    changed, and `beside` is a new version written next to such a one.
    """

    path: Path
    what: Literal["new", "updated", "same", "kept", "beside"]

    @property
    def text(self) -> str:
        return {
            "new": f"{self.path.name}: copied",
            "updated": f"{self.path.name}: renewed",
            "same": f"{self.path.name}: as it was",
            "kept": f"{self.path.name}: changed by you, left alone",
            "beside": f"{self.path.name}: the new version, beside the one that you changed",
        }[self.what]


def notebooks_folder() -> Path:
    """Where the notebooks are: inside the installed package, else beside it in the clone.

    Raises WorkbenchError when there are none.
    """
    home = Path(workbench.__file__).resolve().parent
    for folder in (home / "notebooks", home.parent / "notebooks"):
        if folder.is_dir():
            return folder
    raise WorkbenchError(
        "This installation has no notebooks: install it again with `python -m pip install "
        "--force-reinstall`."
    )


def copy_notebooks(target: Path, source: Path | None = None) -> list[Copied]:
    """Copy all notebooks, and the files that they use, into a folder; returns what became of each,
    in order.

    A file that its owner changed is never written over.
    """
    source = source or notebooks_folder()
    known = _manifest(target)
    copied: list[Copied] = []
    for file in sorted(
        p for p in source.rglob("*") if p.is_file() and not _skipped(p.relative_to(source))
    ):
        content, name = file.read_bytes(), file.relative_to(source).as_posix()
        copied += _place(content, target / name, known.setdefault(name, []))
    write_json(
        target / MANIFEST, {"version": 1, "files": {k: v for k, v in sorted(known.items()) if v}}
    )
    return copied


def _place(content: bytes, path: Path, ours: list[str]) -> list[Copied]:
    """Put one file in its place, or beside it; `ours`, the hashes of what we put there, grows by
    this one.
    """
    shipped, there = _hash(content), _hash_of(path)
    is_known = shipped in ours
    if not is_known:
        ours.append(shipped)
    if there == shipped:
        return [Copied(path, "same")]
    if there is None or there in ours:
        write_bytes(path, content)
        return [Copied(path, "new" if there is None else "updated")]
    if is_known:  # its owner has had this version, and went on from it
        return [Copied(path, "kept")]
    beside = _beside(path, ours)
    write_bytes(beside, content)
    return [Copied(path, "kept"), Copied(beside, "beside")]


def _beside(path: Path, ours: list[str]) -> Path:
    """NAME.new.ipynb, or the next number when that one was changed as well."""
    numbered = (
        path.with_name(f"{path.stem}.new{'' if n == 1 else f'-{n}'}{path.suffix}")
        for n in range(1, 10_000)
    )
    return next(p for p in numbered if _hash_of(p) in (None, *ours))


def _manifest(target: Path) -> dict[str, list[str]]:
    """The hashes that we wrote, by name; without a readable manifest every file counts as its
    owner's.
    """
    try:
        return {str(k): list(v) for k, v in read_json(target / MANIFEST)["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _skipped(name: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in name.parts)


def _hash_of(path: Path) -> str | None:
    return _hash(path.read_bytes()) if path.exists() else None


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
