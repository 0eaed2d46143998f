"""begin() and run(), with which a notebook reads its parameters and runs them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any

from workbench.recipe import Recipe
from workbench.runs import launch
from workbench.runs.estimates import estimate
from workbench.runs.processes import begin_spare

if TYPE_CHECKING:
    from workbench.runs.trail import Trail
    from workbench.task import Task

__all__ = ["begin", "run"]

PLACES = ("root", "store", "data", "listener")  # arguments that are no options of the recipe


def begin(variables: Mapping[str, Any], technique: str = "") -> Recipe:
    """The recipe of a notebook, from its parameters among the variables: `begin(globals())`.

    See `Recipe.of_parameters`. In a notebook the process of its run begins to import meanwhile; it
    ends by itself if no run is started for two minutes.
    """
    recipe = Recipe.of_parameters(variables, technique)
    if _is_notebook():
        begin_spare()
    return recipe


@wraps(launch.run)
def run(what: Any, task: Task | str = "", **others: Any) -> Trail:
    """Run a recipe and wait for it; see `workbench.runs.launch.run`.

    In a notebook, an estimate of its time is printed before.
    """
    if _is_notebook():
        options = {name: value for name, value in others.items() if name not in PLACES}
        print(estimate(launch.as_recipe(what, task, **options), task).text, flush=True)
    return launch.run(what, task, **others)


def _is_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return hasattr(shell, "kernel")
