"""The notebooks of the package, and copying them without overwriting a learner's work.

A manifest beside the copies holds the hashes of every version that was copied there. A copy that
matches one of them is unchanged, and is replaced by a new version. Any other was changed by its
owner: it stays, and the new version is written beside it as NAME.new.ipynb.
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
    """The result of copying one file.

    `new` and `updated` files were written, a `same` file had this content already, a `kept` file
    was changed by its owner, and a `beside` file is the new version next to a `kept` one.
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
    """The folder of the notebooks: inside the installed package, else beside it in the clone.

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
    """Copy all notebooks, and the files that they use, into a folder; returns a result a file.

    A file that its owner changed is never overwritten.
    """
    source = source or notebooks_folder()
    hashes = _manifest(target)
    copied: list[Copied] = []
    for file in sorted(
        p for p in source.rglob("*") if p.is_file() and not _skipped(p.relative_to(source))
    ):
        content, name = file.read_bytes(), file.relative_to(source).as_posix()
        copied += _place(content, target / name, hashes.setdefault(name, []))
    files = {name: listed for name, listed in sorted(hashes.items()) if listed}
    write_json(target / MANIFEST, {"version": 1, "files": files})
    return copied


def _place(content: bytes, path: Path, ours: list[str]) -> list[Copied]:
    """Write one file in its place, or beside it; its hash is added to `ours`, the copied ones."""
    shipped = _hash(content)
    present = _hash_of(path)
    copied_before = shipped in ours
    if not copied_before:
        ours.append(shipped)
    if present == shipped:
        return [Copied(path, "same")]
    if present is None or present in ours:
        write_bytes(path, content)
        return [Copied(path, "new" if present is None else "updated")]
    if copied_before:  # its owner changed this version
        return [Copied(path, "kept")]
    beside = _beside(path, ours)
    write_bytes(beside, content)
    return [Copied(path, "kept"), Copied(beside, "beside")]


def _beside(path: Path, ours: list[str]) -> Path:
    """NAME.new.ipynb, or NAME.new-2.ipynb and so on if its owner changed that one too."""
    numbered = (
        path.with_name(f"{path.stem}.new{'' if n == 1 else f'-{n}'}{path.suffix}")
        for n in range(1, 10_000)
    )
    return next(p for p in numbered if _hash_of(p) in (None, *ours))


def _manifest(target: Path) -> dict[str, list[str]]:
    """The hashes of the copied versions, by name; empty if the manifest cannot be read.

    Every file then counts as changed by its owner.
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
