"""Execution of a notebook by papermill, with time for the outputs of a wizard to arrive.

    python -m workbench.lessons.execute NOTEBOOK OUT '{"root": "runs"}'

papermill fails a cell whose last output has not arrived 4 seconds after the cell has ended. A
wizard sends over a thousand messages, which take longer on a busy machine. The command of papermill
has no option for this time, so `workbench tour` calls this module; `papermill --engine workbench`
waits as long.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["execute_notebook"]

OUTPUT_SECONDS = 600  # a kernel that has died is noticed at once, whatever this is


def execute_notebook(
    path: Path,
    out: Path,
    *,
    parameters: Mapping[str, Any] | None = None,
    folder: Path | None = None,
    kernel: str | None = None,
) -> None:
    """Execute a notebook in `folder` and write it with its outputs to `out`.

    `kernel` is the name of a kernel; None takes that of the notebook. Raises
    papermill.PapermillExecutionError for a cell that fails; `out` then has the outputs so far.
    """
    import papermill

    papermill.execute_notebook(
        path,
        out,
        parameters=dict(parameters or {}),
        kernel_name=kernel,
        progress_bar=False,
        cwd=folder,
        iopub_timeout=OUTPUT_SECONDS,
    )


def main(words: list[str]) -> None:
    """Execute the notebook that a command line names, in the folder of its output."""
    path, out, parameters = Path(words[0]), Path(words[1]), json.loads(words[2])
    execute_notebook(path, out, parameters=parameters, folder=out.parent, kernel="python3")


if __name__ == "__main__":
    main(sys.argv[1:])
