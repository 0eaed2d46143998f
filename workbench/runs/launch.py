"""run(): start a recipe in its own process, follow it, and give back its trail."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.errors import RecipeError
from workbench.events import Event
from workbench.recipe import Recipe
from workbench.runs.handle import Run, start
from workbench.runs.trail import Trail
from workbench.task import Task

__all__ = ["as_recipe", "run"]


def as_recipe(what: Any, task: Task | str = "", **options: Any) -> Recipe:
    """A recipe from a recipe, from YAML text or a path, or from a list of steps.

    A list of steps needs `task`, and takes options of the run such as `budget`. Raises RecipeError
    that names each problem, and for options beside a whole recipe.
    """
    is_whole = isinstance(what, Recipe) or (isinstance(what, (str, Path)) and not task)
    if is_whole and options:
        raise RecipeError(
            f"A recipe has {', '.join(f'`{o}`' for o in options)} already: change it there."
        )
    if is_whole:
        return what if isinstance(what, Recipe) else Recipe.from_yaml(what)
    steps: Sequence[Any] | str = [what] if isinstance(what, dict) else what
    return Recipe.make(task if isinstance(task, str) else task.name, steps, **options)


def run(
    what: Recipe | Sequence[Any] | str | Path,
    task: Task | str = "",
    *,
    root: str | Path | None = None,
    store: str = "",
    data: Mapping[str, Any] | None = None,
    listener: Callable[[Event], None] | None = None,
    **options: Any,
) -> Trail:
    """Run a recipe and wait for it.

    `what` is a recipe, YAML, or steps such as `[{"pruning": {"pruning_ratio": 0.5}},
    "quantization"]` with a task (by name, or one made by `make_task`) and options of the run
    (those of `RunOptions`: `start`, `seed`, `budget` and the rest). `data` holds further rows by
    the name that settings use. Returns the trail, with `.ledger`, `.model`, `.onnx_path`,
    `.decision` and `.test`. The run goes on if the caller is interrupted. Raises RunError when it
    fails; finished steps are kept.
    """
    recipe = as_recipe(what, task, **options)
    handle = launch(recipe, task, root=root, store=store, data=data)
    handle.follow(listener or (lambda event: None))
    handle.check()
    return handle.result


def launch(
    recipe: Recipe,
    task: Task | str = "",
    *,
    root: str | Path | None = None,
    store: str = "",
    data: Mapping[str, Any] | None = None,
) -> Run:
    """Start a recipe and return its handle, which remembers a task that exists only here."""
    own = task if isinstance(task, Task) else None
    handle = start(recipe, own, root=root, store=store, data=data)
    handle._task_here = own
    return handle
