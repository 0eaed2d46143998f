"""Seconds that the parts of runs took on this machine, kept to estimate how long a run will take.

The parts of a run are the start of its process, the start candidate, each step, and the test. A
part that ends well appends a line of JSON to a file of this machine and its versions, in the user's
cache. The file is kept short; a damaged line is passed over. A part that was begun before a kill
and resumed is not kept, as only a half of its time would be known.
"""

from __future__ import annotations

import json
import math
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from workbench.events import Event
from workbench.recipe import Recipe, Step
from workbench.runs.opening_test import wants_test
from workbench.runs.step_folders import START
from workbench.system.cache import fingerprint
from workbench.system.files import UNFIT, write_bytes
from workbench.system.machine import machine_file
from workbench.system.records import record
from workbench.system.user_folders import cache_folder
from workbench.task import Task

__all__ = ["PROCESS", "TEST", "Duration", "Part", "Stopwatch", "durations", "keep", "parts_of"]

PROCESS, TEST = "process", "test"  # parts of a run besides the start and the steps
MOST_BYTES = 200_000  # of the file, about 800 parts; the older half goes when it has more


@dataclass(frozen=True)
class Part:
    """A part of a run as an estimate knows it: its name, and all that its seconds depend on.

    `settings` is a fingerprint of the settings of the step, and of the options that add work:
    device, batch sizes, cross-validation and baselines.
    """

    name: str
    task: str
    start: str = ""
    budget: str = ""
    settings: str = ""


@dataclass(frozen=True)
class Duration:
    """The seconds that a part of a run took.

    `starts` are the names of its start: the name in the recipe, and the empty one where it is the
    first model of the task.
    """

    name: str
    task: str
    seconds: float
    starts: tuple[str, ...] = ("",)
    budget: str = ""
    settings: str = ""

    def is_of(self, part: Part) -> bool:
        """Whether it is a time of this part, with whatever settings."""
        mine = (self.name, self.task, self.budget)
        return mine == (part.name, part.task, part.budget) and part.start in self.starts


def parts_of(recipe: Recipe, own: Task | None = None) -> dict[str, Part]:
    """The parts of a run by their names in events; `own` is a task that exists here only."""
    options = recipe.options
    task = _task_key(recipe, own)
    how = (options.device, options.batch_sizes, options.cv, options.baselines)
    rest = {"task": task, "start": options.start}
    parts = {PROCESS: Part(PROCESS, task)}
    if any(step.declared.needs.start for step in recipe.steps) or not recipe.steps:
        parts[START] = Part(START, **rest, budget=options.budget, settings=fingerprint(how))
    for label, step in zip(recipe.labels, recipe.steps, strict=True):
        settings = {**step.settings.tree(), "budget": ""}
        budget = _budget_key(step, options.budget)
        key = fingerprint(settings, how)
        parts[label] = Part(step.technique, **rest, budget=budget, settings=key)
    if wants_test(recipe):
        parts[TEST] = Part(TEST, **rest, budget=options.budget, settings=fingerprint(how))
    return parts


def durations() -> tuple[Duration, ...]:
    """All that is kept of this machine, the oldest first; empty where nothing can be read."""
    path = _file()
    try:
        about = path.stat()
    except OSError:
        return ()
    return _read(path, about.st_mtime_ns, about.st_size)


def keep(duration: Duration) -> None:
    """Append a time to the file of this machine; nothing happens where it cannot be written.

    A line is written in one call. Of two processes that shorten the file in the same moment, one
    may lose a line of the other.
    """
    path = _file()
    line = json.dumps({**asdict(duration), "seconds": float(f"{duration.seconds:.4g}")})
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(f"\n{line}\n".encode())  # the last line may be partly written
        if path.stat().st_size > MOST_BYTES:
            lines = path.read_bytes().split(b"\n")
            write_bytes(path, b"\n".join(lines[len(lines) // 2 :]))


@dataclass
class Stopwatch:
    """A listener that keeps the seconds of each part of a run that ends well.

    `task` is the loaded task of the run, `own` the same if it exists in this run only. `earlier`
    holds the names of parts that an earlier process of the run began; `created` is the time at
    which the run was made, in seconds since 1970.
    """

    recipe: Recipe
    task: Task | None
    own: Task | None
    earlier: frozenset[str]
    created: float
    _began: dict[str, float] = field(default_factory=dict)

    def __call__(self, event: Event) -> None:
        if event.kind == "step_started" and event.step not in self.earlier:
            self._began[event.step] = time.perf_counter()
        elif event.kind == "step_finished" and event.step in self._began:
            self._keep(event.step, time.perf_counter() - self._began.pop(event.step))
        elif event.kind == "run_started" and not self.earlier:
            self._keep(PROCESS, time.time() - self.created)

    def _keep(self, label: str, seconds: float) -> None:
        part = parts_of(self.recipe, self.own).get(label)
        if part is None or not 0 < seconds < math.inf:
            return
        starts = _names_of(part.start, self.task)
        keep(Duration(part.name, part.task, seconds, starts, part.budget, part.settings))


def _file() -> Path:
    return cache_folder() / "durations" / _file_name()


@lru_cache(maxsize=1)
def _file_name() -> str:
    """Name of the file of this machine and its versions, which do not change in a process."""
    return machine_file("durations").name


@lru_cache(maxsize=4)
def _read(path: Path, changed: int, size: int) -> tuple[Duration, ...]:
    """The times in a file; `changed` and `size` are those of the file, which is read once."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return ()
    return tuple(d for line in lines if line.strip() and (d := _duration(line)) is not None)


def _duration(line: bytes) -> Duration | None:
    """The time in a line; None for a line that was partly written or is damaged."""
    try:
        made = record(Duration, json.loads(line))
    except UNFIT:
        return None
    return made if 0 < made.seconds < math.inf else None


def _task_key(recipe: Recipe, own: Task | None) -> str:
    """The task with its arguments; for one that exists here only, with its number of rows."""
    options = recipe.options
    args = json.dumps(options.task_args, sort_keys=True, default=str) if options.task_args else ""
    rows = "" if own is None else f"{len(own.data.train)} rows"
    return " ".join(filter(None, (options.task, args, rows)))


def _budget_key(step: Step, of_run: str) -> str:
    """The budget of a step, with that of its run where they differ: the run measures the result."""
    own = step.settings.budget
    return own if own == of_run else f"{own} in {of_run}"


def _names_of(start: str, task: Task | None) -> tuple[str, ...]:
    """The names that a recipe can give this start: itself, and empty for the task's first model."""
    first: Any = ""
    if task is not None:
        first = task.start.name if task.start is not None else next(iter(task.builders), "")
    return tuple(dict.fromkeys((start, "", first) if start in ("", first) else (start,)))
