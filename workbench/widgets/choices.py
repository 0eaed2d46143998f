"""Choices, the upper part of the wizard: the options of the run and the steps, as a recipe.

Data, model, effort and seed have controls of their own. The other options of `RunOptions` are drawn
from their declaration, as a folded form.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from ipywidgets import HTML, Box, Dropdown, Text, VBox

from workbench.errors import RecipeError, WorkbenchError
from workbench.model_form import form_of
from workbench.recipe import Recipe
from workbench.settings import BUDGETS, RunOptions
from workbench.task import Task
from workbench.tasks import TASKS, load_task
from workbench.widgets.dress import words
from workbench.widgets.form import Form
from workbench.widgets.steps import Steps
from workbench.widgets.wording import EFFORT_HELP, label_of_option, shown_value

__all__ = ["Choices"]

OUTSIDE = ("task", "start", "seed", "budget", *RunOptions.LOCAL)  # not in the folded form
MORE_OPTIONS = "Options of the run"


class Choices(VBox):
    """Controls that hold a recipe; choices that do not fit together are refused at once."""

    def __init__(self, first: Recipe, own: Task | None = None) -> None:
        """Show a recipe; `own` is its task, if that is an object of the notebook."""
        self._first, self._own = first, own
        self._callback: Callable[[], None] = lambda: None
        self._loaded: Task | None = None
        self._load_problem = ""
        names = list(dict.fromkeys([first.task, *TASKS]))
        self._task = _dropdown("task", names, first.task)
        self._model = _dropdown("start", [], None)
        self._budget = _dropdown("budget", BUDGETS, first.budget)
        self._seed = Text(
            description=label_of_option("seed"), value=str(first.seed), continuous_update=False
        ).add_class("wb-seed")
        self._about = HTML().add_class("wb-help").add_class("wb-about")
        self._problem = HTML().add_class("wb-problem").add_class("wb-recipe-problem")
        self._options = Form(first.options, hidden=OUTSIDE, more=MORE_OPTIONS)
        self._options.add_class("wb-options")
        self._task_args = first.options.task_args
        self._load(first.start)
        form = _form_of(self._loaded, self._model.value or "")
        self._steps = Steps(first.steps, first.budget, form)
        head = Box([self._task, self._model, self._budget, self._seed]).add_class("wb-head")
        super().__init__([head, self._about, self._options, self._steps, self._problem])
        self.add_class("wb-choices")
        self._task.observe(lambda _: self._switch_task(), "value")
        self._budget.observe(lambda _: self._steps.set_budget(self._budget.value), "value")
        for widget in (self._task, self._model, self._budget, self._seed):
            widget.observe(lambda _: self._changed(), "value")
        self._options.observe_settings(lambda _: self._options_changed())
        self._steps.on_change(self._changed)
        self._changed()

    @property
    def task(self) -> Task | str:
        """The task to run: the object that the wizard started with, else a task's name."""
        if self._own is not None and self._task.value == self._own.name:
            return self._own
        return str(self._task.value)

    @property
    def recipe(self) -> Recipe:
        """The choices as a recipe; raises SettingsError or RecipeError that names each problem."""
        if self._load_problem:
            raise RecipeError(self._load_problem)
        if not self._seed.value.strip().isdecimal():
            raise RecipeError(f"`seed` must be a whole number from 0 on, got {self._seed.value!r}.")
        chosen = {
            **self._options.settings.tree(),
            "task": self._task.value,
            "start": self._model.value or "",
            "seed": int(self._seed.value),
            "budget": self._budget.value,
        }
        recipe = Recipe.make(chosen.pop("task"), self._steps.steps, **chosen)
        try:
            recipe.check_forms(_form_of(self._loaded, recipe.start), recipe.start or "the start")
        except RecipeError as error:
            raise RecipeError(f"{error}{self._other_starts(recipe)}") from None
        return recipe

    def _other_starts(self, recipe: Recipe) -> str:
        """A sentence that names the models of the task from which these steps can start."""
        fitting = []
        for model in _models(self._loaded):
            try:
                recipe.check_forms(_form_of(self._loaded, model), model)
            except RecipeError:
                continue
            fitting.append(f"`{model}`")
        return f" These steps can start from {', '.join(fitting)}." if fitting else ""

    @property
    def problem(self) -> str:
        """The problem of the choices, in words; empty if they are a recipe."""
        problems = " ".join([*self._options.problems.values(), self._steps.problem]).strip()
        if problems:
            return problems
        try:
            _ = self.recipe
        except WorkbenchError as error:
            return str(error)
        return ""

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back after every change."""
        self._callback = callback

    def _switch_task(self) -> None:
        """Load the chosen task; the arguments of the first task belong to that one alone."""
        is_first = self._task.value == self._first.task
        self._task_args = self._first.options.task_args if is_first else {}
        self._options.change(task_args=json.dumps(self._task_args))
        self._load()

    def _options_changed(self) -> None:
        """Load the task again if its arguments have changed, and check the recipe."""
        if not self._options.problems:
            args = json.loads(self._options.value["task_args"])
            if args != self._task_args:
                self._task_args = args
                self._reload()
        self._changed()

    def _reload(self) -> None:
        """Load the task again; the chosen model stays if the task has it, or never had it."""
        model = self._model.value or ""
        self._load("" if model in _models(self._loaded) else model)
        if model in self._model.options:
            self._model.value = model

    def _load(self, start: str = "") -> None:
        """List the models of the chosen task, or keep the problem of loading it."""
        chosen = self.task
        self._load_problem = ""
        try:
            self._loaded = (
                chosen if isinstance(chosen, Task) else load_task(chosen, self._task_args)
            )
        except Exception as error:  # the code of a task can raise anything
            self._loaded = None
            self._load_problem = f"Task `{self._task.value}` cannot be loaded: {error}"
        names = _models(self._loaded)
        self._model.options = names if not start or start in names else [start, *names]
        self._model.value = start or (names[0] if names else None)

    def _changed(self) -> None:
        self._steps.set_form(_form_of(self._loaded, self._model.value or ""))
        self._problem.value = words(self.problem)
        self._about.value = words(self._described())
        self._callback()

    def _described(self) -> str:
        """The data and the effort, in a line of text."""
        effort = EFFORT_HELP[self._budget.value]
        task = self._loaded
        if task is None:
            return effort
        sizes = f"{len(task.data.train):,} rows in train, {len(task.data.valid):,} in valid"
        kind = task.kind[:1].upper() + task.kind[1:]
        return f"{kind}; {sizes}; metric {task.metric.name}. {effort}"


def _dropdown(name: str, values: Sequence[str], value: str | None) -> Dropdown:
    """The control of an option of the run, labelled and worded as the table says."""
    options = [(shown_value(name, v), v) for v in values]
    control = Dropdown(description=label_of_option(name), options=options, value=value)
    return control.add_class(f"wb-{'model' if name == 'start' else name}")


def _models(task: Task | None) -> list[str]:
    """Names of the models to start from, the task's own first."""
    if task is None:
        return []
    own = [task.start.name] if task.start is not None else []
    return list(dict.fromkeys([*own, *task.builders]))


def _form_of(task: Task | None, start: str) -> str:
    """The form of the candidate to start from; torch where that cannot be known before the run."""
    if task is None or (start and start not in _models(task)):
        return "torch"
    if task.start is not None and start in ("", task.start.name):
        return task.start.form
    return _form_built(task.builders[start]) if start in task.builders else "torch"


@lru_cache(maxsize=64)
def _form_built(builder: Callable[[], Any]) -> str:
    """The form of a builder's model; a builder is called once, as it may take a moment."""
    from workbench.models.networks import build_seeded

    try:
        return form_of(build_seeded(builder, 0)).name
    except Exception:  # the run will say why, with its log beside it
        return "torch"
