"""The engine of papermill that waits for late outputs: `papermill --engine workbench`.

papermill fails a cell whose last output has not arrived 4 seconds after the cell has ended. A
wizard sends over a thousand messages, which take longer on a busy machine. The command of papermill
has no option for this time.
"""

from __future__ import annotations

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
