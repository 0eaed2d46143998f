"""run(): the same as in a script; in a notebook an estimate of its time is printed before."""

from __future__ import annotations

import sys
from functools import wraps
from typing import TYPE_CHECKING, Any

from workbench.runs import launch
from workbench.runs.estimates import estimate

if TYPE_CHECKING:
    from workbench.runs.trail import Trail
    from workbench.task import Task

__all__ = ["run"]

PLACES = ("root", "store", "data", "listener")  # arguments that are no options of the recipe


@wraps(launch.run)
def run(what: Any, task: Task | str = "", **others: Any) -> Trail:
    """Run a recipe and wait for it; see `workbench.runs.launch.run`."""
    if _is_notebook():
        options = {name: value for name, value in others.items() if name not in PLACES}
        print(estimate(launch.as_recipe(what, task, **options), task).text, flush=True)
    return launch.run(what, task, **others)


def _is_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return hasattr(shell, "kernel")
