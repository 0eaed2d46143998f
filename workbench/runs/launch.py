"""run(): start a recipe in its own process, follow it, and hand back its trail; analyse(): a technique's analysis, here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import RecipeError, UnknownName, unknown
from workbench.events import Event, Report
from workbench.system.files import write_text
from workbench.runs.handle import Run, runs_root, start
from workbench.system.machine import device_of
from workbench.recipe import Recipe
from workbench.runs.steps import CACHE, looked_at
from workbench.runs.candidates import candidate_named, train_start
from workbench.task import Task
from workbench.tasks.builtin import load_task
from workbench.technique import Job, get_technique
from workbench.runs.trail import Trail

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["analyse", "as_recipe", "run"]


def as_recipe(what: Any, task: Task | str = "", **options: Any) -> Recipe:
    """A recipe from a recipe, YAML text or path, or a list of steps (then with `task` and options such as `budget`)."""
    is_whole = isinstance(what, Recipe) or (isinstance(what, (str, Path)) and not task)
    if is_whole and options:
        raise RecipeError(f"A recipe has {', '.join(f'`{o}`' for o in options)} already: change it there.")
    if is_whole:
        return what if isinstance(what, Recipe) else Recipe.from_yaml(what)
    steps: Sequence[Any] | str = [what] if isinstance(what, dict) else what
    return Recipe.make(task if isinstance(task, str) else task.name, steps, **options)


def run(
    what: Recipe | Sequence[Any] | str | Path, task: Task | str = "", *, root: str | Path | None = None, store: str = "",
    listener: Callable[[Event], None] | None = None, **options: Any,
) -> Trail:  # fmt: skip
    """Run a recipe and wait for it; returns its trail, with `.ledger`, `.model`, `.onnx_path` and `.test`.

    `what` is a recipe, YAML, or steps such as `[{"pruning": {"pruning_ratio": 0.5}}, "quantization"]` with a task (by name,
    or one made by `make_task`) and options (`start`, `seed`, `budget`, `device`). The run goes on if the caller is
    interrupted. Raises RunError when it fails; what was finished is kept.
    """
    recipe = as_recipe(what, task, **options)
    handle = launch(recipe, task, root=root, store=store)
    handle.follow(listener or (lambda event: None))
    handle.check()
    return handle.result


def launch(recipe: Recipe, task: Task | str = "", *, root: str | Path | None = None, store: str = "") -> Run:
    """Start a recipe and return its handle, which remembers a task that exists only in this process."""
    own = task if isinstance(task, Task) else None
    handle = start(recipe, own, root=root, store=store)
    handle._task_here = own
    return handle


def analyse(
    technique: str, action: str, task: Task | str, *, start: str = "", settings: Any = None, seed: int = 0, device: str = "auto",
    root: str | Path | None = None, listener: Callable[[Event], None] | None = None, **options: Any,
) -> dict[str, pd.DataFrame]:  # fmt: skip
    """The tables of one of a technique's analyses (`pruning`, `sensitivity`), by name, on valid; no candidate is made.

    They are also written to `<runs>/analyses/<technique>-<action>/`. What was computed is kept in the runs' cache, so that
    an analysis that was interrupted goes on, and one that was done is there at once. `options` go to the analysis. Raises
    UnknownName for an action that the technique does not have.
    """
    declared = get_technique(technique)
    if action not in declared.actions:
        raise UnknownName(unknown(f"action of `{technique}`", action, declared.actions))
    chosen = settings if settings is not None else declared.settings()
    known = looked_at((load_task(task) if isinstance(task, str) else task).without_test(), chosen.budget)
    report, home = Report(*([listener] if listener else [])), runs_root(root)
    folder = home / "analyses" / f"{technique}-{action}"
    folder.mkdir(parents=True, exist_ok=True)
    common = {"budget": chosen.budget, "seed": seed, "device": device_of(device), "report": report}
    candidate, trained = known.candidate(start, seed=seed)
    declared.check_form(candidate.form, candidate.name)
    if not trained:
        candidate = train_start(candidate, known, **common)
    others = {r: candidate_named(r, known, **common) for r in declared.referred(chosen)}
    job = Job(
        known, candidate, folder, others=others, seed=seed, device=common["device"], report=report, cache=home / CACHE,
        build=known.builders.get(candidate.name),
    )  # fmt: skip
    tables = dict(declared.actions[action](job, chosen, **options))
    for name, table in tables.items():
        write_text(folder / f"{name}.csv", table.to_csv(index=False))
    return tables
