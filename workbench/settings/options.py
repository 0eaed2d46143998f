"""RunOptions, the choices that every run has besides the settings of its steps, declared once.

The command line, a notebook's cells, recipes, the wizard and the index of runs are made from them.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import field_validator

from workbench.errors import SettingsError
from workbench.settings.base import Settings
from workbench.settings.fields import USUAL_BUDGET, free_form, knob
from workbench.settings.knobs import knobs

__all__ = ["RESERVED", "VERSION", "RunOptions", "TechniqueSettings"]

VERSION = 1  # of the files that a run writes: recipe, run, steps, candidates


class RunOptions(Settings):
    """What a run works on, and how."""

    LOCAL: ClassVar[tuple[str, ...]] = ("store", "root")
    """Options that say where a run lies; a recipe, which travels, does not hold them."""

    task: str = knob("fashion", title="Data")
    """Built-in task, or package.module:function that returns one."""

    task_args: dict[str, Any] = free_form({}, expert=True, title="Arguments of the task")
    """Keyword arguments for the function that makes the task."""

    start: str = knob("", title="Model")
    """Model to start from: a model of the task, the folder of a run or step, models:/NAME@ALIAS, or
    package.module:function. Empty: the first model of the task.
    """

    seed: int = knob(0, low=0, high=2**32 - 1)
    """Seed of all random numbers."""

    device: Literal["auto", "cpu", "cuda", "mps"] = knob("auto", expert=True)
    """Device for training."""

    store: str = knob("", expert=True, title="Store")
    """URL of an MLflow server or of a database. Empty: an SQLite file in the folder of runs."""

    root: str = knob("", expert=True, title="Folder of runs")
    """Folder of runs. Empty: the variable WORKBENCH_RUNS, else ./runs."""

    budget: Literal["smoke", "standard", "thorough"] = knob(USUAL_BUDGET, title="Effort")
    """Amount of work; smoke is a quick check and decides nothing."""

    threads: int | None = knob(None, low=1, high=1024, expert=True, title="Threads of training")
    """Threads for training. None: as many as pay off under the load at the start of the run, which
    is measured.
    """

    choices: dict[str, Any] = free_form({}, expert=True, title="Automatic choices")
    """Choices that a clock made in an earlier run, as its recipe.resolved.yml holds them. They are
    used in place of measuring.
    """

    batch_sizes: list[int] = free_form([1, 64], expert=True, title="Batch sizes")
    """Batch sizes at which latency is measured."""

    test: Literal["at_end", "never"] = knob("at_end", expert=True, title="Test split")
    """Measure the last candidate on the test split when the run ends, or leave the test closed."""

    cv: int | None = knob(None, low=2, high=50, expert=True, title="Folds of cross-validation")
    """Folds of train for a cross-validation of the start and of each step whose model is trained
    anew. Empty: none is done.
    """

    price_per_core_hour: float | None = knob(None, low=0, expert=True, title="Price of a core hour")
    """Price of one core for one hour; adds the cost of a million predictions to the results. Empty:
    no cost is shown.
    """

    baselines: Literal["auto", "always", "never"] = knob("auto", expert=True, title="Baselines")
    """Show simple models of the same data on valid as rows of their own: one that predicts the same
    for all rows, and a linear one. auto: beside techniques that raise the score, and beside a start
    that is a baseline itself.
    """

    accepted_drop: float | None = knob(None, low=0, title="Accepted drop")
    """Largest drop of the score that you accept, in percentage points, or in the unit of the
    metric. Empty: no limit.
    """

    @field_validator("batch_sizes")
    @classmethod
    def _check_batch_sizes(cls, sizes: list[int]) -> list[int]:
        if not 1 <= len(sizes) <= 6 or len(set(sizes)) != len(sizes) or min(sizes) < 1:
            raise ValueError(f"must be one to six different numbers from 1 on, got {sizes}.")
        return sorted(sizes)


RESERVED = frozenset(k.name for k in knobs(RunOptions)) - {"budget"}


class TechniqueSettings(Settings):
    """Settings that every technique has."""

    budget: Literal["smoke", "standard", "thorough"] = knob(USUAL_BUDGET, title="Effort")
    """Amount of work; smoke is a quick check and decides nothing."""

    @classmethod
    def __pydantic_init_subclass__(cls, **values: Any) -> None:
        super().__pydantic_init_subclass__(**values)
        for k in knobs(cls):
            if k.name in RESERVED:
                raise SettingsError(
                    f"`{cls.__name__}.{k.name}` clashes with an option that every run has."
                )
