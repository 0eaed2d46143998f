"""Automatic choices of a run: its threads, and `recipe.resolved.yml` with which it can be repeated.

The number of threads is measured once, when the run starts, and stays until its end, also after a
resume: sums over another number of threads differ in their last bit. Choices that a clock makes
later (precision, memory format, type of activations) are in `choices.jsonl` (`system.choices`).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import workbench
from workbench.errors import RunError
from workbench.events import Report
from workbench.recipe import Recipe
from workbench.settings import RunOptions, dropping_values_without_effect
from workbench.system.choices import choices_in
from workbench.system.files import read_json, write_json, write_text
from workbench.system.machine import device_of, host, n_threads
from workbench.system.threads import threads_for_now

__all__ = [
    "CHOICES_FILE",
    "RESOLVED_FILE",
    "choices_text",
    "settle_threads",
    "threads_of",
    "write_resolved",
]

CHOICES_FILE = "choices.jsonl"
THREADS_FILE = "threads.json"
RESOLVED_FILE = "recipe.resolved.yml"


def settle_threads(folder: Path, options: RunOptions, report: Report) -> int:
    """The number of threads of a run, measured under the load of now unless it is settled."""
    kept = threads_of(folder)
    if kept is not None and options.threads in (None, kept):
        return kept
    threads = options.threads or threads_for_now()
    write_json(folder / THREADS_FILE, {"threads": threads, "set": options.threads is not None})
    limit = n_threads()
    if options.threads is None and threads < limit:
        report.message(
            f"Training uses {threads} of {limit} threads, as the machine is busy: more threads are "
            "not faster now. Set `threads` to choose another number."
        )
    return threads


def threads_of(folder: Path) -> int | None:
    """The number of threads that a run settled on; None before."""
    return None if (settled := _settled(folder)) is None else settled[0]


def _settled(folder: Path) -> tuple[int, bool] | None:
    """The number of threads of a run, and whether its recipe set it; None before."""
    path = folder / THREADS_FILE
    if not path.exists():
        return None
    return read_json(
        path, lambda about: (int(about["threads"]), bool(about["set"])), error=RunError
    )


def choices_text(folder: Path) -> str:
    """The choices of a run that were measured, in a sentence; empty where there are none."""
    parts = []
    threads, is_set = _settled(folder) or (0, True)
    if not is_set:
        parts.append(f"{threads} thread{'' if threads == 1 else 's'} of training")
    for key, value in choices_in(folder / CHOICES_FILE).items():
        name = key.rpartition(" ")[0]
        if name == "training":
            parts.append(f"{value['precision']} and {value['memory_format']}")
        elif name == "activation type":
            parts.append("the type of activations")
        else:
            parts.append(f"the {name} of candidates")
    if not parts:
        return ""
    return f"Chosen by a clock: {', '.join(dict.fromkeys(parts))}; see {RESOLVED_FILE}."


def write_resolved(folder: Path, recipe: Recipe) -> None:
    """Write the recipe with every automatic choice so far, and the versions as comments.

    It is a recipe like any other: run anywhere, it makes the same choices.
    """
    options = recipe.options.model_copy(
        update={
            "threads": threads_of(folder),
            "device": device_of(recipe.options.device),
            "choices": choices_in(folder / CHOICES_FILE),
        }
    )
    with dropping_values_without_effect():
        steps = [
            replace(step, settings=type(step.settings)(**resolved)) if resolved else step
            for step, resolved in zip(
                recipe.steps, _resolved(folder, len(recipe.steps)), strict=True
            )
        ]
    text = Recipe(tuple(steps), options).to_yaml()
    write_text(folder / RESOLVED_FILE, _about() + text)


def _resolved(folder: Path, n_steps: int) -> list[dict[str, Any] | None]:
    """The resolved settings of each finished step of a run, in order; None for the others."""
    resolved: list[dict[str, Any] | None] = [None] * n_steps
    for number in range(1, n_steps + 1):
        for path in (folder / "steps").glob(f"{number:02d}-*/step.json"):
            resolved[number - 1] = read_json(
                path, lambda about: about.get("resolved"), error=RunError
            )
    return resolved


def _about() -> str:
    facts = host()
    versions = ", ".join(f"{name} {version}" for name, version in facts.versions.items())
    lines = (
        "Every automatic choice of a run is written down here: `workbench run` repeats it.",
        f"workbench {workbench.__version__}, Python {facts.python}, {versions}",
        f"{facts.processor}, {facts.n_cores} cores, {facts.system}",
    )
    return "".join(f"# {line}\n" for line in lines)
