"""`workbench new`: a notebook for a table, written once its task was checked."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError
from workbench.lessons.new import TASK, arguments_for_table, notebook_for_table
from workbench.system.files import write_text

__all__ = ["new"]


def new(
    data: str, target: str, out: str | None = None, *, times: str = "", groups: str = ""
) -> int:
    """Check the task of a table, print it, and write the notebook.

    Raises WorkbenchError for a notebook that exists already, and whatever is wrong with the table.
    """
    import nbformat

    from workbench.tasks.make import make_task

    source = Path(data).resolve()
    name = source.name.partition(".")[0]
    place = Path(out) if out else Path(f"{name}.ipynb")
    if place.suffix != ".ipynb":
        raise WorkbenchError(f"`--out` must end in .ipynb, got {place}.")
    if place.exists():
        raise WorkbenchError(f"{place} exists already: give another name by `--out`, or move it.")
    named = {"target": target, "times": times, "groups": groups}
    columns: dict[str, Any] = {argument: column for argument, column in named.items() if column}
    task = make_task(name, train=str(source), **columns)
    print(task)
    place.parent.mkdir(parents=True, exist_ok=True)
    write_text(place, nbformat.writes(notebook_for_table(name, source, **columns)))
    shown = shlex.quote(str(place))
    arguments = shlex.quote(arguments_for_table(name, source, **columns))
    print(f"\nWritten: {place}. Open it with `workbench lab {shown}`, or run it in a batch:")
    print(f"papermill --engine workbench {shown} out.ipynb -p budget smoke")
    print("A technique on the same table, from the shell:")
    print(f"workbench features --task {TASK} --task-args {arguments}")
    return 0
