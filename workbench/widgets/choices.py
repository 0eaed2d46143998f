"""Choices, the upper half of the wizard: task, model, budget and seed, and the steps. Together they
are a recipe.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from ipywidgets import HTML, Box, Dropdown, Text, VBox

from workbench.errors import RecipeError, WorkbenchError
from workbench.model_form import form_of
from workbench.recipe import Recipe
from workbench.settings import BUDGETS
from workbench.task import Task
from workbench.tasks import TASKS, load_task
from workbench.widgets.dress import words
from workbench.widgets.steps import Steps

__all__ = ["Choices"]

BUDGET_TEXT = {
    "smoke": "Smoke only shows that everything runs, in seconds; its numbers decide nothing.",
    "standard": "Standard is what an expert would take.",
    "thorough": "Thorough is for the numbers that you publish.",
}


class Choices(VBox):
    """Controls that hold a recipe; what does not fit together is said at once, in words."""

    def __init__(
        self,
        task: Task | str,
        start: str,
        steps: Sequence[Any],
        budget: str,
        seed: int,
        device: str,
    ) -> None:
        first = Recipe.make(
            _name(task), steps, start=start, seed=seed, budget=budget, device=device
        )  # refuses what is wrong
        self._own = task if isinstance(task, Task) else None
        self._device = device
        self._callback: Callable[[], None] = lambda: None
        self._loaded: Task | None = None
        self._load_problem = ""
        names = list(dict.fromkeys([first.task, *TASKS]))
        self._task = Dropdown(description="Task", options=names, value=first.task).add_class(
            "wb-task"
        )
        self._model = Dropdown(description="Model", options=[]).add_class("wb-model")
        self._budget = Dropdown(
            description="Budget", options=list(BUDGETS), value=budget
        ).add_class("wb-budget")
        self._seed = Text(description="Seed", value=str(seed), continuous_update=False).add_class(
            "wb-seed"
        )
        self._about = HTML().add_class("wb-help").add_class("wb-about")
        self._problem = HTML().add_class("wb-problem").add_class("wb-recipe-problem")
        self._steps = Steps(first.steps, budget)
        head = Box([self._task, self._model, self._budget, self._seed]).add_class("wb-head")
        super().__init__([head, self._about, self._steps, self._problem])
        self.add_class("wb-choices")
        self._load(start)
        self._task.observe(lambda _: self._load(), "value")
        self._budget.observe(lambda _: self._steps.budget_is(self._budget.value), "value")
        for widget in (self._task, self._model, self._budget, self._seed):
            widget.observe(lambda _: self._changed(), "value")
        self._steps.on_change(self._changed)
        self._changed()

    @property
    def task(self) -> Task | str:
        """The task to run: the object that was handed in, else the name of one."""
        return (
            self._own
            if self._own is not None and self._task.value == self._own.name
            else self._task.value
        )

    @property
    def recipe(self) -> Recipe:
        """The choices as a recipe; raises SettingsError or RecipeError that tells what is wrong."""
        if self._load_problem:
            raise RecipeError(self._load_problem)
        if not self._seed.value.strip().isdecimal():
            raise RecipeError(f"`seed` must be a whole number from 0 on, got {self._seed.value!r}.")
        recipe = Recipe.make(
            self._task.value,
            self._steps.steps,
            start=self._model.value or "",
            seed=int(self._seed.value),
            budget=self._budget.value,
            device=self._device,
        )
        recipe.check_forms(_form_of(self._loaded, recipe.start), recipe.start or "the start")
        return recipe

    @property
    def problem(self) -> str:
        """What keeps the choices from being a recipe; empty when nothing does."""
        if self._steps.problem:
            return self._steps.problem
        try:
            _ = self.recipe
        except WorkbenchError as error:
            return str(error)
        return ""

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back after every change."""
        self._callback = callback

    def _load(self, start: str = "") -> None:
        """The models of the chosen task; a task that cannot be loaded is told like any other
        problem.
        """
        chosen = self.task
        try:
            self._loaded, self._load_problem = (
                chosen if isinstance(chosen, Task) else load_task(chosen),
                "",
            )
        except Exception as error:  # a task may fail in any way that its loader's code can
            self._loaded, self._load_problem = (
                None,
                f"Task `{self._task.value}` cannot be loaded: {error}",
            )
        names = _models(self._loaded)
        self._model.options = names if not start or start in names else [start, *names]
        self._model.value = start or (names[0] if names else None)

    def _changed(self) -> None:
        self._problem.value = words(self.problem)
        self._about.value = words(self._described())
        self._callback()

    def _described(self) -> str:
        loaded = self._loaded
        if loaded is None:
            return BUDGET_TEXT[self._budget.value]
        sizes = f"{len(loaded.data.train):,} train, {len(loaded.data.valid):,} valid rows"
        return (
            f"{loaded.kind}, {sizes}, judged by {loaded.metric.name}. "
            f"{BUDGET_TEXT[self._budget.value]}"
        )


def _name(task: Task | str) -> str:
    return task.name if isinstance(task, Task) else task


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
    """What a builder makes: a network or an estimator. Asked once a builder, as it may take a
    moment.
    """
    from workbench.models.networks import build_seeded

    try:
        return form_of(build_seeded(builder, 0)).name
    except Exception:  # the run will say why, with its log beside it
        return "torch"
