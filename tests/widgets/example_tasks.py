"""A task that a reference with arguments makes: `tests.widgets.example_tasks:digits_named`."""

from __future__ import annotations

from dataclasses import replace

from workbench.task import Task
from workbench.tasks import load_task


def digits_named(name: str, suffix: str = "") -> Task:
    """The digits under another name."""
    digits = load_task("digits")
    builders = {f"{n}{suffix}": b for n, b in digits.builders.items()}
    return replace(digits, name=name, builders=builders, built_in=False)
