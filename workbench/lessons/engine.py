"""The engine of papermill that waits for late outputs: `papermill --engine workbench`."""

from __future__ import annotations

from typing import Any

from papermill.engines import NBClientEngine

from workbench.lessons.execute import OUTPUT_SECONDS

__all__ = ["WorkbenchEngine"]


class WorkbenchEngine(NBClientEngine):
    """papermill's own engine, with more time for the outputs of a cell to arrive."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> Any:
        """Execute the notebook; `iopub_timeout` in seconds may be set like any other option."""
        options = {"iopub_timeout": OUTPUT_SECONDS, **options}
        return super().execute_managed_notebook(nb_man, kernel_name, **options)
