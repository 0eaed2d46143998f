"""Tasks by name: those of this package, those that other packages register, and references."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from workbench.errors import (
    SettingsTypeError,
    TaskError,
    UnknownName,
    WorkbenchError,
    sentence_of,
    shown,
    unknown,
)
from workbench.system.declared import named_object
from workbench.system.registry import Registry
from workbench.task import Task, refuse_unknown_arguments
from workbench.tasks.builtin import BUILT_IN

__all__ = ["TASKS", "load_task"]

TASKS: Registry[Any] = Registry(
    "workbench.tasks",
    "task",
    lambda: object,
    lambda: BUILT_IN,
    hint=" Or name your own as package.module:function.",
)


def load_task(name: str, args: Mapping[str, Any] | None = None) -> Task:
    """A task by its name, or by a reference `package.module:function`.

    `args` are keyword arguments for the function that makes it. A function named by a reference is
    called only if it is annotated `-> Task`. Raises UnknownName that lists the registered tasks.
    """
    return _loaded(_checked_name(name), _args_text(args, f"task `{name}`"))


def _checked_name(name: Any) -> str:
    if not isinstance(name, str):
        raise UnknownName(unknown("task", shown(name), TASKS.names()))
    return name


def _args_text(args: Any, what: str) -> str:
    """Arguments as JSON text; raises SettingsTypeError for those that a recipe cannot hold."""
    try:
        if args is not None and not all(isinstance(name, str) for name in {**args}):
            raise TypeError("a name is no text")
        return json.dumps(dict(args or {}), sort_keys=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise SettingsTypeError(
            f"The arguments of {what} must be a mapping of names to plain values (numbers, texts, "
            f"lists, mappings), got {shown(args)}."
        ) from error


@lru_cache(maxsize=8)
def _loaded(name: str, args_text: str) -> Task:
    args = json.loads(args_text)
    if ":" in name:
        return named_object(name, (Task,), "a Task, which `workbench.make_task(...)` makes", args)
    registered = TASKS.get(name)
    if isinstance(registered, Task):
        return registered
    refuse_unknown_arguments(registered, args, f"task `{name}`")
    try:
        task = registered(**args)
    except WorkbenchError:
        raise
    except Exception as error:  # an argument of a wrong kind, or another package's code
        raise TaskError(
            f"Task `{name}` raised {type(error).__name__} with the arguments {shown(args)}: "
            f"{sentence_of(error)}"
        ) from error
    if not isinstance(task, Task):
        raise TaskError(f"The registered task `{name}` gave {type(task).__name__}, not a Task.")
    return task
