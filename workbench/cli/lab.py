"""JupyterLab on the notebooks, or on copies in the working folder if that is no clone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from workbench.errors import WorkbenchError
from workbench.lessons.notebooks import Copied, copy_notebooks, notebooks_folder

__all__ = ["command", "lab", "prepare_folder"]

FIRST = "00_start_here.ipynb"
# `python -m jupyterlab`, which starts a second sooner with the import that ours puts off
START = "import workbench; from jupyterlab.labapp import main; main()"
OFFLINE = (  # by default, JupyterLab loads news and looks for newer versions
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate",
)


def lab(options: Sequence[str]) -> int:
    """Copy the notebooks if needed, then run `jupyter lab` with `options`; returns its exit status.

    Raises WorkbenchError without JupyterLab.
    """
    if find_spec("jupyterlab") is None:
        raise WorkbenchError("JupyterLab is not installed here: python -m pip install jupyterlab")
    folder, copied = prepare_folder(Path.cwd())
    told = [c.text for c in copied if c.what in ("new", "updated", "beside")]
    if told:
        sys.stderr.write(f"Notebooks in {folder}:\n" + "".join(f"  {line}\n" for line in told))
    line = command(folder, options)
    sys.stderr.flush()
    if os.name != "nt":
        # JupyterLab replaces this process, so that it gets signals and the terminal directly.
        os.execv(line[0], line)
    return subprocess.call(line)


def command(folder: Path, options: Sequence[str]) -> list[str]:
    """The command line that opens a folder's first notebook; `options` are last and so override."""
    first = folder / FIRST
    return [
        sys.executable,
        "-c",
        START,
        str(first if first.exists() else folder),
        *OFFLINE,
        *(o for o in options if o != "--"),
    ]


def prepare_folder(working: Path, source: Path | None = None) -> tuple[Path, list[Copied]]:
    """The folder to open and the files copied into it.

    It is the folder of the clone, or a folder of copies below the working folder.
    """
    source = (source or notebooks_folder()).resolve()
    here = working.resolve()
    if here == source or here / "notebooks" == source:
        return source, []
    if (here / "workbench" / "__init__.py").exists() and (
        here / "notebooks"
    ).is_dir():  # a clone beside another installation
        return here / "notebooks", []
    return here / "notebooks", copy_notebooks(here / "notebooks", source)
