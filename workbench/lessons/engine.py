"""The engine of papermill that waits for late outputs: `papermill --engine workbench`.

papermill fails a cell whose last output has not arrived 4 seconds after the cell has ended. A
wizard sends over a thousand messages, which take longer on a busy machine. The command of papermill
has no option for this time.

`python -m workbench.lessons.engine` is the command of papermill with this engine. It starts a
second sooner, as `import workbench` puts off an import of papermill's.
"""

from __future__ import annotations

import sys
from typing import Any

from papermill.engines import NBClientEngine

__all__ = ["OUTPUT_SECONDS", "WorkbenchEngine"]

OUTPUT_SECONDS = 600  # a kernel that has died is noticed at once, whatever this is


class WorkbenchEngine(NBClientEngine):
    """papermill's own engine, with more time for the outputs of a cell to arrive."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> Any:
        """Execute the notebook; `iopub_timeout` in seconds may be set like any other option."""
        options = {"iopub_timeout": OUTPUT_SECONDS, **options}
        return super().execute_managed_notebook(nb_man, kernel_name, **options)


def main() -> None:
    """The command line of papermill, with this engine unless it names another."""
    from papermill.cli import papermill

    papermill(["--engine", "workbench", *sys.argv[1:]])


if __name__ == "__main__":
    main()
